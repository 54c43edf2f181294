"""The journal of a service, and its ledgers rebuilt from it; nothing here writes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from allocator.cli.serve import settings_overrides
from allocator.core import codec
from allocator.core.errors import AllocatorError
from allocator.core.ledger import StockLedger
from allocator.journal import Trimmed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from allocator.core.events import Event
    from allocator.core.limits import LedgerLimits
    from allocator.journal import JournalReader, JournalStore

READ_MAX = 1_000
"""Entries of one read."""


class VersionUnknown(AllocatorError):  # noqa: N818  # it says what happened; its root carries the Error
    """A version that the journal cannot be replayed to; the message says which it can."""


class Archive(NamedTuple):
    """A journal as it is looked at from outside.

    Attributes:
        store: to list and drop cursors.
        reader: of its shards.
        limits: of a ledger that has no snapshot yet.
    """

    store: JournalStore
    reader: JournalReader
    limits: LedgerLimits


@contextmanager
def archive(settings: Path | None, data: Path | None, journal: str | None) -> Iterator[Archive]:
    """Open the journal that a service with these settings has.

    Raises:
        SettingsError, JournalError: there is none.
    """
    from allocator.config import load_settings
    from allocator.journal import JournalStore

    loaded = load_settings(settings, settings_overrides({"data_dir": data, "journal": {"url": journal}}))
    with (
        JournalStore(loaded.journal_url, loaded.journal.schema_name) as store,
        store.reader() as reader,
    ):
        yield Archive(store, reader, loaded.limits.ledger_limits())


def location_shards(reader: JournalReader) -> dict[str, str]:
    """The shards of locations, by location."""
    from allocator.runtime.hosted import LOCATION_PREFIX

    return {
        shard.removeprefix(LOCATION_PREFIX): shard for shard in reader.shards() if shard.startswith(LOCATION_PREFIX)
    }


def shard_of(reader: JournalReader, name: str) -> str:
    """The shard somebody means: its name, or a location's id."""
    return name if name in reader.shards() else location_shards(reader).get(name, name)


def batches(reader: JournalReader, shard: str, after: int, to: int | None = None) -> Iterator[tuple[int, list[Event]]]:
    """Yield the batches of events that follow a version, up to `to` or the end as it is now.

    Raises:
        Trimmed: some of them were cut.
        JournalDamaged: one is not what was written.
    """
    last = to if to is not None else reader.head(shard)
    while after < last:
        entries = reader.read(shard, after, min(READ_MAX, last - after))
        if not entries:
            return
        for entry in entries:
            yield entry.version, [event for event, _, _ in codec.unpack_batch(entry.payload)]
        after = entries[-1].version


def rebuild(opened: Archive, location: str, shard: str, to: int | None = None) -> StockLedger:
    """The ledger of a location as of version `to`, or as it is now.

    Raises:
        VersionUnknown: the log does not reach there.
        BrokenInvariantError: the replay disagrees with the journal.
    """
    try:
        return _rebuild(opened, location, shard, to)
    except Trimmed:
        # The service cut its log while we read: there is a newer snapshot now.
        return _rebuild(opened, location, shard, to)


def _rebuild(opened: Archive, location: str, shard: str, to: int | None) -> StockLedger:
    status = opened.reader.status(shard)
    if to is not None and not 0 <= to <= status.head:
        raise VersionUnknown(f"{location} has versions up to {status.head}, not {to}; choose another with --to")
    snapshot = opened.reader.latest_snapshot(shard)
    if snapshot is not None and (to is None or to >= snapshot.version):
        ledger = StockLedger.restore(snapshot.payload)
    elif status.first_available == 1:
        ledger = StockLedger(location, opened.limits)
    else:
        oldest = snapshot.version if snapshot is not None else status.first_available
        raise VersionUnknown(f"the log of {location} was cut: the oldest version to replay to is {oldest}")
    for version, events in batches(opened.reader, shard, ledger.version, to):
        ledger.replay(version, events)
    return ledger
