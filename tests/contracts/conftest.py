from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, NullPool, create_engine, event, text

from allocator.journal import Entry, Journal, JournalSettings, JournalStore, Write

Tamper = Callable[..., int]


@pytest.fixture(params=["sqlite", "postgres"])
def journal_kind(request: pytest.FixtureRequest) -> str:
    """The kind of database a contract runs on."""
    return str(request.param)


@pytest.fixture
def journal_settings(journal_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> JournalSettings:
    """Address of a journal that is not there yet."""
    if journal_kind == "sqlite":
        return JournalSettings(str(tmp_path / "journal"))
    url, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_schema")
    return JournalSettings(url, schema)


@pytest.fixture
def store(journal_settings: JournalSettings) -> Iterator[JournalStore]:
    """A journal that is not there yet."""
    with journal_settings.store() as store:
        yield store


@pytest.fixture
def writer_of(store: JournalStore) -> Iterator[Callable[[str], Journal]]:
    """Open a unit for writing; closed after the test."""
    with ExitStack() as opened:
        yield lambda unit: opened.enter_context(store.writer(unit))


@pytest.fixture
def journal(writer_of: Callable[[str], Journal]) -> Journal:
    """The writer of unit `u`."""
    return writer_of("u")


@pytest.fixture
def tamper(journal_settings: JournalSettings, journal_kind: str) -> Iterator[Tamper]:
    """Run SQL behind the journal's back, on unit `u`; returns how many rows it touched."""
    with _sql(journal_settings, journal_kind, "units/u.sqlite") as run:
        yield run


@pytest.fixture
def tamper_catalog(journal_settings: JournalSettings, journal_kind: str) -> Iterator[Tamper]:
    """The same on the catalog."""
    with _sql(journal_settings, journal_kind, "catalog.sqlite") as run:
        yield run


@contextmanager
def _sql(settings: JournalSettings, kind: str, file: str) -> Iterator[Tamper]:
    url = settings.url if kind == "postgres" else f"sqlite:///{settings.url}/{file}"
    engine = create_engine(url, poolclass=NullPool)
    if kind == "postgres":

        @event.listens_for(engine, "begin")
        def use_schema(connection: Connection) -> None:
            connection.exec_driver_sql(f"SET LOCAL search_path TO {settings.schema}")

    def run(statement: str, **values: object) -> int:
        with engine.begin() as connection:
            return connection.execute(text(statement), values).rowcount

    yield run
    engine.dispose()


@pytest.fixture
def filled(journal: Journal) -> int:
    """Shard `dc-1` of unit `u`, opened and with six entries `payload-1` to `payload-6`; its epoch."""
    epoch = journal.open("dc-1").epoch
    journal.append([Write("dc-1", epoch, Entry(version, f"payload-{version}".encode())) for version in range(1, 7)])
    return epoch
