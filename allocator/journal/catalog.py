"""The catalog: which unit a shard lives in, and how far the followers of the journal have come."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, and_, delete, func, or_, select, update

from allocator.journal.database import Database
from allocator.journal.errors import CursorUnknown
from allocator.journal.names import checked_cursor, checked_shard
from allocator.journal.port import Cursor
from allocator.journal.tables import CatalogTables, upsert


class Placed(NamedTuple):
    """Where a shard lives.

    Attributes:
        unit: the unit's name.
        started: whether a writer ever opened the shard; then its head exists, and anything else is damage.
    """

    unit: str
    started: bool


class Catalog:
    """The catalog of one journal.

    Attributes:
        database: that holds it.
    """

    def __init__(self, database: Database, tables: CatalogTables) -> None:
        self.database = database
        self._tables = tables

    def placed(self, shard: str) -> Placed | None:
        """Tell where a shard lives; None when nobody ever said."""
        shards = self._tables.shards
        with self.database.reading(shard) as connection:
            row = connection.execute(select(shards).where(shards.c.shard == shard)).first()
        return None if row is None else Placed(row.unit, bool(row.started))

    def places(self) -> dict[str, Placed]:
        """Tell where every shard lives, by name."""
        shards = self._tables.shards
        with self.database.reading() as connection:
            rows = connection.execute(select(shards).order_by(shards.c.shard)).all()
        return {row.shard: Placed(row.unit, bool(row.started)) for row in rows}

    def place(self, units: Mapping[str, str]) -> None:
        """Set the units of shards."""
        if not units:
            return
        rows = [{"shard": checked_shard(shard), "unit": unit, "started": 0} for shard, unit in units.items()]
        with self.database.writing() as connection:
            query = upsert(connection, self._tables.shards)
            connection.execute(
                query.on_conflict_do_update(index_elements=["shard"], set_={"unit": query.excluded.unit}),
                rows,
            )

    def start(self, shard: str, unit: str, *, anywhere: bool) -> str:
        """Note that a writer opened the shard, and return the unit it has: `unit`, unless it had one before.

        When that is another one, the note is only made if a shard may be written from `anywhere`.
        """
        shards = self._tables.shards
        with self.database.writing(shard) as connection:
            row = {"shard": shard, "unit": unit, "started": 0}
            connection.execute(upsert(connection, shards).on_conflict_do_nothing(), row)
            home: str = connection.execute(select(shards.c.unit).where(shards.c.shard == shard)).scalar_one()
            if anywhere or home == unit:
                connection.execute(update(shards).where(shards.c.shard == shard).values(started=1))
        return home

    def register(self, name: str, shards: Collection[str] | None) -> None:
        """Register a cursor for some shards or for every one. Positions of shards it no longer follows go."""
        cursors, positions = self._tables.cursors, self._tables.positions
        row = {"name": checked_cursor(name), "every_shard": int(shards is None)}
        followed = [{"name": name, "shard": checked_shard(shard), "version": 0} for shard in shards or ()]
        with self.database.writing() as connection:
            query = upsert(connection, cursors)
            every_shard = {"every_shard": query.excluded.every_shard}
            connection.execute(query.on_conflict_do_update(index_elements=["name"], set_=every_shard), row)
            if shards is not None:
                gone = positions.c.shard.not_in([row["shard"] for row in followed])
                connection.execute(delete(positions).where(positions.c.name == name, gone))
            if followed:
                connection.execute(upsert(connection, positions).on_conflict_do_nothing(), followed)

    def advance(self, name: str, versions: Mapping[str, int]) -> None:
        """Move a cursor forward for some shards, all in one transaction; never backwards.

        Raises:
            CursorUnknown: it is not registered, or not for one of the shards.
        """
        positions = self._tables.positions
        rows = [
            {"name": name, "shard": checked_shard(shard), "version": version} for shard, version in versions.items()
        ]
        if not rows:
            return
        with self.database.writing() as connection:
            self._check_follows(connection, name, versions)
            query = upsert(connection, positions)
            connection.execute(
                query.on_conflict_do_update(
                    index_elements=["name", "shard"],
                    set_={"version": query.excluded.version},
                    where=positions.c.version < query.excluded.version,
                ),
                rows,
            )

    def cursors(self) -> list[Cursor]:
        """List every position, sorted by name and shard; 0 where a cursor of every shard has not begun."""
        cursors, positions, shards = self._tables.cursors, self._tables.positions, self._tables.shards
        with self.database.reading() as connection:
            every = connection.execute(select(cursors.c.name).where(cursors.c.every_shard == 1)).scalars().all()
            names = connection.execute(select(shards.c.shard)).scalars().all()
            rows = connection.execute(select(positions.c.name, positions.c.shard, positions.c.version)).all()
        start = {(name, shard): 0 for name in every for shard in names}
        known = start | {(row.name, row.shard): row.version for row in rows}
        return [Cursor(name, shard, version) for (name, shard), version in sorted(known.items())]

    def drop(self, name: str) -> None:
        """Forget a cursor and its positions; one that is not there is dropped already."""
        with self.database.writing() as connection:
            for table in (self._tables.positions, self._tables.cursors):
                connection.execute(delete(table).where(table.c.name == name))

    def slowest(self, shard: str) -> int | None:
        """Return the position of the slowest cursor that follows the shard; None when no cursor does."""
        cursors, positions = self._tables.cursors, self._tables.positions
        here = and_(positions.c.name == cursors.c.name, positions.c.shard == shard)
        follows = or_(cursors.c.every_shard == 1, positions.c.shard.is_not(None))
        query = select(func.min(func.coalesce(positions.c.version, 0))).select_from(cursors.outerjoin(positions, here))
        with self.database.reading(shard) as connection:
            slowest: int | None = connection.execute(query.where(follows)).scalar()
        return slowest

    def close(self) -> None:
        """Close the database."""
        self.database.close()

    def _check_follows(self, connection: Connection, name: str, shards: Iterable[str]) -> None:
        cursors, positions = self._tables.cursors, self._tables.positions
        every = connection.execute(select(cursors.c.every_shard).where(cursors.c.name == name)).scalar()
        if every:
            return
        known = connection.execute(select(positions.c.shard).where(positions.c.name == name)).scalars().all()
        for shard in sorted(set(shards) - set(known)):
            raise CursorUnknown(name, shard)
