"""electra study: several variants of pretraining held against each other, over seeds, budgets and tasks."""

import sys
from pathlib import Path

import tyro

from electra.errors import UsageError


def study(
    file: tyro.conf.Positional[Path],
    out: tyro.conf.Positional[Path],
    *,
    corpus: Path | None = None,
    text: tuple[str, ...] = (),
    data: Path | None = None,
    jobs: int = 1,
    threads: int = 0,
    limit_minutes: float | None = None,
    measure: bool = False,
    dry_run: bool = False,
    page: bool = False,
) -> int:
    """Run a study: pretrain every variant with every seed and budget, fine-tune what comes out, and write a page of it.

    The same command continues a study that was stopped or killed.

    Args:
        file: the study (TOML): variants, seeds, budgets, tasks
        out: folder of the study: pieces/, results/, study.html, study.md, study.json
        corpus: folder written by `electra prepare`, instead of the file's
        text: files of text to make a vocabulary and a corpus of, instead of a corpus
        data: folder of the tasks' files, instead of the file's
        jobs: pieces at a time
        threads: of each piece; 0: the cores, divided among the jobs
        limit_minutes: stop after so long, between pieces or inside them, with what is done on the page
        measure: only measure how long a step of each variant takes, which minutes are counted by, and stop
        dry_run: say what would be run and how long it would take, from pieces that are done or a short measurement
        page: write the page of what is done, and run nothing
    """
    from electra.study.file import read_study
    from electra.study.run import corpus_of, run_study

    for name, value in (("jobs", jobs), ("limit-minutes", 1 if limit_minutes is None else limit_minutes)):
        if value <= 0:
            raise UsageError(f"{name} is {value}, expected more than 0")
    plan = read_study(file, corpus=corpus, text=text, data=data)
    each = threads or max(1, cores() // jobs)
    if page:
        return _write(plan, out)
    out.mkdir(parents=True, exist_ok=True)
    place = corpus_of(plan, out, _tell)
    if dry_run:
        from electra.study.plan import plan_of

        print("\n".join(plan_of(plan, out, place, jobs=jobs, threads=each)))
        return 0
    code = run_study(
        plan, out, place, jobs=jobs, threads=each, limit_minutes=limit_minutes, tell=_tell, measure=measure
    )
    return max(code, _write(plan, out))


def _write(plan, out: Path) -> int:  # type: ignore[no-untyped-def]
    from electra.errors import MissingDependencyError
    from electra.study.collect import collect
    from electra.study.page import write_page

    held = collect(plan, out)
    if not held["pieces"]["done"]:
        _tell("nothing is done yet, so there is no page")
        return 0
    try:
        _tell(f"open {write_page(held, out)} in a browser")
    except MissingDependencyError as error:
        _tell(f"no page: {error}; {out / 'study.json'} has the numbers")
    return 0


def cores() -> int:
    """That this process may use."""
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main(words: list[str]) -> int:
    """Returns 0 when all is done, 1 where pieces ended with an error, 75 or 130 where it was stopped."""
    return tyro.cli(study, args=words, prog="electra study")
