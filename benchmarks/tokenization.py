"""Lines of text to ids beside `tokenizers` and transformers: megabytes a second, in the first pass of a process and the next.

    python benchmarks/tokenization.py [--quick] [--megabytes 3] [--corpus FILES]
    python benchmarks/tokenization.py --table

All have the same vocabulary, of 30,522 pieces at most, learned from the text, and no special tokens are added. Each round is
a new process for each, in turns: the tokenizer is loaded, then the clock runs over the first pass, and over another one over
the same text. What `tokenizers` answers stays in its own objects; taking the ids out is not on its clock. Then all answers are
compared, line by line.
"""

import json
import tempfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from document import table, write_section
from machine import described, facts
from texts import files_of, lines_of, vocabulary
from turns import Answer, Rounds, arguments, parsed, take_turns, theirs_to_ours, told, write_results

VOCABULARY = 30_522
ROUNDS = 3
PASSES = ("first", "warm")
REFERENCE = "transformers slow"
Encode = Callable[[Sequence[str]], Any]
TakeIds = Callable[[Any], Any]  # what was answered -> the ids of each line


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--megabytes", type=float, default=3.0, help="of text (3)")
    options = parsed(parser, "tokenization")
    if options.table:
        write_section("tokenization", section(json.loads(options.out.read_text())))
        return
    files = files_of(options.corpus)
    lines = lines_of(files, int(1e6 * (0.3 if options.quick else options.megabytes)))
    megabytes = sum(len(line.encode()) for line in lines) / 1e6
    measured: dict[str, Rounds] = {name: {} for name in PASSES}
    with tempfile.TemporaryDirectory() as place:
        text = Path(place) / "lines.json"
        text.write_text(json.dumps(lines))
        given = {"folder": place, "vocabulary": str(vocabulary(files, VOCABULARY))}
        our_fast(given["vocabulary"])[0](["text"])  # compiles what is compiled once a machine
        for number in range(1 if options.quick else ROUNDS):
            names = list(TOKENIZERS)[number:] + list(TOKENIZERS)[:number]
            found, missing = take_turns(
                "tokenization", names, given, dict.fromkeys(PASSES, 1), threads=options.threads, warm=0
            )
            for name in PASSES:
                for contender in TOKENIZERS:
                    measured[name].setdefault(contender, []).extend(found[name].get(contender, []))
        differing = {name: lines_that_differ(Path(place), name) for name in TOKENIZERS if name not in missing}
    result = facts(options.threads) | {
        "files": [path.name for path in files], "megabytes": megabytes, "lines": len(lines), "lines_that_differ": differing,
        "measured": {name: {"rounds": held, "theirs_to_ours": {key: theirs_to_ours(held, key) for key in
                                                              ("seconds", "cpu_seconds")}}
                     for name, held in measured.items()},
    }  # fmt: skip
    write_results(options.out, result)
    print("lines whose ids differ from those of", REFERENCE, differing)


def lines_that_differ(folder: Path, name: str) -> int:
    """How many lines have other ids than the reference gives them."""
    (own, own_lengths), (ids, lengths) = (
        [held[key] for key in held.files] for held in (np.load(folder / f"{one}.npz") for one in (name, REFERENCE))
    )
    own_lines, lines = (np.split(a, np.cumsum(n)[:-1]) for a, n in ((own, own_lengths), (ids, lengths)))
    return sum(not np.array_equal(one, other) for one, other in zip(own_lines, lines, strict=True))


# -- the contenders -----------------------------------------------------------------------------------------------------


def contend(name: str, given: dict[str, Any], workload: str) -> Callable[[], Answer]:
    """A pass over all lines; what the first one answered is written before the second begins."""
    folder = Path(given["folder"])
    encode, take_ids = opened(name, given["vocabulary"])
    lines = json.loads((folder / "lines.json").read_text())
    if workload == "warm":
        rows = [np.asarray(row, np.int32) for row in take_ids(KEPT.pop())]
        np.savez(folder / f"{name}.npz", np.concatenate(rows), np.array([len(row) for row in rows]))
        del rows

    def work() -> Answer:
        KEPT.append(encode(lines))
        return {}

    return work


