"""Snapshots without a pause: a process beside the actor folds the journal into the state of a ledger.

To pack a large ledger takes a second or more, in which nothing of it may change, and in Python nothing else of its
process runs either. What the journal holds gives the same bytes, so they are made of that instead, in a process that
takes only what processor time others leave.
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING, BinaryIO, Final

from allocator.core import codec
from allocator.core.errors import AllocatorError
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.journal.store import JournalSettings
from allocator.runtime.errors import FoldFailedError
from allocator.runtime.garbage import collect_once
from allocator.runtime.hosted import Hosted, name_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from allocator.journal.port import Entry, JournalReader

    Fold = Callable[[str, int], bytes]
    """Gives the snapshot of a shard at a version that its journal has."""

ENTRIES_AT_ONCE: Final = 1_000
NICENESS: Final = 10
"""A tenth of a core where everybody wants it: a ledger of 1,000,000 SKUs takes a minute and a half then."""
FOLD_S_MAX: Final = 3600.0
"""Until one that hangs is ended."""
_SEAL: Final = struct.Struct(">QI")
"""Before the snapshot on its way here: version and CRC-32."""
_DIE_WITH_PARENT: Final = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def fold(reader: JournalReader, shard: str, version: int) -> bytes:
    """Make the snapshot of `shard` at `version` of its newest snapshot and the entries after that.

    Its invariants are checked, as the log that could rebuild it is cut once it is saved.

    Raises:
        JournalError: they cannot be read.
        BrokenInvariantError: they cannot be understood, or are not sound.
        FoldFailedError: they do not lead to that version.
    """
    snapshot = reader.latest_snapshot(shard)
    after = snapshot.version if snapshot is not None else 0
    machine = Hosted(name_of(shard), LedgerLimits()).rebuilt(snapshot, _entries(reader, shard, after, version))
    if machine.version != version:
        raise FoldFailedError(shard, f"it leads to version {machine.version} instead of {version}")
    if isinstance(machine, StockLedger):
        machine.check_invariants()
    return machine.snapshot()


def beside(journal: JournalSettings) -> Fold:
    """Make a `Fold` that works in a process of its own; it raises `FoldFailedError` with what that process said."""

    def fold_beside(shard: str, version: int) -> bytes:
        # Through its input, as the address may hold a password and arguments can be read by everybody.
        asked = codec.pack((journal.url, journal.schema, shard, version))
        # A worker of Ray may have found us on a path of its own.
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        # -P: not what lies in the working directory, which we did not look into either.
        command = [sys.executable, "-P", "-m", __name__]
        try:
            done = subprocess.run(  # noqa: S603  # ourselves
                command, input=asked, capture_output=True, env=environment, timeout=FOLD_S_MAX, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise FoldFailedError(shard, str(error)) from error
        if done.returncode:
            raise FoldFailedError(shard, done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}")
        sealed, data = done.stdout[: _SEAL.size], done.stdout[_SEAL.size :]
        if sealed != _SEAL.pack(version, zlib.crc32(data)):
            raise FoldFailedError(shard, "what came is not what was sent")
        return data

    return fold_beside


def _entries(reader: JournalReader, shard: str, after: int, upto: int) -> Iterator[Entry]:
    while after < upto:
        entries = reader.read(shard, after, min(ENTRIES_AT_ONCE, upto - after))
        if not entries:
            raise FoldFailedError(shard, f"the journal ends at version {after}, before {upto}")
        yield from entries
        after = entries[-1].version


def _work(asked: bytes, out: BinaryIO) -> None:
    url, schema, shard, version = codec.unpack(asked)
    with JournalSettings(url, schema).store().reader() as reader:
        data = fold(reader, shard, version)
    out.write(_SEAL.pack(version, zlib.crc32(data)))
    out.write(data)


def main() -> None:
    """Be the process beside an actor: what is asked for comes in, the snapshot goes out."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.nice(NICENESS)
    collect_once()
    asked = sys.stdin.buffer.read()
    with os.fdopen(os.dup(1), "wb") as out:
        os.dup2(2, 1)  # whoever prints does not print into the snapshot
        try:
            _work(asked, out)
        except AllocatorError as error:
            sys.exit(str(error))


if __name__ == "__main__":
    main()
