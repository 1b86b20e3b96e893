"""Our own C, compiled on the machine it runs on: once, into the user's cache. Without a compiler all works, only slower.

    library("units")   native/units.c as a ctypes.CDLL, or None; `reason` says why not

What has a native path has a plain one with the same results, and tests hold them equal. ELECTRA_NATIVE=0 turns it off.
"""

import ctypes
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SOURCES = Path(__file__).parent
FLAGS = ("-O3", "-march=native", "-fno-math-errno", "-fno-trapping-math", "-shared", "-fPIC")
OPENMP = "-fopenmp"
SECONDS = 120.0  # for the compiler

_reasons: dict[str, str] = {}


@cache
def library(name: str, *, threads: bool = False) -> ctypes.CDLL | None:
    """The compiled code of native/NAME.c; None where it cannot be had. It is compiled on first use, about a second.

    threads    whether it is written with OpenMP
    """
    if os.environ.get("ELECTRA_NATIVE") == "0":
        _reasons[name] = "ELECTRA_NATIVE is 0"
        return None
    try:
        return ctypes.CDLL(str(_compiled(name, threads)))
    except (OSError, subprocess.SubprocessError) as error:
        _reasons[name] = (getattr(error, "stderr", None) or str(error)).strip()[-500:]
        return None


def reason(name: str) -> str | None:
    """Why there is no `library(name)`; None where there is, or nobody asked."""
    return _reasons.get(name)


def _compiled(name: str, threads: bool) -> Path:
    """The shared object, from the cache or made now. Raises OSError or SubprocessError where that fails."""
    source = SOURCES / f"{name}.c"
    command = [*_compiler(), *FLAGS, *((OPENMP,) if threads else ())]
    texts = [path.read_text(encoding="utf-8") for path in (source, *sorted(SOURCES.glob("*.h")))]
    made_of = "\0".join([*texts, *command, _processor()])
    target = _cache() / f"{name}-{hashlib.sha256(made_of.encode()).hexdigest()[:16]}.so"
    if not target.exists():
        with tempfile.TemporaryDirectory(dir=target.parent) as place:
            made = Path(place) / target.name
            subprocess.run(
                [*command, str(source), "-o", str(made), "-lm"],
                check=True, capture_output=True, text=True, timeout=SECONDS,
            )  # fmt: skip
            os.replace(made, target)  # whole or not at all, whoever else compiles it now
    return target


def _compiler() -> list[str]:
    """$CC, or the first of cc, gcc and clang that is there."""
    given = shlex.split(os.environ.get("CC", ""))
    found = given or [name for name in ("cc", "gcc", "clang") if shutil.which(name)][:1]
    if not found:
        raise FileNotFoundError("there is no C compiler (cc, gcc or clang)")
    return found


def _cache() -> Path:
    """A folder that only this user can write to: code is loaded from it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(base) / "electra" / "native"
    folder.mkdir(parents=True, exist_ok=True)
    held = folder.stat()
    if held.st_uid != os.getuid() or held.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise PermissionError(f"{folder} can be written to by others; nothing is loaded from it")
    return folder


def _processor() -> str:
    """What -march=native depends on: a cache may be shared by machines."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"{platform.machine()} {platform.processor()}"
    return next((line for line in lines if line.startswith(("flags", "Features"))), platform.machine())
