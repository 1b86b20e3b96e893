"""electra predict: lines in, one JSON object a line out, in order, however many there are."""

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import tyro

from electra.errors import DataError


def predict(
    model: tyro.conf.Positional[str],
    file: tyro.conf.Positional[str] = "-",
    *,
    out: str = "-",
    nbest: int = 3,
    engine: str = "auto",
    windows: int | None = None,
    framework: str = "torch",
    batch_size: int = 32,
    device: str = "auto",
    threads: int = 0,
) -> int:
    """Answer each line of a file with one JSON object a line, in order, in bounded memory; numbers have six digits.

    A line is plain text, or JSON: {"text", "pair"}, {"words"}, {"question", "context"} or {"prompt", "choices"}, as the model
    needs it; "id" is given back. A line that cannot be used gives {"line", "error"} in its place, and exit code 65 at the end.
    One that is longer than a row is answered with "unread_pieces": how many pieces the model was not shown.

    Args:
        model: RUN/model of electra finetune, or RUN; or what electra convert --to onnx made of RUN/model
        file: one text or JSON object a line; - for standard input
        out: where to write; - for standard output
        nbest: of answers to questions: how many candidates of whole words are listed, the likeliest first
        engine: float32, bfloat16, int8, or plain, which is the framework's model; auto: the faster of the first two
        windows: pieces that neighbouring windows over a long text or pair share; without it, as the model was tuned
        framework: whose model computes where the engine is plain; torch, tf or flax
        batch_size: rows at a time
        device: cpu, cuda, cuda:1; auto: a GPU where there is one
        threads: of the processor; 0: all cores; 1 is faster where other programs use the cores
    """
    from electra.inference.predictor import Predictor
    from electra.inference.shown import rounded
    from electra.training.tune_settings import TuneSettings

    settings = TuneSettings(batch_size=batch_size, device=device, threads=threads)
    if file != "-" and not Path(file).is_file():
        raise DataError(f"{file} does not exist; give a file with one text a line, or - for standard input")
    predictor = Predictor(model, settings, framework=framework, engine=engine, windows=windows)
    bad = cut = 0
    with ExitStack() as stack:
        target = sys.stdout if out == "-" else stack.enter_context(open(out, "w", encoding="utf-8"))
        for prediction in predictor.predict_lines(_lines(file), nbest=nbest):
            bad += "error" in prediction
            cut += "unread_pieces" in prediction
            print(json.dumps(rounded(prediction), ensure_ascii=False), file=target)
    if cut:
        told = f"electra predict: {cut:,} line{'s were' if cut != 1 else ' was'} longer than the model reads; see unread_pieces"
        print(told if windows is not None else f"{told}, or give --windows 32", file=sys.stderr)
    if bad:
        print(f"electra predict: {bad:,} line{'s' * (bad != 1)} could not be used", file=sys.stderr)
    return DataError.exit_code if bad else 0


def _lines(file: str) -> Iterator[str]:
    if file == "-":
        yield from sys.stdin
        return
    with open(file, encoding="utf-8", errors="replace") as stream:
        yield from stream


def main(words: list[str]) -> int:
    """Returns 0, or 65 where lines could not be used."""
    return tyro.cli(predict, args=words, prog="electra predict")
