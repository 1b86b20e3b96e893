"""The machine answers are computed on, asked without a framework: its processor, the cores this process may use, memory."""

import os
import platform
from pathlib import Path

# What makes products fast, by the names Linux has for it, and what for.
FEATURES = {
    "amx_bf16": "AMX for bfloat16",
    "amx_int8": "AMX for int8",
    "avx512_bf16": "AVX-512 for bfloat16",
    "avx512_vnni": "AVX-512 for int8",
    "avx512f": "AVX-512",
    "avx2": "AVX2",
    "asimd": "NEON",
}
GPUS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and either's under Windows' Linux


def cores() -> int:
    """How many cores this process may use: by its affinity, the limit of its container, and OMP_NUM_THREADS."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    limits = [allowed, *([int(asked)] if asked.isdigit() and int(asked) else [])]
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").strip().partition(" ")
    if quota.isdigit() and period.isdigit():
        limits.append(max(1, -(-int(quota) // int(period))))
    return min(limits)


def has_gpu() -> bool:
    """Whether a GPU may be there. A framework knows better, but takes a second to ask."""
    return any(Path(place).exists() for place in GPUS)


def processor() -> str:
    """Its name."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def features() -> tuple[str, ...]:
    """Those of FEATURES it has; none where the system does not tell."""
    flags = [line.partition(":")[2].split() for line in _cpuinfo() if line.startswith(("flags", "Features"))]
    return tuple(name for name in FEATURES if flags and name in flags[0])


def memory() -> tuple[int, int]:
    """Bytes there are, and bytes a new program can have; zeros where the system does not tell. A container's limit counts."""
    held = {}
    for line in _read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        held[name] = int(value.split()[0]) * 1024
    total, free = held.get("MemTotal", 0), held.get("MemAvailable", 0)
    limit, used = (_read(f"/sys/fs/cgroup/memory.{name}").strip() for name in ("max", "current"))
    if limit.isdigit() and used.isdigit():
        total, free = min(total, int(limit)), min(free, int(limit) - int(used))
    return total, free


def _cpuinfo() -> list[str]:
    return _read("/proc/cpuinfo").splitlines()


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError:
        return ""
