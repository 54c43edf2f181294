"""Follows the journal on behalf of one ERP, from the ERP's own cursor."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

import structlog

from adapters.erp.follower import SHARD_PREFIX, Follower, LocationState
from adapters.erp.port import ErpOptions, ErpTarget
from adapters.errors import TargetUnavailableError
from allocator.core.errors import AllocatorError
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.journal import JournalReader, JournalStore, JournalUnavailable

RETRY_MIN_S: Final = 0.5
RETRY_MAX_S: Final = 60.0
STANDSTILL_S: Final = 30.0
"""How long a location that needs a person is left alone before it is tried again."""
_IDLE_SHARE: Final = 4
"""Looking takes at most a fifth of the time, however many locations there are."""
_LATER: Final = (TargetUnavailableError, JournalUnavailable)

log = structlog.get_logger("adapters.erp")


class Exporter:
    """Posts every location's journal to one ERP, in order, each version once.

    The journal is not cut before the ERP has it: the exporter registers a cursor for every shard, under its name.

    Args:
        name: of the adapter and of its cursor.
        target: open; its owner closes it.
        store: the journal; read, but for the cursor.
        options: of the ERP.
        limits: of the locations' tables.
        clock_ns: now, ns since 1970 UTC.

    Attributes:
        states: how far each location is; replaced, never changed, so that other threads may read it.
        looked: whether every location is in `states`.
    """

    def __init__(
        self,
        name: str,
        target: ErpTarget,
        store: JournalStore,
        *,
        options: ErpOptions,
        limits: LedgerLimits,
        clock_ns: Callable[[], int],
    ) -> None:
        self._name, self._target, self._store = name, target, store
        self._options, self._limits, self._clock_ns = options, limits, clock_ns
        self._followers: dict[str, Follower] = {}
        self._standstill_ns: dict[str, int] = {}
        self._told: dict[str, int] = {}
        self.states: Mapping[str, LocationState] = {}
        self.looked = False

    def run(self, stop: threading.Event) -> None:
        """Export until `stop` is set; what may pass later is tried again, however often.

        Raises:
            AllocatorError: the journal is damaged as a whole, or the cursor was dropped.
        """
        delay_s = RETRY_MIN_S
        reader: JournalReader | None = None
        try:
            while not stop.is_set():
                try:
                    if reader is None:
                        self._store.register_cursor(self._name)
                        reader = self._store.reader()
                    began_ns = self._clock_ns()
                    more = self.round(reader, stop)
                except _LATER as error:
                    wait_s = max(delay_s, getattr(error, "retry_after_s", 0.0))
                    log.warning("will try again", wait_s=wait_s, error=str(error))
                    stop.wait(wait_s)
                    delay_s = min(2 * delay_s, RETRY_MAX_S)
                else:
                    delay_s = RETRY_MIN_S
                    if not more:
                        took_s = (self._clock_ns() - began_ns) / NS_PER_S
                        stop.wait(max(self._options.poll_s, _IDLE_SHARE * took_s))
            with suppress(*_LATER):
                self._put_positions(at_once=True)
        finally:
            if reader is not None:
                reader.close()

    def round(self, reader: JournalReader, stop: threading.Event) -> bool:
        """Look at every shard once, and export what is new; returns whether there may be more.

        Raises:
            TargetUnavailableError, JournalUnavailable: the same can be tried later.
        """
        more = False
        states = dict(self.states)
        done: dict[str, int] = {}
        try:
            for shard in reader.shards():
                if stop.is_set():
                    break
                if not shard.startswith(SHARD_PREFIX):
                    done[shard] = reader.head(shard)  # nothing in it is for an ERP, but our cursor holds it back
                    continue
                location = shard.removeprefix(SHARD_PREFIX)
                more |= self._advance(reader, location, states)
                done[shard] = states[location].cursor
        finally:
            self.states = states
            self._tell(done)
        self._put_positions()
        self.looked = True
        return more

    def _advance(self, reader: JournalReader, location: str, states: dict[str, LocationState]) -> bool:
        """Export one location; an error that is its own stops it, and no other."""
        if self._clock_ns() < self._standstill_ns.get(location, 0):
            return False
        try:
            follower = self._followers.get(location)
            if follower is None:
                follower = self._followers[location] = self._follow(reader, location)
            more = follower.advance()
        except _LATER:
            raise
        except AllocatorError as error:
            self._stand_still(location, error, states)
            return False
        states[location] = follower.state()
        return more

    def _stand_still(self, location: str, error: AllocatorError, states: dict[str, LocationState]) -> None:
        log.error("location stands still", location=location, error=str(error))
        self._standstill_ns[location] = self._clock_ns() + int(STANDSTILL_S * NS_PER_S)
        # What it has in memory may be half-way through an entry.
        stopped = self._followers.pop(location, None)
        states[location] = stopped.state(str(error)) if stopped else LocationState(error=str(error))

    def _follow(self, reader: JournalReader, location: str) -> Follower:
        return Follower(
            location,
            self._target,
            reader,
            options=self._options,
            limits=self._limits,
            clock_ns=self._clock_ns,
        )

    def _put_positions(self, *, at_once: bool = False) -> None:
        for location, follower in list(self._followers.items()):
            states = dict(self.states)
            try:
                follower.put_positions(at_once=at_once)
            except _LATER:
                raise
            except AllocatorError as error:
                self._stand_still(location, error, states)
            else:
                states[location] = follower.state()
            self.states = states

    def _tell(self, done: Mapping[str, int]) -> None:
        """Let the journal be cut up to where the ERP is. Behind by a crash it only keeps more than it need."""
        news = {shard: version for shard, version in done.items() if self._told.get(shard, 0) < version}
        if news:
            self._store.advance_cursors(self._name, news)
            self._told |= news
