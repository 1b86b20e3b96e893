"""A plan as lines that a person reads."""

from collections.abc import Iterator
from typing import Any

WIDTH = 12  # of the first column
BUSY = 0.5  # programs a core that make a measurement doubtful
GIGABYTE = 10**9
DAY = 86_400


def lines(plan: dict[str, Any]) -> Iterator[str]:
    """Names and what there is to say of them."""
    for name, text in (*_run(plan["run"]), *_here(plan["here"]), *_disk(plan["disk"])):
        yield f"{name:<{WIDTH}}{text}"
    yield ""
    yield "On GPUs, on paper (not measured; the ranges are assumptions, see below)"
    yield from _table(_elsewhere(plan["elsewhere"]))
    yield ""
    yield "Assumed"
    yield from (f"- {text}" for text in plan["assumptions"])


def _run(run: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "run", f"{run['size']}, objective {run['objective']}, {run['parameters']:,} parameters"
    yield "steps", f"{run['steps']:,} of {run['batch_size']:,} rows of {run['max_length']:,} tokens"
    times = f"{run['epochs']:,.1f} times over the corpus's {large(run['corpus_tokens'])}"
    yield "tokens", f"{large(run['tokens'])}: {times} (an epoch is {run['steps_per_epoch']:,.0f} steps)"
    yield "operations", f"{run['flops']:.2e} as the paper counts them; {run['multiplied']:.2e} in matrix products"


def _here(here: dict[str, Any]) -> Iterator[tuple[str, str]]:
    memory = f"{bytes_of(here['memory'])}, {bytes_of(here['free_memory'])} free" if here["memory"] else "memory unknown"
    yield "here", f"{here['processor']}, {here['cores']} cores, {memory}; {here['framework']}"
    if not here["measured"]:
        why = "not asked for" if here["seconds"] == 0 else "this machine has not the memory for one part of an update"
        yield "measured", f"nothing: {why}"
        return
    heading = "measured"
    rows: list[tuple[str, ...]] = [("rows at once", "length", "threads", "tokens/s", "memory")]
    for one in here["measured"]:
        peak = bytes_of(one["peak_memory"]) if one["peak_memory"] else "?"
        rows.append((
            f"{one['rows']:,}", f"{one['length']:,}", str(one["threads"] or "all"), f"{one['tokens_per_second']:,.0f}", peak,
        ))  # fmt: skip
    for line in _table(rows):
        yield heading, line
        heading = ""
    if here["load"] > BUSY * here["cores"]:
        programs = f"{here['load']:.1f} other programs wanted {here['cores']} cores"
        yield "", f"{programs}: this machine can do more when it is left alone; measure again then"
    yield "as set", _taken(here["as_set"])
    best = here["recommended"]
    yield "advice", f"--accumulate {best['accumulate']} --threads {best['threads']}: {_taken(best)}"


def _taken(taken: dict[str, Any]) -> str:
    speed = f"{taken['tokens_per_second']:,.0f} tokens/s, {taken['flops_per_second']:.1e} operations/s"
    told = f"{taken['rows']:,} rows at once, {speed}: {duration(taken['seconds'])}"
    told += f", peak memory {bytes_of(taken['peak_memory'])}" if taken["peak_memory"] else ""
    return told + (f", cost {taken['cost']:,.2f}" if "cost" in taken else "")


def _disk(disk: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        "disk",
        f"{bytes_of(disk['most'])} at most: {bytes_of(disk['checkpoint'])} a checkpoint, {disk['kept']} kept, one being "
        "written, and the finished networks",
    )


def _elsewhere(machines: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    has_cost = any("cost" in one for one in machines)
    rows: list[tuple[str, ...]] = [("GPU", "", "rows at once", "memory each", "time", *(("cost",) if has_cost else ()))]
    for one in machines:
        parts = f" in {one['parts']} parts" if one["parts"] > 1 else ""
        fits = one["rows"] > 0
        row = (
            one["gpu"], f"x {one['count']:,}", f"{one['rows']:,}{parts}" if fits else "none fits", bytes_of(one["memory"]),
            " to ".join(duration(seconds) for seconds in one["seconds"]) if fits else "",
        )  # fmt: skip
        cost = " to ".join(f"{money:,.2f}" for money in one["cost"]) if "cost" in one and fits else ""
        rows.append((*row, *((cost,) if has_cost else ())))
    return rows


def _table(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        yield "   ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def large(count: float) -> str:
    """A count in words: 3.3 billion."""
    for name, unit in (("trillion", 1e12), ("billion", 1e9), ("million", 1e6)):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:,.0f}"


def duration(seconds: float) -> str:
    """Seconds in the unit a person would choose."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} hours" if seconds < 2 * DAY else f"{seconds / DAY:,.1f} days"


def bytes_of(count: float) -> str:
    """Bytes as MB or GB, powers of ten."""
    return f"{count / GIGABYTE:.1f} GB" if count >= GIGABYTE else f"{count / 10**6:,.0f} MB"
