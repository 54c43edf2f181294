"""The order book of the demo, read from the cut of real orders in `demo/data`."""

from __future__ import annotations

import csv
import lzma
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

ORDERS_FILE: Final = Path(__file__).parent / "data" / "orders.csv.xz"
CANCELLED: Final = "C"
"""What the number of a cancellation begins with."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order as it was placed; lines of the same SKU are summed, as the service would.

    Attributes:
        number: of the invoice.
        customer: number, "" when unknown.
        country: of the customer, as the source calls it.
        placed_at: local time of the United Kingdom, without a zone.
        lines: units by SKU.
    """

    number: str
    customer: str
    country: str
    placed_at: datetime
    lines: dict[str, int]


@dataclass(frozen=True, slots=True)
class GivenBack:
    """One line of a cancellation.

    Attributes:
        number: of the cancellation's invoice, with the line's place in it: unique.
        sku: which.
        quantity: units, above 0.
        order: number of the order whose line this takes back; "": it was placed before the cut, or by nobody known.
        hours_later: how long after that order, hours.
    """

    number: str
    sku: str
    quantity: int
    order: str = ""
    hours_later: float = 0.0


@dataclass(frozen=True, slots=True)
class WriteOff:
    """A negative line without a customer and a price: units that were thrown away. `number` is unique."""

    number: str
    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class OrderBook:
    """All that the cut has, in its order. `source_lines` counts the positive lines before those of a SKU are summed."""

    orders: tuple[Order, ...]
    given_back: tuple[GivenBack, ...]
    write_offs: tuple[WriteOff, ...]
    source_lines: int


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the cut."""

    invoice: str
    sku: str
    quantity: int
    customer: str
    country: str
    at: datetime


def read_orders(path: Path = ORDERS_FILE) -> OrderBook:
    """Read the order book."""
    with lzma.open(path, "rt", encoding="utf-8", newline="") as text:
        return sort_out(
            Row(
                line["InvoiceNo"],
                line["StockCode"],
                int(line["Quantity"]),
                line["CustomerID"],
                line["Country"],
                datetime.fromisoformat(line["InvoiceDate"]),
            )
            for line in csv.DictReader(text)
        )


def sort_out(rows: Iterable[Row]) -> OrderBook:
    """Tell orders, cancellations and write-offs apart, and find the order that a cancellation takes back."""
    orders: dict[str, Order] = {}
    purchases = _Purchases()
    given_back: list[GivenBack] = []
    write_offs: list[WriteOff] = []
    source_lines = 0
    for row in rows:
        if row.quantity > 0:
            source_lines += 1
            order = orders.setdefault(row.invoice, Order(row.invoice, row.customer, row.country, row.at, {}))
            order.lines[row.sku] = order.lines.get(row.sku, 0) + row.quantity
            purchases.note(row)
        elif row.invoice.startswith(CANCELLED):
            given_back.append(purchases.take_back(row, f"{row.invoice}:{len(given_back)}"))
        else:
            write_offs.append(WriteOff(f"{row.invoice}:{len(write_offs)}", row.sku, -row.quantity))
    return OrderBook(tuple(orders.values()), tuple(given_back), tuple(write_offs), source_lines)


def demand(orders: Iterable[Order]) -> Counter[str]:
    """Units ordered by SKU."""
    total: Counter[str] = Counter()
    for order in orders:
        total.update(order.lines)
    return total


class _Purchases:
    """What each customer bought and did not give back yet."""

    def __init__(self) -> None:
        self._lines: dict[tuple[str, str], list[tuple[Row, list[int]]]] = defaultdict(list)

    def note(self, row: Row) -> None:
        if row.customer:
            self._lines[row.customer, row.sku].append((row, [row.quantity]))

    def take_back(self, row: Row, number: str) -> GivenBack:
        """Match a negative line with the newest earlier purchase that covers it."""
        wanted = -row.quantity
        for bought, left in reversed(self._lines.get((row.customer, row.sku), [])):
            if left[0] >= wanted and bought.at <= row.at:
                left[0] -= wanted
                hours = (row.at - bought.at).total_seconds() / 3600
                return GivenBack(number, row.sku, wanted, bought.invoice, hours)
        return GivenBack(number, row.sku, wanted)
