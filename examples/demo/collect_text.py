"""Collect real English prose that a Python installation brings: docstrings, comments and manuals of what is installed.

    python examples/demo/collect_text.py TARGET_FOLDER

Writes one text file a package: a line is a paragraph, a blank line ends a document (one source file). Narrow, technical
English, about eight megabytes with PyTorch and NumPy installed: enough for a demonstration in minutes, with no download.
"""

import ast
import re
import sys
import sysconfig
import textwrap
from collections.abc import Iterator
from pathlib import Path
from pydoc_data import topics

PACKAGES = ("torch", "numpy")
SKIPPED_FOLDERS = {"site-packages", "test", "tests", "idlelib", "lib2to3", "__pycache__"}
SENTENCE = re.compile(r"^[A-Z\"'(`]")
WORD = re.compile(r"[A-Za-z][a-z]+")
COMMENTS = re.compile(r"(?m)(?:^[ \t]*#.*\n)+")
MARKUP = re.compile(r"`{1,2}~?\.?([^`]*)`{1,2}|:[a-z:]+:`~?\.?([^`]*)`|\*\*?([^*]+)\*\*?")


def python_files(folder: Path) -> Iterator[Path]:
    """The source files under a folder, in a fixed order, tests left out."""
    for path in sorted(folder.rglob("*.py")):
        if not SKIPPED_FOLDERS & set(path.relative_to(folder).parts):
            yield path


def texts_of(path: Path) -> Iterator[str]:
    """The docstrings of a source file, then its blocks of comments."""
    try:
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source)
    except (SyntaxError, UnicodeDecodeError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield textwrap.dedent(node.value.value.expandtabs())
    yield from comment_blocks(source)


def comment_blocks(source: str) -> Iterator[str]:
    """Comments on neighbouring lines, joined."""
    for block in COMMENTS.findall(source):
        yield "\n".join(line.strip().lstrip("#! ") for line in block.splitlines())


def paragraphs(text: str) -> Iterator[str]:
    """The paragraphs that read as English sentences: no code, tables, signatures or lists of names."""
    for block in re.split(r"\n\s*\n", text):
        plain = MARKUP.sub(lambda found: next((g for g in found.groups() if g), ""), " ".join(block.split()))
        words = plain.split()
        real = [word for word in words if WORD.fullmatch(word.strip(".,;:()\"'!?"))]
        if (
            len(words) >= 8
            and len(real) >= 0.75 * len(words)
            and SENTENCE.match(plain)
            and ">>>" not in block
            and "===" not in block
        ):
            yield plain


def write_package(target: Path, documents: Iterator[Iterator[str]], seen: set[str]) -> int:
    """Write each document's new paragraphs; returns the characters written."""
    size = 0
    with target.open("w", encoding="utf-8") as file:
        for document in documents:
            lines = [line for text in document for line in paragraphs(text)]
            fresh = [line for line in dict.fromkeys(lines) if line.lower() not in seen]
            seen.update(line.lower() for line in fresh)
            if fresh:
                size += file.write("\n".join(fresh) + "\n\n")
    return size


def main() -> None:
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    library = {"python": Path(sysconfig.get_path("stdlib"))}
    site = Path(sysconfig.get_path("purelib"))
    folders = library | {name: site / name for name in PACKAGES if (site / name).is_dir()}
    seen: set[str] = set()
    total = write_package(target / "manual.txt", (iter([text]) for text in topics.topics.values()), seen)
    for name, folder in folders.items():
        total += write_package(target / f"{name}.txt", (texts_of(path) for path in python_files(folder)), seen)
    print(f"{total / 1e6:.1f} MB of prose from {', '.join(folders)} in {target}")


if __name__ == "__main__":
    main()
