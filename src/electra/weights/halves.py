"""Weights in half the bytes: float32 rounded to the nearest bfloat16 or float16, of two the even one."""

from collections.abc import Iterator, Mapping

import numpy as np

from electra.errors import WeightsError
from electra.weights.files import BFLOAT16, Array

HALVES = ("bfloat16", "float16")


class Rounded(Mapping[str, Array]):
    """The same tensors rounded when they are asked for; those that are not float32 or float64 stay as they are.

    Raises WeightsError on a number that float16, whose largest is 65504, cannot hold.
    """

    def __init__(self, tensors: Mapping[str, Array], dtype: str) -> None:
        self.tensors, self.dtype = tensors, dtype

    def __getitem__(self, name: str) -> Array:
        array = self.tensors[name]
        if array.dtype not in (np.float32, np.float64):
            return array
        if self.dtype == "bfloat16":
            return to_bfloat16(array)
        with np.errstate(over="ignore"):
            found = array.astype(np.float16)
        if np.isinf(found).sum() > np.isinf(array).sum():
            largest = float(np.abs(array[np.isfinite(array)]).max())
            raise WeightsError(f"{name} holds {largest:g}, and float16 holds no more than 65504; take bfloat16")
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


def to_bfloat16(array: Array) -> Array:
    """The nearest bfloat16 of each number, of type BFLOAT16."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    nearest = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    found = np.where(np.isnan(array), bits >> 16 | 0x40, nearest)  # rounding up could carry a NaN into a number
    return found.astype(np.uint16).view(BFLOAT16)
