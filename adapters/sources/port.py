"""The port of a source of stock movements: files, brokers, webhooks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self

from pydantic import BaseModel

from adapters.formats import FormatError, RejectClass, RejectedBy, StockMovement

FETCH_WAIT_MAX_S: Final = 1.0
"""How long a fetch may wait for something to come: a source that is told to stop does so within this."""


class Record(NamedTuple):
    """One message of the outside.

    Attributes:
        raw: its bytes as they came.
        outcome: the movement in it, or what is wrong with it.
        place: where the source has it from, for messages and dead letters; only the source reads it.
    """

    raw: bytes
    outcome: StockMovement | FormatError
    place: object


class Batch(NamedTuple):
    """What one fetch brought.

    Attributes:
        records: in the source's order; none when there is only a position to commit.
        position: what to commit once all of the records are settled; only the source reads it.
    """

    records: tuple[Record, ...]
    position: object


class Rejection(NamedTuple):
    """Why a record was set aside.

    Attributes:
        reject_class: what can be done about it.
        by: who refused it.
        reason: why, for people.
    """

    reject_class: RejectClass
    by: RejectedBy
    reason: str


class Progress(NamedTuple):
    """How far a source has come.

    Attributes:
        waiting: units of work that are not settled yet (files, messages); 0 when it has caught up.
        detail: figures for people.
    """

    waiting: int
    detail: Mapping[str, object]


class MovementSource(ABC):
    """A source of stock movements.

    `fetch` and `commit` may run at the same time, each never twice at once. Several batches may be fetched before
    the first of them is committed; batches are committed in the order they were fetched, each once, after the core
    has all of their movements durably and every dead letter was handed over. What was not committed comes again
    after a restart: the core tells repeats by (source, movement_id), so a record must give the same ids each time.

    Every method may raise an `AllocatorError` or an `OSError` when the outside fails: the source is then closed,
    and after a while another one is made and opened.

    Args:
        name: of the adapter.
        options: its settings, of the class `Options`.
        data_dir: where it may keep files; relative paths in its settings begin there.
    """

    Options: ClassVar[type[BaseModel]]

    @abstractmethod
    def __init__(self, name: str, options: Any, data_dir: Path) -> None:  # noqa: ANN401  # of the class Options
        ...

    @abstractmethod
    async def open(self) -> None:
        """Connect. Nothing is touched before."""

    @abstractmethod
    async def fetch(self, limit: int) -> Batch | None:
        """Return up to `limit` records that follow those of the last fetch.

        Waits up to `FETCH_WAIT_MAX_S` for something to come, then returns None.
        """

    @abstractmethod
    async def commit(self, position: object) -> None:
        """Note durably that everything up to `position` is settled."""

    @abstractmethod
    async def dead_letter(self, record: Record, rejection: Rejection) -> None:
        """Keep a record that was refused, raw, with the reason; durable at the latest when its batch is committed."""

    @abstractmethod
    async def progress(self) -> Progress:
        """Tell how far it has come."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of files and connections. May be called again, and on a source that was never opened."""

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()
