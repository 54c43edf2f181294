"""The layout number of the tables, so that a build never works on tables of a newer release."""

from __future__ import annotations

from sqlalchemy import Connection, Table, insert, inspect, select

from allocator.journal.errors import FormatUnknown
from allocator.journal.formats import LAYOUT


def has_layout(connection: Connection, layout: Table) -> bool:
    """Tell whether the tables were ever made."""
    return inspect(connection).has_table(layout.name, schema=layout.schema)


def check_layout(connection: Connection, layout: Table, where: str) -> bool:
    """Tell whether the tables have a layout yet.

    Raises:
        FormatUnknown: it is not the one this build knows.
    """
    found = connection.scalar(select(layout.c.version))
    if found is not None and found != LAYOUT:
        raise FormatUnknown(where, "", None, found, (LAYOUT,))
    return found is not None


def write_layout(connection: Connection, layout: Table, where: str) -> None:
    """Note the layout in new tables, and check it in others."""
    if not check_layout(connection, layout, where):
        connection.execute(insert(layout).values(version=LAYOUT))
