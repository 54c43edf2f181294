"""A disk that is soon full, for those who may mount one."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def small_disk(folder: Path, size_mb: int) -> Iterator[Path | None]:
    """Mount a file system of this size in `folder`; None where this user may not mount."""
    disk = folder / "disk"
    disk.mkdir()
    mount, umount = shutil.which("mount") or "mount", shutil.which("umount") or "umount"
    options = ["-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", str(disk)]
    mounted = (
        os.geteuid() == 0 and subprocess.run([mount, *options], check=False, stderr=subprocess.DEVNULL).returncode == 0
    )
    try:
        yield disk if mounted else None
    finally:
        if mounted:
            subprocess.run([umount, "-l", str(disk)], check=True)


@contextmanager
def full(disk: Path) -> Iterator[None]:
    """Leave not a byte of room on a disk."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (65_536, 4_096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    try:
        yield
    finally:
        ballast.unlink()
