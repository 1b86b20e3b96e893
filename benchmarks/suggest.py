"""Whether a pretrained pair finds a wrong word and knows the right one, on sentences it was not trained on.

    python benchmarks/suggest.py RUN CORPUS [--sentences 200] [--seed 0] [--out benchmarks/results/suggest.json]
    python benchmarks/suggest.py --table

CORPUS is a prepared corpus, of which the held-out part is read, or a text file with a sentence a line. In each sentence one
word is replaced by another of similar frequency. Is it the one with the highest score, or among three? Told the place, does
`suggest` propose the word that stood there?

The same sentences decide how pieces' probabilities become a word's score; texts of 240 pieces, how long windows should be.
"""

import argparse
import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from document import table, write_section

import electra
from electra.data.corpus import Corpus
from electra.inference.detection import Detector, words_of
from electra.inference.inputs import MOST
from electra.inference.machine import processor
from electra.tasks.metrics import roc_auc
from electra.tasks.statistics import wilson
from electra.weights.names import tensors

OUT = Path("benchmarks/results/suggest.json")
SHORTEST, LONGEST = 6, 40  # words of a sentence
LONG = 240  # pieces of a long text
MORE = 5  # times as many sentences, where there are so many, for finding words, which costs less
Array = np.ndarray[Any, Any]

RULES: dict[str, Callable[[Array], float]] = {  # probabilities of a word's pieces -> its score
    "mean": lambda pieces: pieces.mean(),
    "highest": lambda pieces: pieces.max(),
    "first": lambda pieces: pieces[0],
    "any of them": lambda pieces: 1 - np.prod(1 - pieces),
}


@dataclass(frozen=True)
class Spoiled:
    """A text with one wrong word at characters start:end, in place of `right`."""

    text: str
    start: int
    end: int
    right: str


