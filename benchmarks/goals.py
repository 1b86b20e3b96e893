"""What was aimed at beside what was reached, from the results of the other benchmarks.

    python benchmarks/goals.py            print it
    python benchmarks/goals.py --table    write the section of docs/results.md

A goal is a number of times: what the peer needs to what the fastest of ours needs, in pairs of rounds.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from document import table, write_section
from turns import RESULTS, fastest


@dataclass(frozen=True)
class Goal:
    """One row.

    place      file of results, then the keys that lead to a part with `theirs_to_ours`, or to a spread; () where the peer
               is not to be had here
    peer       the contender's name, where the place is a part with `theirs_to_ours`
    no_worse   only those of ours count whose answers are as near to float32 as the peer's; int8 counts only here
    most_mb    not a number of times, but the megabytes that the fastest of ours may take
    """

    what: str
    against: str
    goal: float
    place: Sequence[str] = ()
    peer: str = ""
    measure: str = "seconds"
    no_worse: bool = False
    most_mb: bool = False


STEP, TOKENS = "a pretraining step, small, real text", "tokenization, {} pass, processor"
REAL = ("pretraining", "measured", "small", "real text")
GIVEN, SORTED, SINGLE = (("inference", "measured", "small", name) for name in ("given", "sorted", "single"))
FIRST, WARM = (("tokenization", "measured", name) for name in ("first", "warm"))
GOALS = (
    Goal(STEP, "electra-pytorch (lucidrains)", 10, REAL, "electra-pytorch float32"),
    Goal(STEP, "transformers, float32", 8, REAL, "transformers float32"),
    Goal(STEP, "transformers, bfloat16", 4, REAL, "transformers bfloat16"),
    Goal(STEP, "richarddwang's class", 6),
    Goal(STEP, "the original in TensorFlow 1", 6),
    Goal(STEP, "its peak memory, MB", 1200, REAL, most_mb=True),
    Goal("inference, small, mixed lengths", "transformers, float32", 12, GIVEN, "transformers float32"),
    Goal("inference, small, mixed lengths", "OpenVINO", 2, GIVEN, "openvino"),
    Goal("inference, small, sorted", "OpenVINO", 1.2, SORTED, "openvino"),
    Goal("inference, small, one by one", "onnxruntime int8, with no more than its error", 1, SINGLE, "onnxruntime int8",
         no_worse=True),
    Goal(TOKENS.format("first"), "tokenizers.encode_batch", 15, FIRST, "tokenizers encode_batch", "cpu_seconds"),
    Goal(TOKENS.format("first"), "tokenizers.encode_batch_fast", 15, FIRST, "tokenizers encode_batch_fast", "cpu_seconds"),
    Goal(TOKENS.format("warm"), "tokenizers.encode_batch", 15, WARM, "tokenizers encode_batch", "cpu_seconds"),
    Goal(TOKENS.format("warm"), "tokenizers.encode_batch_fast", 15, WARM, "tokenizers encode_batch_fast", "cpu_seconds"),
    Goal("corpus to ids, 57 MB, a whole command, processor", "`datasets.map`, as richarddwang's", 15,
         ("prepare", "times_fewer_cpu_seconds")),
    Goal("corpus to ids, 8 MB, a whole command, processor", "`datasets.map`, as richarddwang's", 15,
         ("prepare_demo", "times_fewer_cpu_seconds")),
    Goal("corpus to examples", "the original's builder", 40),
    Goal("first prediction from the command line", "transformers 4", 3,
         ("startup", "theirs_to_ours_seconds", "electra predict", "transformers 4: a prediction")),
    Goal("first prediction, exported engine", "transformers 4", 20,
         ("startup", "theirs_to_ours_seconds", "electra predict, exported", "transformers 4: a prediction")),
    Goal("a fine-tuning step, mixed lengths", "a loop that pads as Trainer does", 4, ("tuning_step",),
         "transformers float32"),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="write the section of docs/results.md")
    options = parser.parse_args()
    lines = section()
    print("\n".join(lines))
    if options.table:
        write_section("goals", lines)


def find(goal: Goal) -> tuple[dict[str, float], str] | None:
    """What the results say of a goal: a spread, and which of ours it is of; None where it was not measured."""
    path = RESULTS / f"{goal.place[0]}.json" if goal.place else None
    if path is None or not path.is_file():
        return None
    held: Any = json.loads(path.read_text())
    for key in goal.place[1:]:
        if not isinstance(held, Mapping) or key not in held:
            return None
        held = held[key]
    if goal.most_mb:
        name = fastest(held["rounds"])
        peak = max(one["peak_bytes"] for one in held["rounds"][name]) / 1e6
        return dict.fromkeys(("median", "lowest", "highest"), peak), name
    if not goal.peer:
        return held, ""
    ratios = {own: of[goal.peer] for own, of in held["theirs_to_ours"][goal.measure].items() if goal.peer in of}
    if goal.no_worse:
        ratios = {own: of for own, of in ratios.items() if held["difference"][own] <= held["difference"][goal.peer]}
    else:
        ratios = {own: of for own, of in ratios.items() if not own.endswith("int8")}
    name = max(ratios, key=lambda own: ratios[own]["median"], default="")
    return (ratios[name], name) if name else None


def section() -> list[str]:
    """Lines of Markdown."""
    rows = []
    for goal in GOALS:
        found, form = find(goal), ",.0f" if goal.most_mb else ".1f"
        wanted = f"at most {goal.goal:,.0f}" if goal.most_mb else f"{goal.goal:g} times"
        if found is None:
            rows.append([goal.what, goal.against, wanted, "not measured", "", ""])
            continue
        of, name = found
        is_reached = of["median"] <= goal.goal if goal.most_mb else of["median"] >= goal.goal
        told = f"{of['median']:{form}}"
        if of["lowest"] != of["highest"]:
            told += f" ({of['lowest']:{form}} to {of['highest']:{form}})"
        rows.append([goal.what, goal.against, wanted, told, name, "yes" if is_reached else "no"])
    return [
        "## Goals",
        "",
        "`make bench` measures all of this; the sections below say how, and on which machine. A number of times is what the peer",
        "needs to what the fastest of ours needs in the same round, median (lowest to highest). Peers are at their own defaults.",
        "Ours in int8, which nobody gets without asking, counts only beside int8.",
        "",
        *table(("", "beside", "goal", "measured", "with", "reached"), rows),
    ]


if __name__ == "__main__":
    main()
