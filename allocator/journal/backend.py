"""What the journal needs from a kind of database. `sqlite.py` and `postgres.py` are the two there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

from allocator.journal.database import Database
from allocator.journal.lock import ServiceLock
from allocator.journal.tables import Layout


class WriterDatabases(NamedTuple):
    """What one writer works on. On PostgreSQL both are the same.

    Attributes:
        unit: holds the logs.
        catalog: holds cursors and the places of shards.
    """

    unit: Database
    catalog: Database


class Backend(ABC):
    """Opens databases. Making one does no I/O.

    Attributes:
        where: what messages call the journal as a whole.
        tables: of both kinds.
        unit_files: whether each unit is a file of its own, so that a shard's rows move when its unit changes.
    """

    where: str
    tables: Layout
    unit_files: bool

    @abstractmethod
    def writer(self, unit: str) -> WriterDatabases:
        """Open what a writer needs, and make what is missing."""

    @abstractmethod
    def catalog(self) -> Database:
        """Open the catalog for writing, and make what is missing."""

    @abstractmethod
    def catalog_for_reading(self) -> Database:
        """Open the catalog, which has to be there."""

    @abstractmethod
    def unit_for_reading(self, unit: str) -> Database:
        """Open a unit, which has to be there."""

    @abstractmethod
    def lock(self) -> ServiceLock:
        """Take the lock of the one service that runs on this journal."""

    @abstractmethod
    def file_findings(self, database: Database) -> list[str]:
        """Ask the database itself what is wrong with its file; empty when it cannot tell."""
