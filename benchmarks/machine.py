"""What a benchmark has to say of its machine, the peak of its matrix products, and how many operations the models need."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from electra.config import ElectraConfig
from electra.inference.machine import processor

PEERS = ("torch", "transformers", "tokenizers", "electra-pytorch", "onnxruntime", "openvino", "safetensors", "datasets")
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "asimd", "bf16")
SIDE = 2048  # of the square matrices whose product is the peak


def facts(threads: int) -> dict[str, Any]:
    """Processor, cores, threads, instructions, memory, versions, and how busy the machine is before it is measured."""
    return {
        "machine": f"{processor()}, {os.cpu_count()} cores, {threads} threads",
        "threads": threads,
        "instructions": [name for name in INSTRUCTIONS if name in flags()],
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": versions(PEERS),
    }


def versions(names: Iterable[str]) -> dict[str, str]:
    """Of the packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def flags() -> set[str]:
    """What the processor says it has."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    return next((set(line.split()) for line in lines if line.startswith(("flags", "Features"))), set())


def has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 itself; elsewhere it is emulated, which is no contest."""
    return bool(flags() & {"avx512_bf16", "amx_bf16", "bf16"}) or sys.platform == "darwin"


def described(result: dict[str, Any]) -> str:
    """The machine in a sentence of docs/results.md."""
    peers = ", ".join(f"{name} {number}" for name, number in result["versions"].items())
    return (
        f"{result['machine']} ({', '.join(result['instructions'])}), {result['memory_gb']:.0f} GB, load before "
        f"{result['load_before']}; Python {result['python']}, {peers}."
    )


def matrix_product(precision: str, threads: int, repeat: int = 8) -> Callable[[], dict[str, Any]]:
    """A round of products of two square matrices, by the fastest here of torch, NumPy and our own C: what the machine can do.

    The others alone would be no peak: on some processors their float32 products are at half of what it can.
    """
    products = _products(precision, threads)
    seconds = {name: min(_seconds(product) for _ in range(3)) for name, product in products.items()}
    name = min(seconds, key=lambda name: seconds[name])

    def work() -> dict[str, Any]:
        for _ in range(repeat):
            products[name]()
        return {"operations": repeat * 2.0 * SIDE**3, "product": name}

    return work


def _products(precision: str, threads: int) -> dict[str, Callable[[], Any]]:
    """Who multiplies in this precision, each on all threads."""
    import numpy as np
    import torch

    from electra.inference.compiled import Linear, kinds

    left, right = np.random.default_rng(0).standard_normal((2, SIDE, SIDE), np.float32)
    tensors = [torch.from_numpy(matrix).to(getattr(torch, precision)) for matrix in (left, right)]
    found: dict[str, Callable[[], Any]] = {"torch": lambda: tensors[0] @ tensors[1]}
    if precision == "float32":
        found["NumPy"] = lambda: left @ right
    if precision in kinds():
        layer, pool = Linear(right, right[:, 0], precision), ThreadPoolExecutor(threads)
        found["our own C"] = lambda: list(pool.map(layer, np.array_split(left, threads)))
    return found


def _seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


# -- operations: a multiplication and its addition are two; products of matrices alone, which are all but a few percent ----


def encoder_operations(config: ElectraConfig, length: int) -> float:
    """Forward, for one token in a row of `length` tokens."""
    hidden, feed, embedding = config.hidden_size, config.intermediate_size, config.embedding_size
    products = 8.0 * hidden * hidden + 4.0 * hidden * feed  # query, key, value and output; the feed-forward layer
    attention = 4.0 * length * hidden  # scores, and their weighted sum
    project = 2.0 * embedding * hidden if embedding != hidden else 0.0
    return config.num_hidden_layers * (products + attention) + project


def discriminator_operations(config: ElectraConfig, length: int) -> float:
    """Forward with the head, for one token."""
    return encoder_operations(config, length) + 2.0 * config.hidden_size * (config.hidden_size + 1)


def pretraining_operations(discriminator: ElectraConfig, generator: ElectraConfig, length: int, share: float) -> float:
    """A step's, for one token: forward of both networks, and backward, which is twice that.

    share    of the tokens that the generator is asked at: only they go through the vocabulary-wide head
    """
    table = 2.0 * generator.embedding_size * (generator.hidden_size + generator.vocab_size)
    forward = discriminator_operations(discriminator, length) + encoder_operations(generator, length) + share * table
    return 3.0 * forward
