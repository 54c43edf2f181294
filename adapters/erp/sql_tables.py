"""The tables of the SQL target, for SQLite and PostgreSQL alike. Times are UTC, quantities base units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import JSON, BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text

LAYOUT: Final = 1
"""Number of this layout; a build works on its own only."""


@dataclass(frozen=True, eq=False)
class ErpTables:
    """What the target holds.

    Attributes:
        metadata: all of them.
        layout: one row: the number of the layout.
        postings: one row for each posting, see `Posting`.
        positions: the stock of each SKU; `version` is that of the last change that was put.
        cursors: for each location how far its postings are, and which version all of its positions are of.
        set_aside: postings that the database would not take, with the reason.
    """

    metadata: MetaData
    layout: Table
    postings: Table
    positions: Table
    cursors: Table
    set_aside: Table


def erp_tables(schema: str | None) -> ErpTables:
    """Describe the tables, in a schema of PostgreSQL or None."""
    metadata = MetaData(schema=schema)
    postings = Table("postings", metadata, *_posting_columns())
    Index("postings_posting_id", postings.c.posting_id)
    Index("postings_sku", postings.c.sku, postings.c.location)
    return ErpTables(
        metadata,
        layout=Table("layout", metadata, _number("version", key=True)),
        postings=postings,
        positions=Table(
            "positions",
            metadata,
            _text("location", key=True),
            _text("sku", key=True),
            *map(
                _number,
                (
                    "on_hand",
                    "unsellable",
                    "held",
                    "committed",
                    "safety_stock",
                    "available",
                    "version",
                ),
            ),
        ),
        cursors=Table(
            "cursors",
            metadata,
            _text("location", key=True),
            _number("version"),
            _number("positions_version"),
            _time("updated_at"),
        ),
        set_aside=Table("set_aside", metadata, *_posting_columns(), _text("refusal")),
    )


def _posting_columns() -> list[Column[Any]]:
    return [
        _text("location", key=True),
        _number("version", key=True),
        _number("line", key=True),
        _text("posting_id"),
        _text("sku"),
        _text("type"),
        _text("reason"),
        _text("disposition"),
        _number("quantity"),
        _number("movements"),
        *(_names(name) for name in ("documents", "reservations", "orders", "correlation_ids", "traceparents")),
        _time("occurred_at"),
        _time("posted_at"),
    ]


def _text(name: str, *, key: bool = False) -> Column[Any]:
    return Column(name, Text(), primary_key=key, nullable=False)


def _number(name: str, *, key: bool = False) -> Column[Any]:
    # SQLite's INTEGER has 64 bits.
    number = BigInteger().with_variant(Integer(), "sqlite")
    return Column(name, number, primary_key=key, nullable=False, autoincrement=False)


def _names(name: str) -> Column[Any]:
    return Column(name, JSON(), nullable=False)


def _time(name: str) -> Column[Any]:
    return Column(name, DateTime(timezone=True), nullable=False)
