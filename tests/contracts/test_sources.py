"""What every source of movements owes to the pump."""

from __future__ import annotations

import asyncio
import json
import tempfile
from abc import ABC, abstractmethod
from itertools import count
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import CoreUnavailableError
from adapters.formats import FormatError, RejectClass, RejectedBy, StockMovement
from adapters.sources.folder import FolderOptions, FolderSource
from adapters.sources.port import Batch, MovementSource, Record, Rejection
from tests.unit.adapters.helpers import (
    DeadLetter,
    LedgerCore,
    MemoryFeed,
    MemoryOptions,
    MemorySource,
    event,
    movement,
    pump_all,
)

REFUSED = Rejection(RejectClass.REFUSED, RejectedBy.CORE, "INVALID: no zero")


class Feed(ABC):
    """The outside of a source: what it is fed with, and what it leaves behind; begins with nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @abstractmethod
    def put(self, *raw: bytes) -> None:
        """Send messages."""

    @abstractmethod
    def source(self) -> MovementSource:
        """A source as a new process would make it."""

    @abstractmethod
    def dead(self) -> list[DeadLetter]:
        """The dead letters."""


class InMemory(Feed):
    """The fake of the pump's own tests."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._feed = MemoryFeed()

    def put(self, *raw: bytes) -> None:
        """Add to the list."""
        self._feed.raw += raw

    def source(self) -> MovementSource:
        """A fake on the same list."""
        return MemorySource("feed", MemoryOptions(), self.folder, self._feed)

    def dead(self) -> list[DeadLetter]:
        """Those on the list."""
        return self._feed.dead


