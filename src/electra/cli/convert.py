"""electra convert: any ELECTRA checkpoint in, any out."""

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro

from electra.errors import UsageError
from electra.tasks.own import Columns
from electra.tokenization.files import FILES
from electra.verification.record import seal
from electra.weights.convert import convert as write
from electra.weights.matching import fold
from electra.weights.sources import Source, open_source

COLUMNS = Columns()


def convert(
    source: tyro.conf.Positional[Path],
    target: tyro.conf.Positional[Path],
    *,
    to: Annotated[str, tyro.conf.arg(help="torch, safetensors, tf, flax, google or onnx")] = "torch",
    config: Path | None = None,
    heads: int | None = None,
    dtype: str | None = None,
    allow_pickle_weights: bool = False,
    overwrite: bool = False,
    int8: bool = False,
    texts: Path | None = None,
    dev: Path | None = None,
    columns: tyro.conf.OmitArgPrefixes[Columns] = COLUMNS,
    threads: int = 0,
) -> int:
    """Turn a checkpoint into another kind, and prove the result by reading it back.

    An ONNX file is held against the model on real texts; parity.json and parity.md beside it say how far their answers are
    apart, how large and how fast both are, and with --dev what the scores are before and after.

    Args:
        source: a checkpoint of Google's code (prefix or folder), a model folder, discriminator/ and generator/, or a run
        target: the folder to write; for a Google checkpoint or a pair, with a folder for each network
        config: a config.json to use in place of what the source says of itself
        heads: attention heads of the discriminator, which the shapes of a Google checkpoint do not tell; 64 wide unless given
        dtype: bfloat16 or float16: weights rounded to half the bytes, of torch and safetensors; as they are unless given
        allow_pickle_weights: read a pytorch_model.bin where there is nothing else, with torch's weights-only loader
        overwrite: replace the target if it exists
        int8: of onnx: weights in 8 bits, a third of the size or less; parity.md says what that does to the answers
        texts: of onnx: a file to compare answers on, one text or JSON object a line, as electra predict reads it
        dev: of onnx: a labelled file for the scores before and after
        columns: of dev: the names of your columns; those of the file the model was tuned on unless you name others
        threads: of onnx: of the processor, for what is measured; 0: all cores
    """
    if to != "onnx" and (int8 or texts is not None or dev is not None):
        raise UsageError(f"--int8, --texts and --dev are of an ONNX file, and {to} was asked for; add --to onnx")
    if to == "onnx" and dtype is not None:
        raise UsageError("--dtype is of torch and safetensors; of onnx there is --int8")
    known: dict[str, Any] = {} if heads is None else {"num_attention_heads": heads}
    found = open_source(source, config, allow_pickle_weights=allow_pickle_weights, **known)
    for line in _found(source, found):
        print(line, file=sys.stderr)
    if to == "onnx":
        from electra.inference.export import export_source
        from electra.inference.parity.compare import Asked

        asked = Asked(texts=texts, dev=dev, columns=None if columns == COLUMNS else columns, threads=threads)
        beside = partial(_write_vocabulary, found, to)
        lines = export_source(found, target, int8=int8, asked=asked, also=beside, overwrite=overwrite)
    else:
        lines = write(found, target, to, also=partial(_write_beside, found, to), overwrite=overwrite, dtype=dtype)
    for line in lines:
        print(line, file=sys.stderr)
    print(f"{target} is ready", file=sys.stderr)
    if to not in ("google", "onnx"):
        print(f"its answers go on record, for later checks, with: electra verify {target} --write", file=sys.stderr)
    return 0


def _found(path: Path, source: Source) -> list[str]:
    lines = [f"{path}: {source.kind}", *(f"  {note}" for note in source.notes)]
    for name, network in source.networks.items():
        c = vars(network.config)
        lines.append(
            f"  {name}: {c['num_hidden_layers']} layers, hidden {c['hidden_size']}, {_heads(c['num_attention_heads'])}, "
            f"feed-forward {c['intermediate_size']}, embedding {c['embedding_size']}, vocabulary {c['vocab_size']:,}"
        )
        lines += _left_out(network.left_out, f"a place in {network.class_name}")
    return lines + _left_out(source.left_out, "a place in these networks")


def _left_out(names: list[str], lacking: str) -> list[str]:
    """A line for tensors that are not written, those of all layers under one name."""
    return [f"  left out {len(names)} without {lacking}: {', '.join(fold(names))}"] if names else []


def _write_beside(source: Source, to: str, stage: Path) -> None:
    """Write the tokenizer and the manifest of each network.

    Logits are left to `electra verify --write`: they need a framework and the whole model in memory, conversion neither.
    """
    _write_vocabulary(source, to, stage)
    if to != "google":
        for folder in [stage] if source.is_single else [stage / name for name in source.networks]:
            seal(folder, with_logits=False)


def _heads(count: int) -> str:
    return "1 head" if count == 1 else f"{count} heads"


def _write_vocabulary(source: Source, to: str, stage: Path) -> None:
    """Write the source's tokenizer beside every network; a Google checkpoint has the vocabulary alone."""
    if not any((source.folder / name).is_file() for name in FILES[:2]):
        print("  no vocabulary was found beside the source; a model needs its own", file=sys.stderr)
        return
    from electra.inference.network import trained_length
    from electra.tokenization import ElectraTokenizer, write_vocabulary

    tokenizer = ElectraTokenizer.from_pretrained(source.folder)
    # The network leaves its run, which says how long the rows were that it was pretrained on.
    tokenizer.model_max_length = trained_length(source.folder, tokenizer.model_max_length)
    if to == "google":
        write_vocabulary(stage / "vocab.txt", tokenizer.convert_ids_to_tokens(range(len(tokenizer))))
        return
    for folder in [stage] if source.is_single else [stage / name for name in source.networks]:
        tokenizer.save_pretrained(folder)


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(convert, args=words, prog="electra convert")
