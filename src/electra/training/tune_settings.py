"""The settings of fine-tuning: the paper's recipe (Clark et al., 2020, appendix B), each value checked where it is written."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any, Literal

from electra.errors import ConfigError, did_you_mean


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """One fine-tuning. Defaults are the paper's for its small model. Raises ConfigError that lists every bad value."""

    epochs: float = 3.0  # passes over the training examples; the paper: 10 for RTE and STS-B, 2 for SQuAD
    batch_size: int = 32  # rows an update
    max_length: int = 128  # tokens a row
    learning_rate: float = 3e-4  # the paper: 3e-4 small, 1e-4 base, 5e-5 large, as electra finetune takes by size
    warmup: float = 0.1  # share of the updates
    layer_decay: float = 0.8  # learning rate of a layer beside the layer above it; the paper: 0.8, large 0.9
    layer_decay_as_shipped: bool = False  # one power too strong below the head, as the original code has it
    weight_decay: float = 0.0  # of everything but LayerNorm and biases
    adam_epsilon: float = 1e-6  # added to the root of the second moment
    clip_norm: float = 1.0  # of the gradient
    loss: Literal["mean", "sum"] = "mean"  # over the rows of a batch; the original code: sum
    class_weights: Literal["none", "balanced"] = "none"  # balanced: errors on rare labels weigh more
    dropout: float | None = None  # hidden_dropout_prob and attention_probs_dropout_prob; None: the model's own
    head: Literal["page", "original"] = "page"  # Hugging Face's heads, or those of the original code

    seeds: int = 3  # runs, of seeds seed, seed + 1, ...
    seed: int = 0  # of the new head, order of the examples and dropout
    patience: int = 0  # evaluations without a better score until it stops, keeping the best; 0: keep the last
    evaluations: int = 3  # on the dev examples, evenly over a run; the last is after the last update

    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor multiplies it fast
    device: str = "auto"  # cpu, cuda, cuda:1; auto: a GPU where there is one
    threads: int = 0  # of the processor; 0: all cores; 1 is faster where other programs use the cores

    def __post_init__(self) -> None:
        problems = [
            f"{key} is {getattr(self, key)!r}, expected {expected}"
            for keys, is_good, expected in RANGES
            for key in keys.split()
            if not is_good(getattr(self, key))
        ]
        problems += [
            f"{key} is {getattr(self, key)!r}{did_you_mean(str(getattr(self, key)), known)}, expected one of {', '.join(known)}"
            for key, known in CHOICES.items()
            if getattr(self, key) not in known
        ]
        if problems:
            lines = "\n".join(f"  - {text}" for text in problems)
            raise ConfigError(f"fine-tuning settings have {len(problems)} problem{'s' * (len(problems) > 1)}:\n{lines}")

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as settings.json holds them."""
        return asdict(self)


# settings, what is good, what the error says is expected
RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("batch_size seeds evaluations", lambda value: value >= 1, "at least 1"),
    ("max_length", lambda value: value >= 8, "at least 8 tokens"),
    ("epochs adam_epsilon clip_norm", lambda value: value > 0, "a positive number"),
    ("learning_rate weight_decay seed patience threads", lambda value: value >= 0, "0 or more"),
    ("warmup", lambda value: 0 <= value < 1, "a share from 0 to below 1"),
    ("layer_decay", lambda value: 0 < value <= 1, "a number above 0, at most 1"),
    ("dropout", lambda value: value is None or 0 <= value < 1, "a share from 0 to below 1"),
)
CHOICES: dict[str, Iterable[str]] = {
    "loss": ("mean", "sum"),
    "class_weights": ("none", "balanced"),
    "head": ("page", "original"),
    "precision": ("auto", "float32", "bfloat16"),
}