class InFolder(Feed):
    """A watched folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._numbers = count(1)

    def put(self, *raw: bytes) -> None:
        """Drop a file of JSON lines, as the documentation says."""
        inbox = self.folder / "sources" / "feed" / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        hidden = inbox / f".{next(self._numbers):03}.jsonl"
        hidden.write_bytes(b"".join(line + b"\n" for line in raw))
        hidden.rename(inbox / hidden.name[1:])

    def source(self) -> MovementSource:
        """A source that watches the folder."""
        return FolderSource("feed", FolderOptions(poll_s=0.001), self.folder)

    def dead(self) -> list[DeadLetter]:
        """The rows in failed."""
        failed = sorted((self.folder / "sources" / "feed" / "failed").glob("*.rejects.jsonl"))
        rows = [json.loads(line) for path in failed for line in path.read_text().splitlines()]
        return [DeadLetter(row["raw"].encode(), row["class"], row["by"], row["reason"]) for row in rows]


KINDS: dict[str, type[Feed]] = {"memory": InMemory, "folder": InFolder}


@pytest.fixture(params=KINDS)
def feed(request: pytest.FixtureRequest, tmp_path: Path) -> Feed:
    """A feed with nothing in it."""
    return KINDS[request.param](tmp_path)


async def fetched(source: MovementSource, limit: int = 100) -> Batch:
    """The next batch with records."""
    async with asyncio.timeout(30):
        while True:
            batch = await source.fetch(limit)
            if batch is not None and batch.records:
                return batch


async def rest(source: MovementSource) -> None:
    """Commit whatever else comes, until nothing waits."""
    async with asyncio.timeout(30):
        while (await source.progress()).waiting:
            batch = await source.fetch(100)
            if batch is not None:
                await source.commit(batch.position)


def ids(*batches: Batch) -> list[str]:
    """Movement ids, and "?" for a record that is none."""
    records = [record for batch in batches for record in batch.records]
    return [record.outcome.movement_id if isinstance(record.outcome, StockMovement) else "?" for record in records]


async def test_records_come_in_order_with_their_movements(feed: Feed) -> None:
    """What was put in comes out, raw and decoded."""
    feed.put(event("a", 5), event("b", 6))
    async with feed.source() as source:
        batch = await fetched(source)
    assert [record.raw for record in batch.records] == [event("a", 5), event("b", 6)]
    assert [record.outcome for record in batch.records] == [movement("a", 5), movement("b", 6)]


async def test_a_message_that_is_no_movement_is_a_record_with_an_error(feed: Feed) -> None:
    """A damaged message neither raises nor hides the ones around it."""
    feed.put(event("a"), b'{"specversion": "1.0"', event("b", kind="x"), event("c"))
    async with feed.source() as source:
        batch = await fetched(source)
    assert ids(batch) == ["a", "?", "?", "c"]
    assert batch.records[1].raw == b'{"specversion": "1.0"'
    assert isinstance(batch.records[2].outcome, FormatError)


async def test_a_fetch_returns_no_more_than_it_is_asked_for(feed: Feed) -> None:
    """The rest comes with the next ones."""
    feed.put(*(event(f"m{n}") for n in range(5)))
    async with feed.source() as source:
        batches = [await fetched(source, 2) for _ in range(3)]
    assert [len(batch.records) for batch in batches] == [2, 2, 1]
    assert ids(*batches) == ["m0", "m1", "m2", "m3", "m4"]


async def test_a_fetch_of_nothing_returns(feed: Feed) -> None:
    """So that whoever asks can also be stopped."""
    async with feed.source() as source:
        assert await source.fetch(10) is None
        assert (await source.progress()).waiting == 0


async def test_messages_that_come_later_are_fetched(feed: Feed) -> None:
    """A source that was empty goes on."""
    async with feed.source() as source:
        assert await source.fetch(10) is None
        feed.put(event("late"))
        assert ids(await fetched(source)) == ["late"]


async def test_what_was_not_committed_comes_again_with_the_same_ids(feed: Feed) -> None:
    """After a crash, from the first record that is not committed."""
    feed.put(*(event(f"m{n}") for n in range(6)))
    async with feed.source() as source:
        first = await fetched(source, 2)
        await fetched(source, 2)
        await source.commit(first.position)
    async with feed.source() as source:
        assert ids(await fetched(source)) == ["m2", "m3", "m4", "m5"]


async def test_what_was_committed_does_not_come_again(feed: Feed) -> None:
    """Several batches are under way and committed in order; then nothing waits, also for the next process."""
    feed.put(*(event(f"m{n}") for n in range(5)))
    async with feed.source() as source:
        batches = [await fetched(source, 2) for _ in range(3)]
        for batch in batches:
            assert (await source.progress()).waiting
            await source.commit(batch.position)
        await rest(source)
    async with feed.source() as source:
        assert await source.fetch(10) is None
        assert (await source.progress()).waiting == 0


async def test_a_dead_letter_is_kept_raw_with_its_reason(feed: Feed) -> None:
    """People find what was refused, by whom and why."""
    feed.put(event("a"), event("b"))
    async with feed.source() as source:
        batch = await fetched(source)
        await source.dead_letter(batch.records[1], REFUSED)
        await source.commit(batch.position)
        await rest(source)
    assert feed.dead() == [DeadLetter(event("b"), "refused", "core", "INVALID: no zero")]


async def test_a_dead_letter_of_a_batch_that_was_not_committed_is_there_once(feed: Feed) -> None:
    """The batch comes again, and so does the refusal."""
    feed.put(event("a"), event("b"))
    async with feed.source() as source:
        batch = await fetched(source)
        await source.dead_letter(batch.records[0], REFUSED)
    async with feed.source() as source:
        batch = await fetched(source)
        await source.dead_letter(batch.records[0], REFUSED)
        await source.commit(batch.position)
        await rest(source)
    assert [letter.raw for letter in feed.dead()] == [event("a")]


async def test_fetch_and_commit_may_run_at_the_same_time(feed: Feed) -> None:
    """Each batch is committed while the next one is fetched."""
    feed.put(*(event(f"m{n}") for n in range(20)))
    seen: list[Record] = []
    async with feed.source() as source:
        batch = await fetched(source, 3)
        while len(seen) < 20:
            seen += batch.records
            if len(seen) < 20:
                batch, _ = await asyncio.gather(fetched(source, 3), source.commit(batch.position))
        await source.commit(batch.position)
        await rest(source)
        assert (await source.progress()).waiting == 0
    assert len({record.raw for record in seen}) == 20


async def test_closing_again_or_before_opening_is_fine(feed: Feed) -> None:
    """Whoever cleans up need not know how far it came."""
    source = feed.source()
    await source.close()
    await source.open()
    await source.close()
    await source.close()


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(
    sizes=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    crashes=st.lists(st.booleans(), max_size=8),
    batch_max=st.integers(1, 7),
)
async def test_each_movement_counts_once_however_often_the_source_starts_again(
    kind: str, sizes: list[int], crashes: list[bool], batch_max: int
) -> None:
    """The pump dies before or after a batch was recorded, as often as it likes; the ledger holds each unit once."""
    numbers = iter(range(1_000))
    core = LedgerCore()
    with tempfile.TemporaryDirectory() as folder:
        feed = KINDS[kind](Path(folder))
        for size in sizes:
            feed.put(*(event(f"m{next(numbers)}") for _ in range(size)))
        for after in crashes:
            (core.after if after else core.before).append(_Died())
            try:
                await pump_all(feed.source(), core, batch_max=batch_max)
            except _Died:
                continue
        core.before.clear()
        core.after.clear()
        await pump_all(feed.source(), core, batch_max=batch_max)
        assert core.on_hand() == {"SKU-1": sum(sizes)}
        assert feed.dead() == []
        async with feed.source() as source:
            assert (await source.progress()).waiting == 0


async def test_a_core_that_is_away_loses_nothing(feed: Feed) -> None:
    """The batch is sent again until it is recorded, also when an attempt was recorded and its answer lost."""
    feed.put(*(event(f"m{n}") for n in range(4)))
    core = LedgerCore()
    core.before.append(CoreUnavailableError("draining"))
    core.after += [None, CoreUnavailableError("answer lost")]
    counts = await pump_all(feed.source(), core, batch_max=2)
    assert core.on_hand() == {"SKU-1": 4}
    assert counts.retries == 2
    assert counts.applied + counts.duplicates == 4


class _Died(Exception):  # noqa: N818  # it is no error of ours
    """The process dies here."""
