"""Writes docs/reference/*.md from docstrings, tables and examples: `make docs`.

Unusual here: signatures are read from the source text (`reading.py`), so the comment beside an argument, its unit or its
source, comes along. Every class of `electra` must have an example, docs/reference/examples/CLASS.py, which is run here.
"""

import contextlib
import importlib
import io
import runpy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import reading

import electra
import electra.errors
import electra.outputs
from electra.cli import COMMANDS
from electra.flax import FlaxElectraPreTrainedModel
from electra.heads import HEADS
from electra.tasks.own import Columns
from electra.tf import TFElectraPreTrainedModel
from electra.tokenization.base import Tokenizer
from electra.torch import ElectraPreTrainedModel
from electra.training.settings import PRESETS, PretrainSettings
from electra.training.tune_settings import TuneSettings

REFERENCE = Path(__file__).parent / "reference"
ROOT = "../../"  # of the repository, seen from a page


@dataclass(frozen=True)
class Page:
    """One file: the public classes of a package, the base they share, and functions; `tables` are shown first."""

    name: str
    title: str
    intro: str
    package: str
    base: Any = object
    functions: tuple[str, ...] = ()  # package:name
    tables: Callable[[], Iterator[str]] = lambda: iter(())


def pages() -> tuple[Page, ...]:
    """In the order of the index."""
    vocabularies = ("load_tokenizer", "train_vocabulary", "measure_coverage", "read_vocabulary", "write_vocabulary")
    training = ("settings:preset", "settings:read_recipe", "settings:settings_from", "pretrain:pretrain")
    return (
        Page("configuration", "Configuration", "The sizes and switches of a model.", "electra.config"),
        Page(
            "tokenizers", "Tokenizers", "Text to token ids and back.", "electra.tokenization",
            base=Tokenizer,
            functions=tuple(f"electra.tokenization:{name}" for name in vocabularies),
        ),
        Page(
            "models", "Models in PyTorch", "The encoder and the heads on it. B rows, L positions, H hidden, V vocabulary, "
            "N labels, C choices.", "electra.torch", base=ElectraPreTrainedModel, tables=head_table,
            functions=("electra.torch.generation:generate", "electra.torch:share_embeddings"),
        ),
        Page(
            "models-tf", "Models in TensorFlow", "The same models on Keras 3. Inputs as keywords, or in the first argument as a "
            "tensor, a list in order or a dictionary; compile needs no loss.", "electra.tf", base=TFElectraPreTrainedModel,
        ),
        Page(
            "models-flax", "Models in Flax", "The same models in JAX, as Linen modules with their parameters. Losses are in "
            "`electra.losses`, over `electra.flax.ops`.", "electra.flax", base=FlaxElectraPreTrainedModel,
            functions=("electra.flax.generation:generate",),
        ),
        Page("outputs", "Outputs", "What models answer with.", "electra.outputs", base=electra.outputs.ModelOutput,
             tables=output_table),
        Page(
            "answering", "Answering", "What a model answers, whatever its head.", "electra.inference",
            functions=tuple(f"electra.inference.{name}" for name in (
                "detection:Detector.predict", "detection:Detector.suggest", "filling:Filler.predict", "loaded:Tuned.predict",
            )),
        ),
        Page(
            "pretraining", "Pretraining", "The commands, and the settings of a run.", "electra.training", tables=settings_tables,
            functions=tuple(f"electra.training.{name}" for name in training),
        ),
        Page("errors", "Errors", "What is raised, and the exit code of a command.", "electra.errors", tables=error_table),
    )  # fmt: skip


def classes_of(page: Page) -> list[Any]:
    """The classes of `electra.__all__` that a package defines, and its functions."""
    public = [getattr(electra, name) for name in electra.__all__ if name != "__version__"]
    return [value for value in public if f"{value.__module__}.".startswith(f"{page.package}.")]


# ---------------------------------------------------------------------------------------------------------------- tables


