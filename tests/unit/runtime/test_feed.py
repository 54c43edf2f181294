from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allocator.core import codec
from allocator.core.commands import Movement, MovementType
from allocator.core.ledger import StockLedger
from allocator.core.network.ledger import NetworkLedger
from allocator.core.network.types import CreateLocation, Location
from allocator.runtime.feed import CHANGES_MAX, Change, FeedRing, Recorder
from tests.unit.runtime.hosts import NOW_NS


def ring_of(start: int, changes: int, *, whole: bool = False) -> FeedRing:
    """A ring that began at a version and then published so many changes."""
    ring = FeedRing(start)
    for version in range(start + 1, start + changes + 1):
        ring.publish(Change(version, whole, b""))
    return ring


@given(start=st.integers(0, 50), changes=st.integers(0, 50), known=st.integers(0, 110))
def test_a_reader_gets_exactly_the_changes_after_what_it_knows(start: int, changes: int, known: int) -> None:
    """In order and without gaps; when the ring does not go back so far it says so; who is ahead gets nothing."""
    ring = ring_of(start, changes)
    since = ring.since(known)
    if known < start and changes + start > known:
        assert since is None
    else:
        assert [change.version for change in since or ()] == list(range(known + 1, start + changes + 1))


def test_a_ring_keeps_a_named_number_of_changes() -> None:
    """A reader that is further behind is sent everything anew."""
    ring = ring_of(0, CHANGES_MAX + 5)
    assert ring.since(4) is None
    assert len(ring.since(5) or ()) == CHANGES_MAX


def test_of_whole_pictures_only_the_last_is_sent() -> None:
    """A whole picture needs nothing before it, so it is right for every reader, however far behind."""
    ring = ring_of(7, 3, whole=True)
    for known in (-1, 0, 7, 9):
        assert [change.version for change in ring.since(known) or ()] == [10]
    assert ring.since(10) == []


def stock(ledger: StockLedger, movement_id: str, **units: int) -> int:
    """Receive goods in one batch; its version."""
    for sku, quantity in units.items():
        ledger.execute(Movement("erp", f"{movement_id}-{sku}", 0, sku, MovementType.RECEIPT, quantity), NOW_NS)
    return ledger.close_batch()


def test_a_change_holds_only_what_the_batch_touched_and_the_names_that_are_new() -> None:
    """Indexes, units free and quotas of what was touched; names once, when they first appear."""
    ledger = StockLedger("dc")
    recorder = Recorder(ledger)
    stock(ledger, "m1", fig=3, plum=4)
    first = recorder.changed()
    stock(ledger, "m2", plum=1, kiwi=9)
    second = recorder.changed()
    assert (first.version, first.whole, second.version) == (1, False, 2)
    assert codec.unpack(first.data)[3:5] == (0, ("fig", "plum"))
    indexes, free, limited, start, names, dated, capacity = codec.unpack(second.data)
    assert indexes == b"\1\0\0\0\2\0\0\0"
    assert free == (5).to_bytes(8, "little") + (9).to_bytes(8, "little")
    assert (limited, start, names, dated, capacity) == ((), 2, ("kiwi",), (), None)


def test_a_recorder_begins_with_what_is_there() -> None:
    """After a recovery only what happens from then on is a change."""
    ledger = StockLedger("dc")
    stock(ledger, "m1", fig=3)
    recorder = Recorder(ledger)
    stock(ledger, "m2", plum=4)
    assert codec.unpack(recorder.changed().data)[3:5] == (1, ("plum",))
    assert codec.unpack(recorder.whole().data)[3:5] == (0, ("fig", "plum"))


def test_every_change_of_the_network_is_the_whole_network() -> None:
    """It is small and changes seldom."""
    network = NetworkLedger()
    recorder = Recorder(network)
    changes = []
    for name in ("dc", "shop"):
        network.execute(CreateLocation(f"create-{name}", Location(name)), NOW_NS)
        network.close_batch()
        changes.append(recorder.changed())
    assert [change.whole for change in changes] == [True, True]
    assert [row[0] for row in codec.unpack(changes[-1].data)["locations"]] == ["dc", "shop"]
