"""The settings of a pretraining run: what is trained on what, how long, how fast; checked where they are written.

A preset is a row of PRESETS, a recipe a TOML file with the same keys. Numbers of the presets: paper, table 6, and
google-research/electra; `tiny` is ours, found by experiment (docs/results.md).
"""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal

from electra.config import SIZES, ElectraConfig
from electra.errors import ConfigError, did_you_mean
from electra.objective import AS_SHIPPED, ObjectiveSettings
from electra.training.networks import GENERATORS, MAIN, SHARINGS, configs_of, problems_of

Objective = Literal["electra", "electra_masked_only", "replace_mlm", "all_tokens_mlm", "electric", "mlm"]


@dataclass(frozen=True, kw_only=True)
class PretrainSettings(ObjectiveSettings):
    """One pretraining run. Defaults are the paper's ELECTRA-small. Raises ConfigError that lists every bad value."""

    objective: Objective = "electra"  # replaced token detection; mlm: BERT's; the others: docs/how-to/objectives.md
    size: str = "small"  # tiny, small, small++, base or large
    model: dict[str, Any] = field(default_factory=dict)  # ElectraConfig fields that differ from the size's
    generator_width: float | None = None  # share of the discriminator's hidden size; None: the size's own
    generator_depth: float = 1.0  # share of the discriminator's layers
    generator_folder: str | None = None  # of a fixed generator: a folder that ElectraForMaskedLM loads
    embedding_sharing: Literal["all", "tokens", "none", "gdes"] = "all"  # docs/how-to/objectives.md
    start: Literal["original", "local"] = "original"  # first weights: the original's, or electra.local_start's

    examples: Literal["segments", "packed"] = "segments"  # the original's A/B segments, or full rows of whole documents
    max_length: int = 128  # tokens a row
    batch_size: int = 128  # rows an update
    accumulate: int = 1  # parts an update is computed in, to save memory

    steps: int = 1_000_000  # updates
    minutes: float | None = None  # instead of steps: as many as this machine makes in that time, measured first
    learning_rate: float = 5e-4  # the warm-up leads to it
    warmup_steps: int = 10_000  # updates
    lr_decay_power: float = 1.0  # 1: a straight line from the first step to 0 at the last
    weight_decay: float = 0.01  # of everything but LayerNorm and biases
    adam_epsilon: float = 1e-6  # added to the root of the second moment
    adam_beta2: float = 0.999  # of the second moment
    clip_norm: float = 1.0  # of the gradient of both networks together
    seed: int = 0  # of first weights, order of the rows, masks, samples and dropout
    on_divergence: Literal["stop", "return"] = "stop"  # where a loss is not finite; return: go back, growing losses too
    max_returns: int = 3  # times a run goes back to its last good checkpoint

    precision: Literal["auto", "float32", "bfloat16"] = "auto"  # auto: bfloat16 where the processor multiplies it fast
    device: str = "auto"  # cpu, cuda, cuda:1; auto: a GPU where there is one
    compile: bool = False  # compile the layers; worth it for long runs
    threads: int = 0  # of the processor; 0: all cores
    parallel: Literal["ddp", "fsdp"] = "ddp"  # of several processes: each holds the whole state, or a share of it

    workers: int = 0  # processes that prepare batches ahead; the batches are the same for any number
    log_every: int = 50  # steps between lines of metrics
    eval_every: int = 1000  # steps between evaluations on held-out text
    eval_rows: int = 512  # rows of held-out text an evaluation looks at
    checkpoint_every: int = 1000  # steps between checkpoints
    keep_checkpoints: int = 3  # the newest

    def __post_init__(self) -> None:
        problems = [*self._number_problems(), *self._choice_problems(), *problems_of(self)]
        if problems:
            lines = "\n".join(f"  - {text}" for text in problems)
            raise ConfigError(f"pretraining settings have {len(problems)} problem{'s' * (len(problems) > 1)}:\n{lines}")

    def _number_problems(self) -> list[str]:
        problems = [
            f"{key} is {getattr(self, key)!r}, expected {expected}"
            for keys, is_good, expected in RANGES
            for key in keys.split()
            if not is_good(getattr(self, key))
        ]
        if self.accumulate >= 1 and self.batch_size % self.accumulate:
            problems.append(f"batch_size {self.batch_size} is not a multiple of accumulate {self.accumulate}")
        return problems

    def _choice_problems(self) -> list[str]:
        return [
            f"{key} is {getattr(self, key)!r}{did_you_mean(str(getattr(self, key)), known)}, expected one of {', '.join(known)}"
            for key, known in CHOICES.items()
            if getattr(self, key) not in known
        ]

    def networks(self, vocab_size: int, pad_token_id: int) -> dict[str, ElectraConfig]:
        """The configuration of each network of this run, by name, the main one first (electra.training.networks).

        max_position_embeddings grows to max_length where the size has fewer.
        """
        longest = max(self.max_length, self.model.get("max_position_embeddings", 0))
        fixed = {"vocab_size": vocab_size, "pad_token_id": pad_token_id}
        config = ElectraConfig.of_size(self.size, **(self.model | fixed))
        if config.max_position_embeddings < longest:
            config = ElectraConfig.of_size(self.size, **(self.model | fixed | {"max_position_embeddings": longest}))
        return configs_of(self, config)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as settings.json and recipes hold them."""
        return asdict(self)


# settings, what is good, what the error says is expected
RANGES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    ("batch_size accumulate steps log_every eval_every eval_rows checkpoint_every keep_checkpoints",
     lambda value: value >= 1, "at least 1"),
    ("max_returns", lambda value: value >= 0, "0 or more"),
    ("max_length", lambda value: value >= 8, "at least 8 tokens"),
    ("learning_rate warmup_steps weight_decay generator_weight discriminator_weight prediction_weight workers threads",
     lambda value: value >= 0, "0 or more"),
    ("adam_epsilon clip_norm temperature", lambda value: value > 0, "a positive number"),
    ("mask_probability show_mask_probability", lambda value: 0 < value <= 1, "a number above 0, at most 1"),
    ("minutes generator_width final_temperature", lambda value: value is None or value > 0, "a positive number"),
    ("generator_depth", lambda value: value > 0, "a positive number"),
    ("adam_beta2", lambda value: 0 <= value < 1, "a number from 0 to below 1"),
)  # fmt: skip
CHOICES: dict[str, Iterable[str]] = {
    "size": SIZES,
    "objective": MAIN,
    "generator": GENERATORS,
    "embedding_sharing": SHARINGS,
    "start": ("original", "local"),
    "examples": ("segments", "packed"),
    "precision": ("auto", "float32", "bfloat16"),
    "parallel": ("ddp", "fsdp"),
    "on_divergence": ("stop", "return"),
}

# What may differ when a run is continued: what is written when, what is done with a run that failed, and who computes it. Its
# batches stay the same, and so does what it learns, but for the order of sums and the coins of dropout, which follow the last.
MACHINE_KEYS = frozenset(
    {"workers", "log_every", "checkpoint_every", "keep_checkpoints", "on_divergence", "max_returns"}
    | {"accumulate", "parallel", "threads", "processes", "fused"}
)

# No dropout where text is seen a few times at most, and words that differ more than the positions' sines from the start.
_SHORT_RUN = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, initializer_range=0.06)
_LONG = dict(max_length=512, learning_rate=2e-4)
PRESETS: dict[str, dict[str, Any]] = {
    "tiny": dict(size="tiny", model=_SHORT_RUN, start="local", examples="packed", max_length=64, batch_size=32, steps=20_000,
                 warmup_steps=100, eval_every=250, checkpoint_every=500),
    "small": dict(size="small"),
    "small++": dict(size="small++", max_length=512, steps=4_000_000),
    "base": dict(size="base", batch_size=256, steps=766_000, **_LONG),
    "large": dict(size="large", batch_size=2048, steps=400_000, mask_probability=0.25, **_LONG),
    "small-as-shipped": dict(size="small", **AS_SHIPPED),
}  # fmt: skip


def settings_from(values: Mapping[str, Any], *, where: str) -> PretrainSettings:
    """Settings from plain values, which came from `where`: that is what errors name.

    Raises ConfigError on values out of range, and on a key nobody knows, with its nearest neighbour.
    """
    known = [f.name for f in fields(PretrainSettings)]
    unknown = [f'"{key}"{did_you_mean(key, known)}' for key in values if key not in known]
    if unknown:
        raise ConfigError(f"{where} has settings that do not exist: {', '.join(unknown)}")
    try:
        return PretrainSettings(**values)
    except TypeError as error:  # a comparison inside the checks met a value of the wrong type
        raise ConfigError(f"{where} has a value of the wrong type: {error}") from None


def preset(name: str, **changes: Any) -> PretrainSettings:
    """A named preset with changes applied. Raises ConfigError on a name or a value that does not exist."""
    if name not in PRESETS:
        raise ConfigError(f'there is no preset "{name}"{did_you_mean(name, PRESETS)}; presets are {", ".join(PRESETS)}')
    return settings_from(PRESETS[name] | changes, where=f'preset "{name}"')


def read_recipe(path: Path) -> PretrainSettings:
    """The settings in a TOML file. Its key `preset` names the row of PRESETS it starts from (default: the paper's small).

    Raises ConfigError where there is no such file, it is not TOML, or its settings are refused.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no recipe {path}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    base = values.pop("preset", None)
    if base is not None and not isinstance(base, str):
        raise ConfigError(f"{path}: preset is {base!r}, expected one of {', '.join(PRESETS)}")
    start = preset(base).to_dict() if base else {}
    return settings_from(start | values, where=str(path))


def with_steps(settings: PretrainSettings, steps: int) -> PretrainSettings:
    """The same run with its length in steps, warming up over at most a tenth of them."""
    return replace(settings, steps=steps, minutes=None, warmup_steps=min(settings.warmup_steps, max(1, steps // 10)))
