"""The rules by which a run is judged: each looks at the records so far and answers in words, or with None.

Limits were found with runs of the preset tiny, good ones and ones that were made to fail (docs/how-to/health.md).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import fmean, median
from typing import Any

from electra.training.divergence import LIMITS

Record = dict[str, Any]

LINES = 10  # lines of training that are taken together
COLLAPSED, KEPT, LEARNED = 0.01, 0.995, 0.05  # replaced found, originals kept; replaced found before
LEAST_GAIN = 0.01  # of the class prior's loss
STRONG, WEAK, OBVIOUS = 0.65, 0.2, 0.985  # share of the generator's samples that are the original; ROC-AUC
WORSE = 0.05  # above the best held-out loss
FLAT_GAIN, FLAT_LOSS, FLAT_SHARE, FEWEST = (
    0.01,
    0.001,
    0.3,
    8,
)  # improvements; of the evaluations, and how many there must be
HIGH_RATE = 0.3  # of the learning rate: below, a curve that flattens is the schedule's doing
SLOW, FEWEST_SPEEDS = 0.5, 40  # of the run's median speed; lines


@dataclass
class History:
    """The records of a run that rules look at.

    warm            steps before which a run is not judged
    learning_rate   the setting
    corpus_tokens   tokens in one epoch
    """

    warm: int
    learning_rate: float
    corpus_tokens: int
    train: list[Record] = field(default_factory=list)  # the last LINES
    evaluations: list[Record] = field(default_factory=list)
    speeds: list[float] = field(default_factory=list)
    best_found: float = 0.0  # mean of LINES lines
    best_loss: dict[str, float] = field(default_factory=dict)  # mean of LINES lines

    def add(self, record: Record) -> None:
        """Take one more record in."""
        if record["kind"] == "evaluation":
            self.evaluations.append(record)
        elif record["kind"] == "train":
            self.train = [*self.train[1 - LINES :], record]
            self.speeds.append(record["tokens_per_second"])
            if len(self.train) == LINES and "accuracy_on_replaced" in record:
                self.best_found = max(self.best_found, self.mean("accuracy_on_replaced"))
            if len(self.train) == LINES:
                for name in LIMITS.keys() & record.keys():
                    self.best_loss[name] = min(self.best_loss.get(name, self.mean(name)), self.mean(name))

    def clear(self) -> None:
        """Forget all records."""
        for held in (self.train, self.evaluations, self.speeds, self.best_loss):
            held.clear()
        self.best_found = 0.0

    def mean(self, name: str) -> float:
        """Of the last lines of training."""
        return fmean(record[name] for record in self.train)

    def judged(self, count: int) -> list[Record]:
        """The last `count` evaluations, or nothing where one of them was too early to be judged."""
        last = self.evaluations[-count:]
        return last if len(last) == count and last[0]["step"] >= self.warm else []

    @property
    def epochs(self) -> float:
        """How often the corpus was seen."""
        return float(self.evaluations[-1]["tokens"] / max(1, self.corpus_tokens))


def _divergence(h: History) -> str | None:
    if len(h.train) < LINES:
        return None
    for name, (limit, _) in LIMITS.items():
        if name in h.best_loss and h.mean(name) > h.best_loss[name] * (1 + limit):
            return f"the {_words(name)} grows: {h.mean(name):.3f} nats over the last lines, {h.best_loss[name]:.3f} at its best."
    return None


def _collapse(h: History) -> str | None:
    if len(h.train) < LINES or "discriminator_loss" not in h.train[-1] or h.best_found < LEARNED:
        return None
    found, kept = h.mean("accuracy_on_replaced"), h.mean("accuracy_on_original")
    if found >= COLLAPSED or kept <= KEPT:
        return None
    return f"the discriminator calls every token original: it finds {found:.1%} of the replaced and found {h.best_found:.1%}."


def _no_gain(h: History) -> str | None:
    last = [record for record in h.judged(2) if "prior_loss" in record]
    if not last or any(record["gain_over_prior"] > LEAST_GAIN * record["prior_loss"] for record in last):
        return None
    if len(h.train) < LINES or h.mean("discriminator_loss") < (1 - 2 * LEAST_GAIN) * last[-1]["prior_loss"]:
        return None  # it learns, but the training text alone: over-fitting
    return (
        f"the discriminator knows no more than how many tokens are replaced: held-out loss {last[-1]['discriminator_loss']:.4f}, "
        f"class prior {last[-1]['prior_loss']:.4f}."
    )


def _generator_strong(h: History) -> str | None:
    last = [record for record in h.judged(2) if "sampled_accuracy" in record]
    if not last or any(record["sampled_accuracy"] < STRONG for record in last):
        return None
    right, share = last[-1]["sampled_accuracy"], last[-1]["replaced_share"]
    return (
        f"{right:.0%} of the generator's tokens are the original, so that only {share:.1%} of all tokens are replaced."
    )


def _generator_weak(h: History) -> str | None:
    last = [record for record in h.judged(2) if record.get("roc_auc") is not None]
    if not last or any(record["sampled_accuracy"] > WEAK or record["roc_auc"] < OBVIOUS for record in last):
        return None
    right, auc = last[-1]["sampled_accuracy"], last[-1]["roc_auc"]
    return (
        f"{right:.1%} of the generator's tokens are the original, and the others are found at once (ROC-AUC {auc:.3f})."
    )


def _overfitting(h: History) -> str | None:
    for name in ("discriminator_loss", "mlm_loss"):
        values = [record[name] for record in h.evaluations if name in record]
        if len(values) < 3 or len(h.train) < LINES:
            continue
        best, training = min(values), h.mean(name)
        if min(values[-2:]) > best * (1 + WORSE) and training < values[-1] * (1 - WORSE):
            return (
                f"the held-out {_words(name)} is {values[-1]:.4f} nats and was {best:.4f}, in training it is {training:.4f}; "
                f"the corpus was seen {h.epochs:.1f} times."
            )
    return None


def _plateau(h: History) -> str | None:
    count = int(FLAT_SHARE * len(h.evaluations))
    if len(h.evaluations) < FEWEST or not h.judged(count) or not h.train:
        return None
    if h.train[-1]["learning_rate"] < HIGH_RATE * h.learning_rate:
        return None
    for name, sign, least in (("gain_over_prior", 1, FLAT_GAIN), ("mlm_loss", -1, FLAT_LOSS)):
        values = [sign * record[name] for record in h.evaluations if name in record]
        if values and max(values[-count:]) > max(values[:-count]) + least * abs(max(values[:-count])):
            return None
    return f"neither network has become better on held-out text in the last {count} evaluations."


def _slower(h: History) -> str | None:
    if len(h.speeds) < FEWEST_SPEEDS:
        return None
    now, before = median(h.speeds[-LINES:]), median(h.speeds)
    return f"{now:,.0f} tokens/s, in the median of the run {before:,.0f}." if now < SLOW * before else None


def _words(name: str) -> str:
    return "generator's loss" if name == "mlm_loss" else name.replace("_", " ")


@dataclass(frozen=True)
class Rule:
    """When to look (after which kind of record), what for, and what to do about it."""

    kind: str
    title: str
    find: Callable[[History], str | None]
    advice: str


RULES = {
    "divergence": Rule(
        "train", "a loss that grows", _divergence,
        "Lower learning_rate or lengthen warmup_steps; --on-divergence return goes back to the last good checkpoint by itself.",
    ),
    "collapse": Rule(
        "train", "a discriminator that calls every token original", _collapse,
        "Continue from an earlier checkpoint with a lower learning_rate; look at the gradient norm before it began.",
    ),
    "slower": Rule(
        "train", "half the speed", _slower,
        "Look for other programs on this machine, a processor that became hot, or a slow disk under the corpus.",
    ),
    "no_gain": Rule(
        "evaluation", "a discriminator that knows only the class prior", _no_gain,
        "Lower learning_rate, lengthen warmup_steps; check that discriminator_weight is 50 and that the text is not shuffled.",
    ),
    "generator_strong": Rule(
        "evaluation", "a generator that leaves little to find", _generator_strong,
        "Lower generator_width, or raise mask_probability or temperature.",
    ),
    "generator_weak": Rule(
        "evaluation", "a generator whose tokens are found at once", _generator_weak,
        "Raise generator_width or generator_depth, or train longer; a quarter to half of the discriminator is usual.",
    ),
    "overfitting": Rule(
        "evaluation", "held-out text that becomes worse", _overfitting,
        "Stop at an earlier checkpoint, prepare more text, take a smaller size, or raise the dropout in [model].",
    ),
    "plateau": Rule(
        "evaluation", "no progress on held-out text", _plateau,
        "End the run with fewer steps so that the learning rate decays, or take a larger size, batch or corpus.",
    ),
}  # fmt: skip
