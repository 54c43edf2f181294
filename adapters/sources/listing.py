"""What lies in the folders of a watched folder, while others move it about."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple

UNFINISHED: Final = (".tmp", ".part")
"""Ends of names that are still being written; so are names that begin with a dot."""
_NAME_BYTES_MAX: Final = 255


class Found(NamedTuple):
    """A file; sorts by age."""

    changed_ns: int
    path: Path
    size: int


def complete_files(folder: Path) -> Iterator[Found]:
    """Yield the files in a folder whose names say that they are complete."""
    with suppress(FileNotFoundError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.lower().endswith(UNFINISHED):
                continue
            with suppress(FileNotFoundError):  # moved away meanwhile
                if entry.is_file(follow_symlinks=False):
                    status = entry.stat(follow_symlinks=False)
                    yield Found(status.st_mtime_ns, folder / entry.name, status.st_size)


def work_files(work: Path) -> Iterator[Found]:
    """Yield the files that are being worked on, each of which has a folder of its own."""
    with os.scandir(work) as folders:
        for folder in folders:
            yield from complete_files(work / folder.name)


def free_path(folder: Path, stem: str, suffix: str) -> Path:
    """A path in `folder` that nothing has yet: `stem` and `suffix`, with a number between them if need be."""
    for number in count(1):
        end = suffix if number == 1 else f".{number}{suffix}"
        room = _NAME_BYTES_MAX - len(os.fsencode(end))
        path = folder / (os.fsdecode(os.fsencode(stem)[:room]) + end)
        if not path.exists() and not path.is_symlink():
            return path
    raise AssertionError  # count() never ends


def printable(path: Path) -> str:
    """The name of a file, as text that can be written anywhere."""
    return os.fsencode(path.name).decode(errors="replace")
