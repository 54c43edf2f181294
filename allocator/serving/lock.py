"""The journal's lock for as long as the service runs, taken again when the journal was out of reach for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

import structlog

from allocator.journal.errors import JournalLocked, JournalUnavailable
from allocator.journal.lock import this_process

if TYPE_CHECKING:
    from allocator.journal.lock import ServiceLock
    from allocator.journal.store import JournalStore

LOOK_S: Final = 3.0

log = structlog.get_logger("allocator.serve")


class KeptLock:
    """Holds the lock of a journal.

    A lock in PostgreSQL ends with its connection. Nobody else may have it while the server is away, so the service
    goes on and takes it again; when another service was faster, this one has to go: they would fence each other for
    ever.

    Args:
        store: the journal.
        look_s: how often `ours` really looks.

    Raises:
        JournalLocked: another service has it.
        JournalUnavailable: the journal cannot be reached.
    """

    def __init__(self, store: JournalStore, look_s: float = LOOK_S) -> None:
        self._store = store
        self._look_s = look_s
        self._lock: ServiceLock | None = store.lock()
        self._next_s = time.monotonic() + look_s

    def ours(self) -> bool:
        """Whether no other service has it."""
        if time.monotonic() < self._next_s:
            return True
        self._next_s = time.monotonic() + self._look_s
        if self._lock is not None and self._lock.held():
            return True
        self._lock = None
        try:
            self._lock = self._store.lock()
            log.warning("the journal's lock was lost for a while, and is held again")
        except JournalUnavailable as error:
            log.warning("the journal's lock is lost while it is out of reach", error=str(error))
        except JournalLocked as error:
            if this_process() in error.holder:  # the server has not noticed yet that our old connection is gone
                return True
            log.critical("another service took the journal", error=str(error))
            return False
        return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()
