"""Where and on what the figures were taken: the machine, without its name, and the versions."""

from __future__ import annotations

import os
import platform
import sqlite3
import statistics
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

PACKAGES: Final = ("ray", "grpcio", "protobuf", "numpy", "msgpack", "sqlalchemy")
OPTIONAL: Final = ("pyvoy",)
"""Told where it is installed."""
ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "bench" / "results"
"""Where the figures of a whole run are kept."""
FSYNCS: Final = 50
PAGE: Final = bytes(4_096)

Machine = Mapping[str, str | int | float]


@cache
def machine() -> Machine:
    """CPU model, cores, memory (GiB), kernel and disk (median ms of an fsync after a page) of this machine."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "fsync_ms": round(_fsync_ms(), 2),
    }


@cache
def versions() -> dict[str, str]:
    """Versions of Allocator, of Python, and of what the figures depend on; `commit` is "" outside of a checkout."""
    own = {"allocator": _own_version(), "commit": _commit(), "python": platform.python_version()}
    packages = {name: metadata.version(name) for name in PACKAGES} | dict(_optional())
    return own | packages | {"sqlite": sqlite3.sqlite_version}


def _optional() -> Iterator[tuple[str, str]]:
    for name in OPTIONAL:
        with suppress(metadata.PackageNotFoundError):
            yield name, metadata.version(name)


def _own_version() -> str:
    """Our version as installed, or in a bare checkout as `pyproject.toml` has it."""
    try:
        return metadata.version("allocator")
    except metadata.PackageNotFoundError:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])


def _fsync_ms() -> float:
    """Of the disk that has the temporary files, as the services that are measured keep their journals there."""
    took_ns = []
    with tempfile.NamedTemporaryFile(prefix="allocator-bench-") as file:
        for _ in range(FSYNCS):
            file.write(PAGE)
            file.flush()
            began_ns = time.perf_counter_ns()
            os.fsync(file.fileno())
            took_ns.append(time.perf_counter_ns() - began_ns)
    return statistics.median(took_ns) / 1e6


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _commit() -> str:
    """The commit checked out, with `+changes` when files differ from it, other than the results themselves."""
    commit = _git("rev-parse", "HEAD")
    others = f":(exclude){RESULTS.relative_to(ROOT).as_posix()}"
    return f"{commit}+changes" if commit and _git("status", "--porcelain", "--", ".", others) else commit


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments],  # noqa: S607  # the git that made the checkout
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
