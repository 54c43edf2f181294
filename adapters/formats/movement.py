"""The canonical movement, and what a line of a feed turns into."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from allocator.core.commands import Movement, MovementType, SupplyKind

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
FOUND_LENGTH_MAX: Final = 60
"""Characters of a bad value that a message repeats."""


class StockMovement(NamedTuple):
    """A physical stock fact: the location, then the fields of `allocator.core.commands.Movement`.

    Attributes:
        location: id of the location.
        source: who tells it.
        movement_id: unique per source.
        sequence: optional position in the source's stream (0: none).
        sku: which article.
        type: a `MovementType`.
        quantity: units; signed for ADJUSTMENT, the absolute count for COUNT.
        disposition: where units land or are taken from; "" is sellable.
        from_disposition: only for DISPOSITION_CHANGE.
        reservation: id of the reservation these units fulfil, if any.
        occurred_ns: when it happened, ns since 1970 UTC (0: when it is recorded).
        recorded_ns: when the source wrote it down (0: unknown).
        reason: the source's reason code.
        reference: the document behind it.
        corrects: movement_id of the same source that this one corrects.
        supply: for SUPPLY what it announces; for RECEIPT and TRANSFER_IN, the supply these units come from.
        expect_ns: for SUPPLY, when the units are expected, ns since 1970 UTC (0: none).
        final: for RECEIPT and TRANSFER_IN: the rest of the supply will not come.
        supply_kind: for SUPPLY, where the units come from; None: as it was.
    """

    location: str
    source: str
    movement_id: str
    sequence: int
    sku: str
    type: MovementType
    quantity: int
    disposition: str = ""
    from_disposition: str = ""
    reservation: str = ""
    occurred_ns: int = 0
    recorded_ns: int = 0
    reason: str = ""
    reference: str = ""
    corrects: str = ""
    supply: str = ""
    expect_ns: int = 0
    final: bool = False
    supply_kind: SupplyKind | None = None

    def command(self) -> Movement:
        """The movement as the core's command; which location it is for is not part of it."""
        return Movement(*self[1:-1], supply_kind=self.supply_kind or 0)


class FormatError(NamedTuple):
    """Why a line is not a movement. A value, not an exception: one bad line stops nothing.

    Attributes:
        line: its number, from 1.
        field: what is wrong with it; "" is the line as a whole.
        expected: what would have been right.
        found: what stands there, shortened.
    """

    line: int
    field: str
    expected: str
    found: str

    def __str__(self) -> str:
        place = f"line {self.line}" + (f", {self.field}" if self.field else "")
        return f"{place}: expected {self.expected}, found {self.found}"


class Origin(NamedTuple):
    """Where a line was met first; read again as from there, it gives a movement with the same id.

    Attributes:
        file: name of the file.
        line: number in it, from 1.
        format: name of the file's format.
        digest: of the file's content.
        source: of movements that name none.
        delimiter: between cells.
        header: its header line, for a format that has one.
        attempts: how often the line was refused.
    """

    file: str
    line: int
    format: str
    digest: str = ""
    source: str = ""
    delimiter: str = ""
    header: str = ""
    attempts: int = 0


class Place(NamedTuple):
    """A place between two lines of a file.

    Attributes:
        line: number of the line before it, 0 at the start.
        offset: bytes before it.
    """

    line: int = 0
    offset: int = 0


START: Final = Place()


class Line(NamedTuple):
    """One line of a file.

    Attributes:
        number: its number, from 1.
        end: offset in bytes of what follows it.
        raw: its bytes without the line end, shortened to `LINE_BYTES_MAX`.
        outcome: the movement, or what is wrong.
        origin: set when the line was first met elsewhere.
    """

    number: int
    end: int
    raw: bytes
    outcome: StockMovement | FormatError
    origin: Origin | None = None

    @property
    def place(self) -> Place:
        """The place after it."""
        return Place(self.number, self.end)


def shortened(value: object) -> str:
    """A bad value as messages repeat it."""
    text = repr(value)
    return text if len(text) <= FOUND_LENGTH_MAX else f"{text[:FOUND_LENGTH_MAX]}..."


def ns_of(time: datetime) -> int:
    """Nanoseconds since 1970 UTC of an aware time."""
    return (time - EPOCH) // timedelta(microseconds=1) * 1_000


def time_of(ns: int) -> datetime | None:
    """The time of `ns` since 1970 UTC, cut to microseconds; None for 0, which means that there is none."""
    return EPOCH + timedelta(microseconds=ns // 1_000) if ns else None
