"""electra prepare: text to a corpus of token ids, with progress, restartable, in shards where one machine is too little."""

import shlex
import sys
from pathlib import Path
from typing import Any, Literal

import tyro
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from electra.data.prepare import CorpusInfo, ShardInfo, prepare, prepare_shard
from electra.data.work import Progress as Report
from electra.errors import UnfinishedError, UsageError
from electra.tokenization import load_tokenizer
from electra.training.panel import clock

SHOWN = 20  # commands for missing shards


def run(
    sources: tyro.conf.Positional[tuple[str, ...]],
    *,
    tokenizer: Path,
    out: Path,
    documents: Literal["auto", "blank-line", "file", "record"] = "auto",
    text_field: str = "text",
    errors: Literal["replace", "error", "skip"] = "replace",
    max_bad_records: int = 0,
    held_out: float = 0.01,
    processes: int | None = None,
    engine: Literal["processes", "ray"] = "processes",
    shard: str | None = None,
    assemble: bool = False,
    overwrite: bool = False,
) -> int:
    """Turn text into a corpus of token ids. The same command continues after a kill.

    Args:
        sources: files, folders, globs or addresses (s3://...) of .txt, .jsonl or .parquet, also .gz, .xz or .zst
        tokenizer: folder written by `electra vocab`, a model folder, or a vocab.txt
        out: folder of the corpus
        documents: what ends a document; auto: the record of .jsonl and .parquet, a blank line elsewhere
        text_field: the field or column of a record that holds the text
        errors: what to do with bytes that are not UTF-8: replace them, stop, or skip the line
        max_bad_records: records a file may lose before it is an error
        held_out: share of the documents kept for evaluation, chosen by their content
        processes: how many work at it; by default one a core
        engine: processes of this machine, or tasks on the Ray cluster that RAY_ADDRESS names (without it: begun here)
        shard: do the third of sixteen parts, 3/16, and no corpus; any machine that sees sources and out may
        assemble: make the corpus of shards that are all done
        overwrite: replace a corpus that was made otherwise
    """
    if not sources:
        raise UsageError("give at least one file or folder of text")
    if shard is not None and (assemble or overwrite):
        raise UsageError(f"--shard makes no corpus: leave out {'--assemble' if assemble else '--overwrite'}")
    settings: dict[str, Any] = dict(
        documents=documents, text_field=text_field, errors=errors, max_bad_records=max_bad_records,
        held_out=held_out, processes=processes, engine=engine,
    )  # fmt: skip
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[told]}"))
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task("preparing", total=None, told="")

        def show(report: Report) -> None:
            bar.update(task, total=report.bytes_total, completed=report.bytes_done, told=_tell(report))

        if shard is not None:
            made = prepare_shard(shard, sources, out, load_tokenizer(tokenizer), **settings, progress=show)
        else:
            settings |= dict(only_assemble=assemble, overwrite=overwrite)
            info = prepare(sources, out, load_tokenizer(tokenizer), **settings, progress=show)
    if shard is not None:
        _summarise_shard(made, out)
    else:
        _summarise(info)
    return 0


def _tell(report: Report) -> str:
    left = "" if report.seconds_left is None else f", {clock(report.seconds_left)} left"
    return f"{report.lines:,} lines, {report.tokens:,} tokens{left}"


def _summarise(info: CorpusInfo) -> None:
    made = "was there already, unchanged" if info.was_reused else f"made in {clock(info.seconds)}"
    print(f"{info.folder} {made}", file=sys.stderr)
    for name, counts in info.splits.items():
        told = ", ".join(f"{counts[what]:,} {what}" for what in ("documents", "lines", "tokens"))
        print(f"  {name}: {told}", file=sys.stderr)
    for problem in info.problems:
        told = ", ".join(f"{key} {value}" for key, value in problem.items() if key != "path" and value)
        print(f"  {problem.get('path', 'a file')}: {told}", file=sys.stderr)
    print(f"next: electra pretrain {info.folder} run --preset tiny", file=sys.stderr)


def _summarise_shard(info: ShardInfo, out: Path) -> None:
    made = "was done already" if info.was_reused else f"done in {clock(info.seconds)}"
    print(f"shard {info.shard} of {out} {made}", file=sys.stderr)
    if not info.was_reused:
        print(f"  {info.size / 1e6:,.1f} MB, {info.lines:,} lines, {info.tokens:,} tokens", file=sys.stderr)
    print("when all shards are done: the same command with --assemble instead of --shard", file=sys.stderr)


def main(words: list[str]) -> int:
    """Returns 0."""
    try:
        return tyro.cli(run, args=words, prog="electra prepare")
    except UnfinishedError as error:
        kept = [word for word in words if word != "--assemble"]
        commands = [shlex.join(["electra", "prepare", *kept, "--shard", one]) for one in error.shards[:SHOWN]]
        more = len(error.shards) - len(commands)
        error.args = ("\n  ".join([f"{error}; run", *commands, *[f"and {more} more"] * (more > 0)]),)
        raise
