"""GPUs that are not here: published peaks, and what a run would take on them if an assumed share of the peak is reached.

Unusual here: nothing of this is measured. Every range is an assumption, which `assumptions` puts in words.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from electra.config import ElectraConfig
from electra.flops import multiplied
from electra.training.settings import PretrainSettings


@dataclass(frozen=True)
class Accelerator:
    """A kind of GPU. `peak`: operations a second its maker states for dense products in the precision our code takes there."""

    name: str
    peak: float
    precision: str
    memory: int  # bytes


def _gpu(name: str, teraflops: float, gigabytes: int, precision: str = "bfloat16") -> Accelerator:
    return Accelerator(name, teraflops * 1e12, precision, gigabytes * 10**9)


# Datasheets of NVIDIA and AMD, without sparsity. T4 and V100 have no bfloat16: their float32.
ACCELERATORS = (
    _gpu("T4", 8.1, 16, "float32"),
    _gpu("V100", 15.7, 32, "float32"),
    _gpu("L4", 121, 24),
    _gpu("A10", 125, 24),
    _gpu("RTX-4090", 165, 24),
    _gpu("L40S", 362, 48),
    _gpu("A100", 312, 80),
    _gpu("H100", 989, 80),
    _gpu("H200", 989, 141),
    _gpu("MI300X", 1307, 192),
    _gpu("B200", 2250, 180),
)

NARROW = 512  # hidden size below which products are too small to fill a GPU
EFFICIENCY = {True: (0.05, 0.25), False: (0.10, 0.40)}  # share of the peak, by whether the model is narrow
TOGETHER = (0.80, 0.95)  # of several GPUs' speed, that is left of the sum of theirs
KERNELS, LAUNCH = 80, (10e-6, 5e-6)  # a layer starts forward and backward, and seconds each takes at least
USABLE = 0.8  # of the memory
STATE = 16  # bytes a parameter: float32 weight, gradient, two moments
ELEMENTS = {"float32": 2, "bfloat16": 1}  # of two bytes


@dataclass(frozen=True)
class Reckoned:
    """What a run would take on `count` GPUs: seconds from the best to the worst case. rows 0: it does not fit."""

    accelerator: Accelerator
    count: int
    rows: int  # a GPU has at once
    parts: int  # of an update, one after the other
    memory: int  # bytes a GPU
    seconds: tuple[float, float]


def is_narrow(networks: Mapping[str, ElectraConfig]) -> bool:
    """Whether the widest network is a narrow one."""
    return max(int(vars(config)["hidden_size"]) for config in networks.values()) < NARROW


def reckon(
    accelerator: Accelerator, count: int, networks: Mapping[str, ElectraConfig], settings: PretrainSettings, parameters: int
) -> Reckoned:  # fmt: skip
    """What a run would take on `count` of these GPUs, each with its share of a batch, in parts where it does not fit."""
    asked = max(1, settings.batch_size // count)  # rows of an update
    rows = asked
    while rows and memory(networks, parameters, rows, settings, accelerator) > USABLE * accelerator.memory:
        rows //= 2
    operations = settings.steps * multiplied(
        networks, length=settings.max_length, batch_size=settings.batch_size, predicted=settings.mask_probability
    )
    together = TOGETHER if count > 1 else (1.0, 1.0)
    slow, fast = (
        accelerator.peak * count * share * rest
        for share, rest in zip(EFFICIENCY[is_narrow(networks)], together, strict=True)
    )
    needed = memory(networks, parameters, max(1, rows), settings, accelerator)
    parts = -(-asked // rows) if rows else 0
    launches = settings.steps * parts * KERNELS * sum(int(vars(one)["num_hidden_layers"]) for one in networks.values())
    seconds = (max(operations / fast, launches * LAUNCH[1]), max(operations / slow, launches * LAUNCH[0]))
    return Reckoned(accelerator, count, rows, parts, needed, seconds)


def memory(
    networks: Mapping[str, ElectraConfig], parameters: int, rows: int, settings: PretrainSettings, on: Accelerator
) -> int:
    """Bytes of an update on `rows` rows at once: the state, what each layer keeps for its gradient, and the logits."""
    kept = 0.0  # elements a token
    for name, config in networks.items():
        v = vars(config)
        kept += v["num_hidden_layers"] * (17 * v["hidden_size"] + 2.5 * v["num_attention_heads"] * settings.max_length)
        kept += 0 if name == "discriminator" else 6 * settings.mask_probability * v["vocab_size"]
    return int(STATE * parameters + rows * settings.max_length * kept * 2 * ELEMENTS[on.precision])


def assumptions(networks: Mapping[str, ElectraConfig], several: bool) -> list[str]:
    """What `reckon` takes for granted, in words."""
    low, high = EFFICIENCY[is_narrow(networks)]
    told = [
        f"GPUs: not measured. Peaks are their makers', dense, bfloat16 (T4 and V100: float32), and {low:.0%} to {high:.0%} "
        f"of the peak is assumed to be reached (hidden sizes {'below' if is_narrow(networks) else 'from'} {NARROW}); memory is "
        f"{STATE} bytes a parameter and what each layer keeps, of which {USABLE:.0%} of a GPU's is used. An update takes "
        f"at least what {KERNELS} kernels a layer do, {LAUNCH[1] * 1e6:.0f} to {LAUNCH[0] * 1e6:.0f} microseconds each.",
    ]
    if several:
        told.append(
            f"Several GPUs: {TOGETHER[0]:.0%} to {TOGETHER[1]:.0%} of the sum of their speeds is assumed to be left."
        )
    return told
