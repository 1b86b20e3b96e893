"""What a person sees while a model trains: one live panel on a terminal, plain lines anywhere else."""

import sys
from collections.abc import Mapping
from typing import Any, TextIO

from rich.console import Console
from rich.live import Live
from rich.panel import Panel as Box
from rich.progress_bar import ProgressBar
from rich.table import Table

Shown = Mapping[str, tuple[str, str]]  # metric -> (label, format)

SHOWN = {
    "mlm_loss": ("generator loss", "{:.3f} nats"),
    "cloze_loss": ("towers' loss", "{:.3f} nats"),
    "discriminator_loss": ("discriminator loss", "{:.4f} nats"),
    "prediction_loss": ("prediction loss", "{:.4f} nats"),
    "replaced_share": ("tokens replaced", "{:.1%}"),
    "accuracy_on_replaced": ("replaced found", "{:.1%}"),
    "accuracy_on_original": ("originals kept", "{:.1%}"),
    "gradient_norm": ("gradient norm", "{:.2f}"),
    "learning_rate": ("learning rate", "{:.2e}"),
    "tokens_per_second": ("tokens/s", "{:,.0f}"),
}
EVALUATED = {
    "mlm_loss": ("generator loss", "{:.3f}"),
    "mlm_accuracy": ("generator accuracy", "{:.1%}"),
    "cloze_loss": ("towers' loss", "{:.3f}"),
    "discriminator_loss": ("discriminator loss", "{:.4f}"),
    "prediction_loss": ("prediction loss", "{:.4f}"),
    "prediction_accuracy": ("prediction accuracy", "{:.1%}"),
    "prior_loss": ("class prior's loss", "{:.4f}"),
    "roc_auc": ("ROC-AUC", "{:.3f}"),
    "average_precision": ("average precision", "{:.3f}"),
}


class Panel:
    """Shows records as they come, from the first on. Use as a context; `note` tells the person something once.

    shown, evaluated   what is shown of records of training and of evaluations: metric -> (label, format)
    """

    def __init__(
        self,
        title: str,
        total_steps: int,
        stream: TextIO | None = None,
        *,
        shown: Shown = SHOWN,
        evaluated: Shown = EVALUATED,
        held_out: str = "held-out text",
    ) -> None:
        self.title, self.total = title, total_steps
        self.shown, self.evaluated, self.held_out = shown, evaluated, held_out
        self.console = Console(file=stream or sys.stderr)
        self.live = Live(console=self.console, refresh_per_second=4) if self.console.is_terminal else None
        self.train: dict[str, Any] = {}
        self.evaluation: dict[str, Any] = {}

    def __enter__(self) -> "Panel":
        return self

    def __exit__(self, *_: object) -> None:
        if self.live:
            self.live.stop()

    def note(self, text: str) -> None:
        """One line above the panel."""
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def show(self, record: dict[str, Any]) -> None:
        """A record of metrics.jsonl."""
        held = self.evaluation if record["kind"] == "evaluation" else self.train
        held.clear()
        held.update(record)
        if self.live:
            self.live.start()
            self.live.update(self._draw())
        else:
            self.note(self._line(record))

    def _line(self, record: dict[str, Any]) -> str:
        if record["kind"] == "evaluation":
            told = ", ".join(_pairs(record, self.evaluated))
            return f"step {record['step']:>7,} {self.held_out.partition(' ')[0]}: {told}"
        left = f"{clock(record['seconds_left'])} left"
        return f"step {record['step']:>7,}/{self.total:,}: " + ", ".join([*_pairs(record, self.shown), left])

    def _draw(self) -> Box:
        table = Table.grid(padding=(0, 3))
        train, evaluation = _rows(self.train, self.shown), _rows(self.evaluation, self.evaluated)
        table.add_row("[bold]training", "", f"[bold]{self.held_out}" if evaluation else "", "")
        for i in range(max(len(train), len(evaluation))):
            table.add_row(
                *(train[i] if i < len(train) else ("", "")), *(evaluation[i] if i < len(evaluation) else ("", ""))
            )
        step = self.train.get("step", 0)
        outer = Table.grid()
        outer.add_row(ProgressBar(total=self.total, completed=step, width=60))
        outer.add_row(f"step {step:,} of {self.total:,}, {clock(self.train.get('seconds_left', 0))} left\n")
        outer.add_row(table)
        return Box(outer, title=self.title, expand=False)


def _rows(record: dict[str, Any], shown: Shown) -> list[tuple[str, str]]:
    return [(label, form.format(record[key])) for key, (label, form) in shown.items() if key in record]


def _pairs(record: dict[str, Any], shown: Shown) -> list[str]:
    return [f"{label} {value}" for label, value in _rows(record, shown)]


def clock(seconds: float) -> str:
    """Seconds as 12s, 3m05s or 2h10m."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