def read_lines(source: Path) -> list[str]:
    """The lines of a text file, or of a corpus' held-out part as its tokenizer writes them."""
    if source.is_file():
        return [line.strip() for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    from electra.tokenization import load_tokenizer

    corpus = Corpus.open(source, "validation")
    tokenizer, bounds = load_tokenizer(corpus.tokenizer_folder), corpus.line_offsets
    lines = [corpus.ids[begin:end].tolist() for begin, end in pairwise(bounds)]
    return [str(tokenizer.decode(ids)) for ids in lines]


def is_plain(word: str) -> bool:
    return word.isalpha()


def spoil(text: str, words: list[tuple[int, int]], ranked: list[str], rng: np.random.Generator) -> Spoiled | None:
    """The text with one of its words replaced by another, at most a quarter of its rank away."""
    place = {word: number for number, word in enumerate(ranked)}
    known = [(start, end) for start, end in words if text[start:end].lower() in place]
    if not known:
        return None
    start, end = known[rng.integers(len(known))]
    right = text[start:end]
    rank = place[right.lower()]
    near = [ranked[i] for i in range(max(0, rank - max(10, rank // 4)), min(len(ranked), rank + max(10, rank // 4)))]
    wrong = str(rng.choice([word for word in near if word != right.lower()]))
    wrong = wrong.capitalize() if right[:1].isupper() else wrong
    return Spoiled(text[:start] + wrong + text[end:], start, start + len(wrong), right)


def ranks(scores: Array, place: int) -> int:
    """How many words have a higher score than the one at `place`."""
    return int((scores > scores[place]).sum())


def share(hits: list[bool]) -> dict[str, Any]:
    """With Wilson's interval of 95%."""
    interval = wilson(sum(hits), len(hits))
    return {"share": sum(hits) / len(hits), "low": interval.low, "high": interval.high, "of": len(hits)}


def found_words(detector: Detector, spoiled: list[Spoiled]) -> dict[str, Any]:
    """Of each rule: how often the wrong word is first and among three, and the ROC-AUC over all words; chance beside it."""
    answers: dict[str, list[int]] = {rule: [] for rule in RULES}
    scores: dict[str, list[float]] = {rule: [] for rule in RULES}
    is_wrong: list[bool] = []
    counts = []
    pieces = [detector.network.pieces(one.text) for one in spoiled]
    for one, own, logits in zip(spoiled, pieces, detector.logits(pieces), strict=True):
        words = words_of(own)
        place = next(i for i, word in enumerate(words) if word[2] == one.start)
        counts.append(len(words))
        is_wrong += [i == place for i in range(len(words))]
        for rule, combine in RULES.items():
            values = np.array([combine(1 / (1 + np.exp(-logits[first:stop]))) for first, stop, _, _ in words])
            answers[rule].append(ranks(values, place))
            scores[rule] += values.tolist()
    by_rule = {
        rule: {
            "first": share([rank == 0 for rank in answers[rule]]),
            "among_three": share([rank < 3 for rank in answers[rule]]),
            "roc_auc": roc_auc(np.array(scores[rule]), np.array(is_wrong)),
        }
        for rule in RULES
    }
    chance = {"first": float(np.mean([1 / n for n in counts])), "among_three": float(np.mean([3 / n for n in counts]))}
    return {"rules": by_rule, "chance": chance, "words": float(np.mean(counts))}


def suggested(detector: Detector, spoiled: list[Spoiled]) -> dict[str, Any]:
    """How often the right word is the first proposal, among ten, and proposed at all; and by one network's ranking alone."""
    orders: dict[str, Callable[[dict[str, Any]], float]] = {
        "both": lambda word: 0.0,  # as they come
        "generator": lambda word: -word["generator"],
        "discriminator": lambda word: word["score"],
    }
    places: dict[str, list[int | None]] = {name: [] for name in orders}
    for one in spoiled:
        words = detector.suggest(one.text, one.start, one.end, MOST)
        for name, order in orders.items():
            texts = [word["text"].lower() for word in sorted(words, key=order)]
            places[name].append(texts.index(one.right.lower()) if one.right.lower() in texts else None)
    return {
        name: {
            "first": share([place == 0 for place in found]),
            "among_ten": share([place is not None and place < 10 for place in found]),
            "proposed": share([place is not None for place in found]),
        }
        for name, found in places.items()
    }


def windows(detector: Detector, lines: list[str], ranked: list[str], count: int, seed: int) -> dict[str, Any]:
    """Long texts in windows as long as pretraining's rows, and in windows as long as the model has positions."""
    rng, own, room = np.random.default_rng(seed), detector.max_length, detector.network.reader.config
    texts, held = [], ""
    for line in lines:
        held = f"{held} {line}".strip()
        if len(held.split()) > LONG * 3 // 4:
            texts.append(held)
            held = ""
    spoiled = spoil_all(detector, [texts[i] for i in rng.permutation(len(texts))], ranked, count, rng, longest=LONG)
    report = {}
    for length in sorted({own, int(room.max_position_embeddings)}):
        detector.max_length = detector.network.max_length = length
        found = found_words(detector, spoiled)
        report[str(length)] = found["rules"]["mean"] | {"chance": found["chance"]["first"]}
    detector.max_length = detector.network.max_length = own
    return report


def spoil_all(
    detector: Detector, lines: list[str], ranked: list[str], count: int, rng: np.random.Generator, longest: int
) -> list[Spoiled]:
    """Up to `count` spoiled texts, of lines in their order that have the right length."""
    made: list[Spoiled] = []
    for line in lines:
        words = [(start, end) for _, _, start, end in words_of(detector.network.pieces(line))]
        if SHORTEST <= len(words) <= longest and (one := spoil(line, words, ranked, rng)):
            made.append(one)
        if len(made) == count:
            break
    return made


def ranked_words(lines: list[str]) -> list[str]:
    """The words of these lines, the most frequent first."""
    counted = Counter(word.lower() for line in lines for word in line.split() if is_plain(word))
    return [word for word, _ in counted.most_common()]


def spoiled_sentences(detector: Detector, lines: list[str], ranked: list[str], count: int, seed: int) -> list[Spoiled]:
    """Up to `count` spoiled sentences out of these lines, drawn by the seed."""
    rng = np.random.default_rng(seed)
    shuffled = [lines[i] for i in rng.permutation(len(lines))]
    return spoil_all(detector, shuffled, ranked, count, rng, longest=LONGEST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="?", type=Path)
    parser.add_argument("corpus", nargs="?", type=Path)
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=OUT)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    if options.table:
        write_section("suggest", section(json.loads(options.out.read_text())))
        return
    if options.run is None or options.corpus is None:
        parser.error("RUN and CORPUS are needed")
    detector: Any = electra.load(options.run)
    lines = read_lines(options.corpus)
    ranked = ranked_words(lines)
    spoiled = spoiled_sentences(detector, lines, ranked, MORE * options.sentences, options.seed)
    report = {
        "machine": processor(),
        "command": f"python benchmarks/suggest.py RUN CORPUS --sentences {options.sentences} --seed {options.seed}",
        "parameters": parameters_of(detector.network.reader.config),
        "max_length": detector.max_length,
        "examples": [f"{one.text} ({one.right})" for one in spoiled[:3]],
        "found": found_words(detector, spoiled),
        "suggested": suggested(detector, spoiled[: options.sentences]),
        "windows": windows(detector, lines, ranked, options.sentences, options.seed),
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print("\n".join(section(report)))


def section(report: dict[str, Any]) -> list[str]:
    """Of docs/results.md."""

    def told(value: dict[str, Any]) -> str:
        return f"{value['share']:.1%} ({value['low']:.1%} to {value['high']:.1%})"

    found, chance = report["found"], report["found"]["chance"]
    return [
        "## Finding a wrong word, and the right one",
        "",
        f"`{report['command']}`: {found['rules']['mean']['first']['of']:,} held-out sentences of {SHORTEST} to {LONGEST} words "
        f"({found['words']:.0f} on average), in each one word replaced by another of similar frequency, whatever its meaning: "
        "many of them fit, and nobody could find them. The discriminator has "
        f"{report['parameters'] / 1e6:.1f} million parameters. Wilson's intervals of 95%.",
        "",
        "How a word's score is made of its pieces' probabilities:",
        "",
        *table(
            ["a word's score", "the replaced word has the highest", "is among three", "ROC-AUC of all words"],
            [
                *([rule, told(row["first"]), told(row["among_three"]), f"{row['roc_auc']:.3f}"]
                  for rule, row in found["rules"].items()),
                ["by chance", f"{chance['first']:.1%}", f"{chance['among_three']:.1%}", "0.500"],
            ],
        ),
        "",
        f"`electra.load(run).predict` takes the mean. Told the place, `suggest` ranks the generator's words by both networks, of "
        f"{report['suggested']['both']['first']['of']:,} of these sentences:",
        "",
        *table(
            ["ranked by", "the right word is first", "is among ten", "is proposed at all"],
            [[name, *map(told, row.values())] for name, row in report["suggested"].items()],
        ),
        "",
        f"Texts of up to {LONG} words, in windows as long as the rows of pretraining and as the model has positions:",
        "",
        *table(
            ["tokens of a window", "the replaced word has the highest score", "is among three", "ROC-AUC of all words"],
            [[length, told(row["first"]), told(row["among_three"]), f"{row['roc_auc']:.3f}"]
             for length, row in report["windows"].items()],
        ),
        "",
    ]  # fmt: skip


def parameters_of(config: Any) -> int:
    """Of a discriminator with its head."""
    return sum(math.prod(shape) for shape in (tensors(config) | tensors(config, "pretraining")).values())


if __name__ == "__main__":
    main()
