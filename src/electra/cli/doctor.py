"""electra doctor: what this machine is, what is installed, whether our own C compiles, and what answers for a model, how fast."""

import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import tyro

import electra
from electra.errors import ElectraError
from electra.inference.engine import ENGINES, Engine, open_engine
from electra.inference.machine import FEATURES, cores, features, has_gpu, memory, processor
from electra.training.tune_settings import TuneSettings

PACKAGES = (
    "numpy", "safetensors", "tokenizers", "torch", "tensorflow", "jax", "flax", "onnx", "onnxruntime", "huggingface_hub",
)  # fmt: skip
ROWS, SINGLE = 16, 61  # rows of a batch of mixed lengths, and tokens of a row that goes alone
SHORTEST, LONGEST = 6, 116  # tokens of a batch's rows
SECONDS = 0.5  # that an engine is timed for, at least one call
WIDTH = 14  # of the first column


def doctor(model: tyro.conf.Positional[Path | None] = None, *, device: str = "auto", threads: int = 0) -> int:
    """Say what there is to compute with. Nothing is changed, but our own C is compiled where it was not yet.

    Args:
        model: a model folder or a run; its engines are timed
        device: cpu, cuda, cuda:1; auto: a GPU where there is one
        threads: of the processor; 0: all cores
    """
    for name, text in facts():
        print(f"{name:<{WIDTH}}{text}")
    if model is not None:
        for name, text in engines(find(model), TuneSettings(device=device, threads=threads)):
            print(f"{name:<{WIDTH}}{text}", flush=True)
    return 0


def facts() -> Iterator[tuple[str, str]]:
    """Names and what there is to say of them, a line each."""
    yield "electra", f"{electra.__version__}, {Path(electra.__file__).parent}"
    yield "python", f"{platform.python_version()}, {platform.platform()}"
    yield "packages", ", ".join(f"{name} {_version(name)}" for name in PACKAGES)
    yield "processor", processor()
    found = [FEATURES[name] for name in features()]
    yield "", ", ".join(found) or "the system does not tell what it can do"
    load = f"; {os.getloadavg()[0]:.1f} programs want one now" if hasattr(os, "getloadavg") else ""
    yield "cores", f"{cores()} that this process may use{load}"
    total, free = (size / 2**30 for size in memory())
    yield "memory", f"{total:.1f} GB, {free:.1f} GB free" if total else "the system does not tell"
    yield (
        "GPU",
        "there seems to be one; torch.cuda.is_available() says whether PyTorch can use it" if has_gpu() else "none",
    )
    yield from _native()


def _native() -> Iterator[tuple[str, str]]:
    from electra.inference.compiled import kinds
    from electra.native import SOURCES, library, reason

    heading = "our own C"
    for source in sorted(SOURCES.glob("*.c")):
        has_threads = "#pragma omp" in source.read_text(encoding="utf-8")
        is_there = library(source.stem, threads=has_threads) is not None
        yield heading, f"{source.stem}: {'compiled' if is_there else f'not compiled: {reason(source.stem)}'}"
        heading = ""
    if kinds():
        yield "", f"answers in {', '.join(kinds())}"


def engines(folder: Path, settings: TuneSettings) -> Iterator[tuple[str, str]]:
    """What answers for a model, and how fast: each engine that can be had here."""
    yield "model", str(folder)
    for name in ENGINES:
        try:
            engine = open_engine(folder, settings, engine=name)
        except ElectraError as error:
            yield name, str(error)
            continue
        yield name, f"{engine}: {timed(engine, folder)}" if name != "auto" else f"takes {engine}"


def timed(engine: Engine, folder: Path) -> str:
    """Rows a second in a batch of mixed lengths, and milliseconds of a row that goes alone."""
    from electra.config import ElectraConfig

    config = ElectraConfig.from_pretrained(folder)
    longest, size = (int(vars(config)[name]) for name in ("max_position_embeddings", "vocab_size"))
    is_choice = "MultipleChoice" in str((vars(config)["architectures"] or [""])[0])
    mixed = np.linspace(min(SHORTEST, longest), min(LONGEST, longest), ROWS).astype(int)
    batch, single = (_inputs(lengths, size, is_choice) for lengths in (mixed, np.array([min(SINGLE, longest)])))
    rate, seconds = ROWS / _seconds(engine, batch), _seconds(engine, single)
    return f"{rate:,.0f} rows a second ({mixed[0]} to {mixed[-1]} tokens, {ROWS} together), {1000 * seconds:.1f} ms for one"


def _inputs(lengths: np.ndarray, vocabulary: int, is_choice: bool) -> dict[str, np.ndarray]:
    mask = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int32)
    inputs = {
        "input_ids": np.random.default_rng(0).integers(0, vocabulary, mask.shape, np.int32),
        "attention_mask": mask,
    }
    inputs["token_type_ids"] = np.zeros_like(mask)
    return {name: array[:, None] for name, array in inputs.items()} if is_choice else inputs


def _seconds(engine: Engine, inputs: dict[str, np.ndarray]) -> float:
    """The shortest of the calls that go into SECONDS, after one that does not count."""
    engine.predict(inputs)
    taken: list[float] = []
    while not taken or sum(taken) < SECONDS:
        started = time.perf_counter()
        engine.predict(inputs)
        taken.append(time.perf_counter() - started)
    return min(taken)


def find(model: Path) -> Path:
    """The folder of a model: itself, RUN/model of a fine-tuning, or the discriminator of a pretraining."""
    from electra.training.run import find_model
    from electra.weights.shipped import or_shipped

    model = or_shipped(model)
    return model / "model" if (model / "model" / "config.json").is_file() else find_model(model, "discriminator")


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "missing"


def main(words: list[str]) -> int:
    """Returns 0."""
    return tyro.cli(doctor, args=words, prog="electra doctor")
