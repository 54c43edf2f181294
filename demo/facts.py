"""Stock facts on their way into the watched folder, as CSV and as JSON lines of CloudEvents."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, NamedTuple

from demo.errors import DemoError

EVENT_TYPE: Final = "allocator.demo.movement"
LOOK_S: Final = 0.1
Kind = Literal["receipt", "sale", "return", "adjustment"]


class StockFact(NamedTuple):
    """A movement as a source tells it.

    Attributes:
        location: where.
        sku: which.
        kind: what happened.
        quantity: units; signed for an adjustment, else above 0.
        number: unique in its source.
        disposition: where the units land or are taken from; "" is sellable.
        reference: the document behind it.
    """

    location: str
    sku: str
    kind: Kind
    quantity: int
    number: str
    disposition: str = ""
    reference: str = ""

    @property
    def delta(self) -> int:
        """What it does to on_hand."""
        return -self.quantity if self.kind == "sale" else self.quantity


@dataclass(frozen=True, slots=True)
class StockFile:
    """A file to drop: its name tells the format (`.csv` or `.jsonl`), `source` who tells the facts."""

    name: str
    source: str
    facts: tuple[StockFact, ...]

    def content(self) -> bytes:
        """The file as bytes."""
        return (as_csv if self.name.endswith(".csv") else as_events)(self.source, self.facts)


def as_csv(source: str, facts: Iterable[StockFact]) -> bytes:
    """Facts as CSV with a header row."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("source", "movement_id", "location", "sku", "type", "quantity", "disposition", "reference"))
    for fact in facts:
        row = (fact.location, fact.sku, fact.kind, fact.quantity, fact.disposition, fact.reference)
        writer.writerow((source, fact.number, *row))
    return text.getvalue().encode()


def as_events(source: str, facts: Iterable[StockFact]) -> bytes:
    """Facts as CloudEvents 1.0, one JSON object per line."""
    return b"".join(json.dumps(_event(source, fact)).encode() + b"\n" for fact in facts)


def _event(source: str, fact: StockFact) -> dict[str, object]:
    data: dict[str, object] = {"sku": fact.sku, "type": fact.kind, "quantity": fact.quantity}
    data |= {name: value for name in ("disposition", "reference") if (value := getattr(fact, name))}
    return {
        "specversion": "1.0",
        "id": fact.number,
        "source": source,
        "type": EVENT_TYPE,
        "partitionkey": fact.location,
        "data": data,
    }


class WatchedFolder:
    """The folder that the service watches, seen from outside: `inbox` to drop into, `done` and `failed` to look at."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._dropped: set[str] = set()

    def drop(self, file: StockFile) -> None:
        """Put a file into the inbox, whole at once."""
        inbox = self._root / "inbox"
        inbox.mkdir(parents=True, exist_ok=True)
        part = inbox / f"{file.name}.part"
        part.write_bytes(file.content())
        part.replace(inbox / file.name)
        self._dropped.add(file.name)

    @property
    def waiting(self) -> Sequence[str]:
        """Names of dropped files that are not taken in yet.

        Raises:
            DemoError: the service could not read something.
        """
        failed = sorted(path.name for path in self._files("failed"))
        if failed:
            raise DemoError(f"the service refused what was dropped: {', '.join(failed)} in {self._root / 'failed'}")
        return sorted(self._dropped - {path.name for path in self._files("done")})

    async def taken_in(self, timeout_s: float) -> None:
        """Wait until all that was dropped is taken in.

        Raises:
            DemoError: it was not in time, or something was refused.
        """
        deadline_s = time.monotonic() + timeout_s
        while waiting := self.waiting:
            if time.monotonic() > deadline_s:
                raise DemoError(f"not taken in within {timeout_s:g} s: {', '.join(waiting)}")
            await asyncio.sleep(LOOK_S)

    def _files(self, folder: str) -> Iterable[Path]:
        path = self._root / folder
        return path.iterdir() if path.is_dir() else ()
