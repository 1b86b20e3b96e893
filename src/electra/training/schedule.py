"""The learning rate of a step: linear (or power) decay over all steps, times a linear warm-up.

Unusual here: the two multiply, so the peak is base * (1 - warmup / total), as in the original.
Source: google-research/electra, model/optimization.py.
"""


def learning_rate(step: int, *, base: float, total_steps: int, warmup_steps: float, power: float = 1.0) -> float:
    """The rate of the update that follows `step` finished ones; the first is 0 while warming up, and after the end all are."""
    decay: float = (1 - min(step, total_steps) / total_steps) ** power
    warmup = min(1.0, step / warmup_steps) if warmup_steps else 1.0
    return base * decay * warmup
