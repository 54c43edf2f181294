"""Where and on what the figures were taken: the machine, without its name, and the versions."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Final

import psutil

PACKAGES: Final = ("ray", "grpcio", "protobuf", "numpy", "msgpack", "sqlalchemy")
ROOT: Final = Path(__file__).parents[1]


def machine() -> dict[str, str | int | float]:
    """CPU model, cores, memory (GiB) and kernel of this machine."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "kernel": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Versions of Allocator, of Python, and of what the figures depend on; `commit` is "" outside of a checkout."""
    own = {"allocator": _own_version(), "commit": _commit(), "python": platform.python_version()}
    return own | {name: metadata.version(name) for name in PACKAGES} | {"sqlite": sqlite3.sqlite_version}


def _own_version() -> str:
    """Our version as installed, or in a bare checkout as `pyproject.toml` has it."""
    try:
        return metadata.version("allocator")
    except metadata.PackageNotFoundError:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        return str(project["project"]["version"])


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(models, platform.processor() or platform.machine())


def _commit() -> str:
    """The commit checked out, with `+changes` when the files differ from it."""
    commit = _git("rev-parse", "HEAD")
    return f"{commit}+changes" if commit and _git("status", "--porcelain") else commit


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
