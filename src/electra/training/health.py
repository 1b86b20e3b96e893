"""What the records of a run say of its health: what is wrong, since when, and what to do about it.

    {"kind": "health", "step", "finding", "state", "text", "advice"}   a line of metrics.jsonl; state: begins, over or happened

Unusual here: nothing is judged by one record. A finding begins where the last few agree, is over where PATIENCE looks in a row
do not, and is told once in between; a continued run recalls it from its own lines. The rules are in electra.training.findings.
"""

from collections.abc import Iterable
from typing import Any

from electra.training.findings import RULES, History
from electra.training.run import RunFolder, read_metrics
from electra.training.settings import PretrainSettings

FEWEST_STEPS = 200  # before which no evaluation is judged
RETURNED = "If it happens again soon, the learning rate is too high."
PATIENCE = 5  # looks without a finding until it is over
Record = dict[str, Any]


class Health:
    """Looks at each record of a run as it is written."""

    def __init__(self, history: History) -> None:
        self.history = history
        self.standing: dict[str, int] = {}  # finding -> looks in a row that did not find it

    def look(self, record: Record) -> list[Record]:
        """The findings that begin or are over with this record of training or of an evaluation."""
        self.history.add(record)
        told = []
        for name, rule in RULES.items():
            if rule.kind != record["kind"]:
                continue
            text = rule.find(self.history)
            if text is not None:
                if name not in self.standing:
                    told.append(_line(record["step"], name, "begins", text, rule.advice))
                self.standing[name] = 0
            elif name in self.standing:
                self.standing[name] += 1
                if self.standing[name] == PATIENCE:
                    del self.standing[name]
                    told.append(_line(record["step"], name, "over", f"no longer so: {rule.title}", ""))
        return told

    def recall(self, run: RunFolder, returns: list[str], step: int) -> None:
        """Begin again from the records up to `step`, and write down the returns that have no line there."""
        self.history.clear()
        self.standing.clear()
        records = list(read_metrics(run.metrics_file)) if run.metrics_file.exists() else []
        for record in records:
            if record["kind"] != "health":
                self.look(record)
        known = sum(record.get("finding") == "return" for record in records)
        for text in returns[known:]:
            run.append(_line(step, "return", "happened", text, RETURNED))


def health_of(settings: PretrainSettings, corpus_tokens: int) -> Health:
    """A run that has no records yet; it is judged once it has warmed up for twice the steps it was given for that."""
    warm = max(2 * settings.warmup_steps, FEWEST_STEPS)
    return Health(History(warm=warm, learning_rate=settings.learning_rate, corpus_tokens=corpus_tokens))


def _line(step: int, finding: str, state: str, text: str, advice: str) -> Record:
    return {"kind": "health", "step": step, "finding": finding, "state": state, "text": text, "advice": advice}


def health_lines(records: Iterable[Record]) -> list[Record]:
    """The lines of kind health among the records, as they were told."""
    return [record for record in records if record["kind"] == "health"]
