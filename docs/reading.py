"""Reads classes, functions and commands from the source text, for the pages of docs/make_reference.py.

The text and not the running object: a comment beside an argument says its unit or its source, and belongs on the page.
"""

import ast
import importlib.util
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

WIDTH = 100  # of a signature on one line of a code block
CELL = 150  # of a signature in a table
ITEM = re.compile(r"(\S.*?)\s{2,}(\S.*)")  # "input_ids    (B, L) the text"
WORD = re.compile(r'"\w+"|(?<![\w"])[A-Za-z][\w./]*(?:=\w+)?\*?')


@dataclass(frozen=True)
class Source:
    """One module's file: where it is, its lines, its tree."""

    path: str
    lines: list[str]
    tree: ast.Module

    def find(self, name: str) -> Any:
        """The class or function `name` at the top of the module."""
        named = (ast.ClassDef, ast.FunctionDef)
        return next(node for node in self.tree.body if isinstance(node, named) and node.name == name)

    def comment(self, node: ast.expr | ast.stmt | ast.arg) -> str:
        """The comment at the end of a node's last line, if it says something to readers."""
        assert node.end_lineno is not None
        found = re.search(r"  # (?!noqa|type:|fmt:)(.*)$", self.lines[node.end_lineno - 1])
        return found[1] if found else ""

    def text(self, node: ast.AST) -> str:
        return ast.get_source_segment("\n".join(self.lines), node) or ""


@cache
def source(module: str) -> Source:
    """The source of a module, not imported for it."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    text = Path(spec.origin).read_text(encoding="utf-8")
    return Source(spec.origin, text.splitlines(), ast.parse(text))


# ------------------------------------------------------------------------------------------------------------------ prose


def prose(docstring: str) -> str:
    """A docstring as Markdown: its aligned lines become a list, names with underscores code."""
    blocks: list[str] = []
    is_item = is_new = True
    for line in inspect.cleandoc(docstring).splitlines():
        item = ITEM.fullmatch(line)
        if item and not line.startswith(" "):
            names = ", ".join(f"`{name}`" for name in item[1].split(", "))
            blocks.append(f"- {names}: {code(item[2])}")
        elif line.startswith(" ") and blocks:
            blocks[-1] += f" {code(line.strip())}"
        elif line.strip():
            starts = is_new or is_item or line.startswith(("Raises ", "Returns ", "Source: "))
            blocks += [code(line)] if starts else []
            if not starts:
                blocks[-1] += f" {code(line)}"
        is_item, is_new = bool(item) or line.startswith(" "), not line.strip()
    lists = re.sub(r"\n\n(?=- )", "\n", "\n\n".join(blocks))
    return re.sub(r"(^|\n)([^-\n].*)\n- ", r"\1\2\n\n- ", lists)


def code(text: str) -> str:
    """The text with names that have underscores set as code, where they are not already."""
    parts = text.split("`")
    parts[::2] = [WORD.sub(lambda word: f"`{word[0]}`" if "_" in word[0] else word[0], part) for part in parts[::2]]
    return re.sub(r"`([^`]*[a-z])\.`", r"`\1`.", "`".join(parts))


def first_sentence(kind: Any) -> str:
    text = prose(kind.__doc__ or "").split("\n")[0]
    return re.split(r"(?<=[.?])\s", text)[0]


# ------------------------------------------------------------------------------------------------------------- signatures


def signature(name: str, node: ast.FunctionDef, home: Source, *, skip_first: bool = False, width: int = WIDTH) -> str:
    """`name(...)` on one line, or one argument a line where it is long or has comments."""
    rows = list(_arguments(node, home))[int(skip_first) :]
    end = "" if node.name == "__init__" else _kind(node.returns, " -> ")
    line = f"{name}({', '.join(text for text, _ in rows)}){end}"
    if len(line) <= width and not any(comment for _, comment in rows):
        return line
    lines = [f"    {text},{comment and f'  # {comment}'}" for text, comment in rows]
    return "\n".join([f"{name}(", *lines, f"){end}"])


def _arguments(node: ast.FunctionDef, home: Source) -> Iterator[tuple[str, str]]:
    given = node.args
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + [*given.defaults]
    for argument, default in zip(positional, defaults, strict=True):
        yield _argument(argument, default, home)
    if given.vararg:
        yield _argument(given.vararg, None, home, "*")
    elif given.kwonlyargs:
        yield "*", ""
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield _argument(argument, default, home)
    if given.kwarg:
        yield _argument(given.kwarg, None, home, "**")


def _argument(node: ast.arg, default: ast.expr | None, home: Source, stars: str = "") -> tuple[str, str]:
    kind = _kind(node.annotation, ": ")
    value = "" if default is None else (" = " if kind else "=") + home.text(default)
    alone = home.lines[node.lineno - 1].strip().startswith(node.arg)
    return f"{stars}{node.arg}{kind}{value}", home.comment(default or node) if alone else ""


def _kind(annotation: ast.expr | None, before: str) -> str:
    """The type an annotation names, quoted or not."""
    if annotation is None:
        return ""
    is_quoted = isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
    return before + (annotation.value if is_quoted else ast.unparse(annotation))


def function(module: str, name: str) -> tuple[str, str]:
    """Signature and text of a function, or of a class's method: CLASS.METHOD."""
    owner, _, method = name.partition(".")
    node = source(module).find(owner)
    if method:
        node = next(inner for inner in node.body if isinstance(inner, ast.FunctionDef) and inner.name == method)
    shown = signature(method or owner, node, source(module), skip_first=bool(method))
    return shown, prose(ast.get_docstring(node) or "")


