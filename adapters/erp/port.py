"""The port of an ERP target: a database, Tryton, Odoo and the like."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field

NAMED_MAX: Final = 100
"""Documents, reservations, orders and calls a posting names of each; `movements` tells how many facts there are."""


class Posting(NamedTuple):
    """One stock effect of one version of a location's ledger.

    Everything in the version with the same SKU, type, reason and disposition is one posting. Their sum over all
    postings of a SKU at a location is its on_hand; over those of a disposition, the units in it.

    Attributes:
        location: where.
        version: of the location's ledger.
        line: number within the version, from 1.
        sku: which article.
        type: `receipt`, `sale` and so on as in movements; `fulfilment` for units of a reservation that left,
            `count` also for SetCount, `opening_balance` for what was there before the journal begins.
        reason: the source's reason code.
        disposition: that the units entered or left; "" is sellable.
        quantity: units, signed, never 0.
        movements: how many facts are summed up.
        documents, reservations, orders: what they refer to.
        correlation_ids, traceparents: of the calls behind them.
        occurred_ns: when the first of them happened, ns since 1970 UTC.
    """

    location: str
    version: int
    line: int
    sku: str
    type: str
    reason: str
    disposition: str
    quantity: int
    movements: int
    documents: tuple[str, ...]
    reservations: tuple[str, ...]
    orders: tuple[str, ...]
    correlation_ids: tuple[str, ...]
    traceparents: tuple[str, ...]
    occurred_ns: int

    @property
    def posting_id(self) -> str:
        """The id under which an ERP knows the version: the same on every attempt."""
        return f"{self.location}:{self.version}"


class Position(NamedTuple):
    """Stock of one SKU at a location, base units; `available` is what can be promised without a channel."""

    sku: str
    on_hand: int
    unsellable: int
    held: int
    committed: int
    safety_stock: int
    available: int


class Refusal(NamedTuple):
    """What an ERP will never take.

    Attributes:
        key: which posting or position, for people.
        reason: what the ERP said.
    """

    key: str
    reason: str


class ErpOptions(BaseModel):
    """Settings that every ERP target has."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    poll_s: float = Field(0.5, gt=0, le=3600, description="how often the journal is looked at, seconds")
    positions: bool = Field(
        default=True, description="keep positions; needs about the memory that the location's own process has for stock"
    )
    positions_s: float = Field(2.0, ge=0, le=86_400, description="least time between positions of a location, s")


class ErpTarget(ABC):
    """An ERP that takes postings and positions. All methods are called from one thread, and may block.

    Every method but `close` may raise `TargetUnavailableError` when the ERP cannot be reached, wants to be asked
    later (429) or has lost its tables: nothing has changed then, and the same call is made again.

    Args:
        name: of the adapter.
        options: its settings, of the class `Options`.
        data_dir: where it may keep files; relative paths in its settings begin there.
    """

    Options: ClassVar[type[ErpOptions]]

    @abstractmethod
    def __init__(self, name: str, options: Any, data_dir: Path) -> None:  # noqa: ANN401  # of the class Options
        ...

    @abstractmethod
    def open(self) -> None:
        """Connect, and make what is missing. Nothing is touched before, and nothing stays open when it raises."""

    @abstractmethod
    def cursor(self, location: str) -> int:
        """Return the version up to which the ERP has every posting of a location, durably; 0 before the first."""

    @abstractmethod
    def post(self, location: str, version: int, postings: Sequence[Posting], posted_ns: int) -> tuple[Refusal, ...]:
        """Post what follows the cursor and move it to `version`; both are durable on return.

        A version that the ERP has already must not be posted twice: in one transaction with the cursor where the
        ERP has transactions, else by looking up `posting_id`.

        Args:
            location: whose postings.
            version: the cursor afterwards; there may be no posting for it.
            postings: in order of version and line.
            posted_ns: now, ns since 1970 UTC.

        Returns:
            What the ERP will never take (an unknown product). It is set aside where people find it, with the
            reason, and is durable with the cursor.
        """

    @abstractmethod
    def put_positions(
        self, location: str, version: int, positions: Iterable[Position], *, whole: bool
    ) -> tuple[Refusal, ...]:
        """Replace positions of a location by those of `version`, all or none; an older version changes nothing.

        Args:
            location: where.
            version: the state of the ledger they are from.
            positions: each SKU once.
            whole: whether these are all there are; else the others have not changed since they were put.

        Returns:
            What the ERP will never take.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of connections. May be called again, and on a target that was never opened."""

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