def table(head: str, rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> str:
    """A Markdown table; `head` names the columns, separated by |."""
    columns = head.split("|")
    lines = [columns, ["---"] * len(columns), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def head_table() -> Iterator[str]:
    shapes = {head.class_name: f"({', '.join(head.logits)})" if head.logits else "(B, L, H)" for head in HEADS}
    rows = [(f"[{name}](#{name.lower()})", reading.first_sentence(getattr(electra, name)), shape)
            for name, shape in shapes.items()]  # fmt: skip
    yield table("class|what for|answer", rows)


def output_table() -> Iterator[str]:
    found = [value for value in vars(electra.outputs).values() if isinstance(value, type)]
    outputs = [kind for kind in found if issubclass(kind, electra.outputs.ModelOutput) and kind.fields()]
    yield table("class|answer|fields", [
        (f"`{kind.__name__}`", reading.prose(kind.__doc__ or ""), ", ".join(f"`{name}`" for name in kind.fields()))
        for kind in outputs
    ])  # fmt: skip


def error_table() -> Iterator[str]:
    found = [kind for kind in vars(electra.errors).values() if isinstance(kind, type) and issubclass(kind, Exception)]
    yield table("class|is a|exit code|when", [
        (f"`{kind.__name__}`", ", ".join(f"`{base.__name__}`" for base in kind.__bases__), str(kind.exit_code),
         reading.prose(kind.__doc__ or "")) for kind in found
    ])  # fmt: skip


def settings_tables() -> Iterator[str]:
    for verb, (module, _) in COMMANDS.items():
        text, options = reading.command(module)
        yield f"## electra {verb}\n\n{text}"
        yield table("argument|default|what", options)
    yield f"## Columns\n\n{reading.prose(Columns.__doc__ or '')}"
    yield "Fields of `electra.tasks.own.Columns`; flags of `electra data`, `finetune`, `evaluate` and `convert`."
    yield table("column|type|default|what", list(reading.fields(Columns)))
    yield f"## Settings of fine-tuning\n\n{reading.prose(TuneSettings.__doc__ or '')}"
    yield "Fields of `electra.training.tune_settings.TuneSettings`; flags of `electra finetune`."
    yield table("setting|type|default|what", list(reading.fields(TuneSettings)))
    yield f"## Settings\n\n{reading.prose(PretrainSettings.__doc__ or '')}"
    yield "Fields of `electra.training.settings.PretrainSettings`; flags of `electra pretrain`; keys of a recipe."
    yield table("setting|type|default|what", list(reading.fields(PretrainSettings)))
    yield "Presets change the defaults:"
    changes = [(f"`{name}`", ", ".join(f"`{k} = {v!r}`" for k, v in row.items())) for name, row in PRESETS.items()]
    yield table("preset|settings", changes)


# ----------------------------------------------------------------------------------------------------------------- pages


def source_link(module: str) -> str:
    path = Path(reading.source(module).path)
    inside = path.relative_to(Path(electra.__file__).parents[2])
    return f"[{inside.as_posix()}]({ROOT}{inside.as_posix()})"


def output_of(example: Path) -> str:
    """What an example prints."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        runpy.run_path(str(example))
    return printed.getvalue()


def class_section(kind: Any, base: Any) -> Iterator[str]:
    """Heading, docstring, example, signature, and the methods that `base` does not have. Of a function, all but the last."""
    yield f"## {kind.__name__}"
    yield source_link(kind.__module__)
    yield reading.prose(kind.__doc__ or "")
    example = REFERENCE / "examples" / f"{kind.__name__}.py"
    yield f"```python\n{example.read_text(encoding='utf-8')}```"
    yield f"prints\n\n```text\n{output_of(example)}```"
    if not isinstance(kind, type):
        yield f"```python\n{reading.function(kind.__module__, kind.__name__)[0]}\n```"
        return
    if constructor := reading.constructor(kind):
        yield f"```python\n{constructor}\n```"
    yield from member_section(kind, base)


def base_section(base: Any) -> Iterator[str]:
    yield f"## {base.__name__}"
    yield f"What the classes above share. {source_link(base.__module__)}"
    yield reading.prose(base.__doc__ or "")
    yield from member_section(base, object)


def member_section(kind: Any, base: Any) -> Iterator[str]:
    """The short members as a table, each long one under a heading."""
    short, long = reading.members(kind, base)
    if short:
        yield table("method or property|what", [(f"`{signature}`", text) for signature, text in short])
    for name, signature, text in long:
        yield f"### `{kind.__name__}.{name}`"
        yield f"```python\n{signature}\n```"
        yield text


def render(page: Page) -> str:
    """The whole text of a page."""
    parts = ["<!-- Written by docs/make_reference.py from the source: make docs -->", f"# {page.title}", page.intro]
    parts += page.tables()
    for kind in classes_of(page):
        parts += class_section(kind, page.base)
    if page.base is not object:
        parts += base_section(page.base)
    if page.functions:
        parts.append("## Functions")
    for place in page.functions:
        package, name = place.split(":")
        module = getattr(importlib.import_module(package), name.partition(".")[0]).__module__
        signature, text = reading.function(module, name)
        parts += [f"### `{name}`", source_link(module), f"```python\n{signature}\n```", text]
    return "\n\n".join(parts) + "\n"


def render_index() -> str:
    rows = []
    for page in pages():
        names = ", ".join(f"[{kind.__name__}]({page.name}.md#{kind.__name__.lower()})" for kind in classes_of(page))
        rows.append((f"[{page.title}]({page.name}.md)", page.intro.split(". ")[0].rstrip("."), names))
    told = "Each class with a program that runs, its arguments and its methods, from the docstrings in the source."
    return f"# Reference\n\n{told}\n\n{table('page|what|classes', rows)}\n"


def write(folder: Path) -> None:
    """Write every page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.md").write_text(render_index(), encoding="utf-8")
    for page in pages():
        (folder / f"{page.name}.md").write_text(render(page), encoding="utf-8")


if __name__ == "__main__":
    write(REFERENCE)