# ---------------------------------------------------------------------------------------------------------------- classes


def _own(kind: Any, base: Any = object) -> Iterator[tuple[Source, ast.FunctionDef]]:
    """The functions in the bodies of a class and of its bases in this library, without those `base` has."""
    for owner in kind.__mro__:
        if owner.__module__.startswith("electra") and owner not in base.__mro__:
            home = source(owner.__module__)
            for node in home.find(owner.__name__).body:
                if isinstance(node, ast.FunctionDef):
                    yield home, node


def constructor(kind: Any) -> str:
    """The signature of the class's own constructor, or of a base's that is not public."""
    for home, node in _own(kind):
        if node.name == "__init__":
            return signature(kind.__name__, node, home, skip_first=True)
    return ""


def members(kind: Any, base: Any) -> tuple[list[tuple[str, str]], list[tuple[str, str, str]]]:
    """Public methods and properties with a docstring of their own: short ones (signature, text), long ones (name, ...)."""
    short, long = [], []
    shared = {node.name for _, node in _own(base)} if issubclass(kind, base) else set()
    seen = {name for name in shared if getattr(kind, name).__doc__ == getattr(base, name).__doc__}
    for home, node in _own(kind, base):
        text = prose(ast.get_docstring(node) or "")
        if node.name in seen or not text or (node.name.startswith("_") and node.name != "__call__"):
            continue
        seen.add(node.name)
        decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
        if "property" in decorators or "cached_property" in decorators:
            short.append((f"{node.name}{_kind(node.returns, ': ')}", text))
            continue
        name = f"{kind.__name__}.{node.name}" if "classmethod" in decorators else node.name
        bound = "staticmethod" not in decorators
        line = signature(name, node, home, skip_first=bound, width=CELL)
        if "\n" in line or "\n" in text:
            long.append((node.name, signature(name, node, home, skip_first=bound), text))
        else:
            short.append((line, text))
    return short, long


def fields(kind: Any) -> Iterator[tuple[str, str, str, str]]:
    """Name, type, default and comment of every field of a dataclass, those of its bases first."""
    for base in reversed([base for base in kind.__mro__ if base.__module__.startswith("electra")]):
        home = source(base.__module__)
        for node in home.find(base.__name__).body:
            if isinstance(node, ast.AnnAssign):
                value = home.text(node.value) if node.value else ""
                value = "{}" if "default_factory=dict" in value else value
                yield (
                    f"`{ast.unparse(node.target)}`",
                    f"`{ast.unparse(node.annotation)}`",
                    f"`{value}`",
                    home.comment(node),
                )


# --------------------------------------------------------------------------------------------------------------- commands


def command(module: str) -> tuple[str, list[tuple[str, str, str]]]:
    """What a command does, and its arguments: (name, default, help); found by the tyro.cli call in its main."""
    home = source(module)
    call = next(
        node for node in ast.walk(home.find("main")) if isinstance(node, ast.Call) and "tyro.cli" in home.text(node)
    )
    node = home.find(ast.unparse(call.args[0]))
    text, _, told = (ast.get_docstring(node) or "").partition("Args:")
    helps = dict(re.findall(r"^\s*(\w+): (.*)$", told, re.MULTILINE))
    rows = _of_class(node, home) if isinstance(node, ast.ClassDef) else _of_function(node, home)
    return prose(text.strip()), [_option(*row, helps) for row in rows if row[0] not in ("settings", "columns")]


def _of_function(node: ast.FunctionDef, home: Source) -> Iterator[tuple[str, str, str | None]]:
    for (text, _), argument in zip(
        (row for row in _arguments(node, home) if row[0] != "*"), [*node.args.args, *node.args.kwonlyargs], strict=True
    ):
        _, _, default = text.partition(" = ")
        yield argument.arg, ast.unparse(argument.annotation) if argument.annotation else "", default or None


def _of_class(node: ast.ClassDef, home: Source) -> Iterator[tuple[str, str, str | None]]:
    for field, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(field, ast.AnnAssign):
            told = (
                f", help={after.value.value!r}"
                if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                else ""
            )
            yield (
                ast.unparse(field.target),
                ast.unparse(field.annotation) + told,
                home.text(field.value) if field.value else None,
            )


def _option(name: str, annotation: str, default: str | None, helps: dict[str, str]) -> tuple[str, str, str]:
    renamed = re.search(r"\bname='([\w-]+)'", annotation)
    told = re.search(r"\bhelp=(['\"])(.*?)\1", annotation)
    flag = f"--{renamed[1] if renamed else name.replace('_', '-')}"
    if default in ("True", "False"):
        flag += f"`, `--no-{flag[2:]}"
    shown = f"`{name.upper()}`" if "Positional" in annotation else f"`{flag}`"
    return shown, f"`{default}`" if default else "required", code(told[2] if told else helps.get(name, ""))