KEPT: list[Any] = []  # the answer of the first pass


@cache
def opened(name: str, folder: str) -> tuple[Encode, TakeIds]:
    """A tokenizer's way to encode lines, ready; the same in both passes of a process."""
    return TOKENIZERS[name](folder)


def our_fast(folder: str) -> tuple[Encode, TakeIds]:
    from electra import ElectraTokenizerFast

    tokenizer = ElectraTokenizerFast.from_pretrained(folder)
    return tokenizer.encode_lines, lambda answer: np.split(answer[0], np.cumsum(answer[1])[:-1])


def our_slow(folder: str) -> tuple[Encode, TakeIds]:
    from electra import ElectraTokenizer

    tokenizer = ElectraTokenizer.from_pretrained(folder)
    return lambda lines: tokenizer(lines, add_special_tokens=False)["input_ids"], lambda answer: answer


def of_tokenizers(method: str) -> Callable[[str], tuple[Encode, TakeIds]]:
    def start(folder: str) -> tuple[Encode, TakeIds]:
        from tokenizers import Tokenizer

        encode = getattr(Tokenizer.from_file(f"{folder}/tokenizer.json"), method)
        return lambda lines: encode(lines, add_special_tokens=False), lambda answer: [one.ids for one in answer]

    return start


def of_transformers(class_name: str) -> Callable[[str], tuple[Encode, TakeIds]]:
    def start(folder: str) -> tuple[Encode, TakeIds]:
        import transformers

        tokenizer = getattr(transformers, class_name).from_pretrained(folder)
        return lambda lines: tokenizer(lines, add_special_tokens=False)["input_ids"], lambda answer: answer

    return start


TOKENIZERS: dict[str, Callable[[str], tuple[Encode, TakeIds]]] = {
    "electra encode_lines": our_fast,
    "electra slow": our_slow,
    "tokenizers encode_batch": of_tokenizers("encode_batch"),
    "tokenizers encode_batch_fast": of_tokenizers("encode_batch_fast"),
    "transformers fast": of_transformers("ElectraTokenizerFast"),
    "transformers slow": of_transformers("ElectraTokenizer"),
}


# -- the section of docs/results.md -------------------------------------------------------------------------------------


def section(result: dict[str, Any]) -> list[str]:
    """Lines of Markdown."""
    megabytes = result["megabytes"]
    rows = []
    for name in TOKENIZERS:
        cells = []
        for kind in PASSES:
            held = result["measured"][kind]
            rounds, ratios = held["rounds"][name], held["theirs_to_ours"]["cpu_seconds"]["electra encode_lines"]
            speeds = {key: told([megabytes / one[key] for one in rounds], ".1f") for key in ("cpu_seconds", "seconds")}
            cells += [
                speeds["cpu_seconds"],
                f"{ratios[name]['median']:.1f}" if name in ratios else "",
                speeds["seconds"],
            ]
        rows.append([name, *cells, f"{result['lines_that_differ'][name]:,}"])
    head = [
        f"{kind}: {what}" for kind in PASSES for what in ("MB per s of the processor", "times", "MB/s by the clock")
    ]
    return [
        "## Tokenization",
        "",
        f"`python benchmarks/tokenization.py`: {megabytes:.1f} MB in {result['lines']:,} lines ({', '.join(result['files'])}),",
        "no special tokens. Each round is a new process for each, in turns, with the tokenizer loaded before the clock runs; the",
        "warm pass is over the same text again. Median (lowest to highest). Times are theirs to ours, of the processor, in the",
        "same round. What `tokenizers` answers stays in its own objects; ours are arrays, transformers' lists. Lines differ",
        "where their ids are not those of transformers' slow tokenizer.",
        described(result),
        "",
        *table(["", *head, "lines that differ"], rows),
        "",
        "File: [tokenization.json](../benchmarks/results/tokenization.json).",
    ]


if __name__ == "__main__":
    main()
