from __future__ import annotations

from typing import NamedTuple, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.journal import Entry, FormatUnknown, JournalDamaged
from allocator.journal.formats import (
    FORMAT,
    FORMATS_READ,
    Chain,
    chunk_checksum,
    entry_checksum,
    missing,
    snapshot_checksum,
)

SHARDS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8)
NUMBERS = st.integers(0, 2**63 - 1)
PLACES = st.tuples(SHARDS, NUMBERS, NUMBERS)


class Row(NamedTuple):
    """A stored entry."""

    version: int
    format: int
    epoch: int
    checksum: int
    payload: bytes


def row(version: int, epoch: int = 1, payload: bytes = b"x") -> Row:
    """A sound entry of shard `s`."""
    return Row(version, FORMAT, epoch, entry_checksum("s", version, epoch, payload), payload)


def test_what_is_written_can_be_read() -> None:
    """The build reads its own format."""
    assert FORMAT in FORMATS_READ


def test_checksums_are_what_the_format_says() -> None:
    """Fixed values: another result would make every stored journal unreadable."""
    assert entry_checksum("dc-1", 7, 2, b"payload") == 1832769965
    assert chunk_checksum("dc-1", 7, 2, 0, b"payload") == 1966345954
    assert snapshot_checksum("dc-1", 7, 2, 3, 4) == 420679965


@given(one=PLACES, other=PLACES, payload=st.binary(max_size=20))
def test_a_checksum_is_for_one_place(one: tuple[str, int, int], other: tuple[str, int, int], payload: bytes) -> None:
    """An entry in another place, or a piece of a snapshot in its stead, has another checksum."""
    if one != other:
        assert entry_checksum(*one, payload) != entry_checksum(*other, payload)
    assert entry_checksum(*one, payload) != chunk_checksum(*one, 0, payload)


@given(payload=st.binary(min_size=1, max_size=200), at=st.integers(0, 199), bit=st.integers(0, 7))
def test_a_flipped_bit_changes_the_checksum(payload: bytes, at: int, bit: int) -> None:
    """CRC-32 finds every single one."""
    flipped = bytearray(payload)
    flipped[at % len(payload)] ^= 1 << bit
    assert entry_checksum("s", 1, 1, bytes(flipped)) != entry_checksum("s", 1, 1, payload)


def test_a_chain_takes_what_follows() -> None:
    """Sound entries come out, up to the head."""
    chain = Chain("file", "s", 4, epoch=2)
    assert [chain.take(row(5)), chain.take(row(6, epoch=2))] == [Entry(5, b"x"), Entry(6, b"x")]
    chain.end(6)


@pytest.mark.parametrize(
    ("broken", "what"),
    [
        (row(7), "the entries 5 to 6 are missing"),
        (row(6), "entry 5 is missing"),
        (row(5, epoch=3), "epoch 3 is beyond the shard's epoch 2"),
        (row(5)._replace(payload=b"y"), "its checksum is"),
        (row(5)._replace(payload=cast("bytes", "x")), "its payload is str, not bytes"),
        (row(5)._replace(payload=cast("bytes", None)), "its payload is NoneType, not bytes"),
    ],
)
def test_a_chain_stops_at_what_does_not(broken: Row, what: str) -> None:
    """Whatever is wrong is told with the entry that is concerned."""
    with pytest.raises(JournalDamaged, match=what) as caught:
        Chain("file", "s", 4, epoch=2).take(broken)
    assert caught.value.args[:3] == ("file", "s", 5)


def test_a_chain_does_not_read_other_formats() -> None:
    """They may mean anything."""
    with pytest.raises(FormatUnknown):
        Chain("file", "s", 4, epoch=2).take(row(5)._replace(format=99))


@pytest.mark.parametrize(("head", "version"), [(5, 5), (3, 4)])
def test_a_chain_ends_at_the_head(head: int, version: int) -> None:
    """Neither before nor beyond."""
    with pytest.raises(JournalDamaged) as caught:
        Chain("file", "s", 4, epoch=2).end(head)
    assert caught.value.version == version


def test_what_is_missing_is_named() -> None:
    """One, or a run."""
    assert missing(3, 3) == "entry 3 is missing"
    assert missing(3, 5) == "the entries 3 to 5 are missing"
    assert missing(0, 1, "piece", "pieces") == "the pieces 0 to 1 are missing"
