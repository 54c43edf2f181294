"""The journal on PostgreSQL: lost connections and servers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection, NullPool, create_engine, text

from allocator.journal import Entry, JournalLocked, JournalSettings, JournalStore, JournalUnavailable, Write

LOCK_WAIT = text(
    "SELECT pid FROM pg_stat_activity"
    " WHERE wait_event_type = 'Lock' AND application_name LIKE 'allocator%' AND query LIKE :query"
)


@pytest.fixture
def settings(postgres_url: str, postgres_schema: str) -> JournalSettings:
    """A journal in a schema of its own."""
    return JournalSettings(postgres_url, postgres_schema)


@pytest.fixture
def admin(postgres_url: str) -> Iterator[Connection]:
    """A session that looks on and interferes."""
    engine = create_engine(postgres_url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def kill(admin: Connection, application: str) -> int:
    """End the sessions of an application as an administrator would, and wait until they are gone."""
    gone = text("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE :name")
    return sum(bool(done) for done in admin.execute(gone, {"name": application}).scalars())


def waiting(admin: Connection, schema: str) -> int:
    """Wait until a session of this schema waits for a lock, and return its process."""
    while True:
        pid: int | None = admin.execute(LOCK_WAIT, {"query": f"%{schema}%"}).scalar()
        if pid is not None:
            return pid


def test_an_append_whose_connection_is_killed_is_unavailable_and_then_it_works_again(
    settings: JournalSettings, admin: Connection
) -> None:
    """The outcome is unknown to the caller, who opens again and finds it was not written."""
    with settings.store().writer("u") as journal, ThreadPoolExecutor(1) as appender:
        epoch = journal.open("dc-1").epoch
        journal.append([Write("dc-1", epoch, Entry(1, b"before"))])
        blocker = admin.engine.connect().execution_options(isolation_level="READ COMMITTED")
        with blocker, blocker.begin():
            blocker.execute(text(f"SELECT * FROM {settings.schema}.heads FOR UPDATE"))
            append = appender.submit(journal.append, [Write("dc-1", epoch, Entry(2, b"killed"))])
            admin.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": waiting(admin, settings.schema)})
            with pytest.raises(JournalUnavailable, match=r"schema allocator_test_.*terminating connection"):
                append.result()
        opened = journal.open("dc-1")
        assert opened.tail == [Entry(1, b"before")]
        journal.append([Write("dc-1", opened.epoch, Entry(2, b"after"))])
        assert journal.open("dc-1").tail == [Entry(1, b"before"), Entry(2, b"after")]


def test_an_idle_connection_that_is_killed_is_replaced(
    settings: JournalSettings, admin: Connection, postgres_url: str
) -> None:
    """A restart of the server between two appends costs nothing."""
    separator = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{separator}application_name=idle_{settings.schema}"
    with JournalSettings(url, settings.schema).store().writer("u") as journal:
        epoch = journal.open("dc-1").epoch
        assert kill(admin, f"idle_{settings.schema}") >= 1
        journal.append([Write("dc-1", epoch, Entry(1, b"x"))])
        assert journal.open("dc-1").tail == [Entry(1, b"x")]


def test_a_commit_reaches_the_servers_disk(settings: JournalSettings, postgres_url: str) -> None:
    """synchronous_commit is on for the session, whatever the role's default is; the address may add options."""
    separator = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{separator}options=-csynchronous_commit%3Doff%20-cwork_mem%3D5MB"
    with JournalSettings(url, settings.schema).store().writer("u") as journal:
        sessions = journal._database.engine  # type: ignore[attr-defined]  # noqa: SLF001 - the real ones
        with sessions.connect() as connection:
            assert connection.execute(text("SHOW synchronous_commit")).scalar() == "on"
            assert connection.execute(text("SHOW work_mem")).scalar() == "5MB"


def test_the_lock_is_lost_with_its_session(settings: JournalSettings, admin: Connection, postgres_url: str) -> None:
    """The holder can tell, and another service can take it."""
    separator = "&" if "?" in postgres_url else "?"
    url = f"{postgres_url}{separator}application_name=lock_{settings.schema}"
    store = JournalStore(url, settings.schema)
    with store.lock() as lock:
        with pytest.raises(JournalLocked, match=f"lock_{settings.schema}"):
            store.lock()
        assert kill(admin, f"lock_{settings.schema}") == 1
        assert not lock.held()
        store.lock().release()


def test_another_schema_is_another_journal(settings: JournalSettings) -> None:
    """Locks and shards do not meet."""
    with JournalSettings(settings.url, settings.schema[:-1]).store().lock(), settings.store().lock():
        pass


def test_a_server_that_is_not_there_is_unavailable() -> None:
    """The message names the address without the password, and says what to check."""
    store = JournalStore("postgresql://clerk:secret@127.0.0.1:1/stock")
    for use in (lambda: store.writer("u"), store.reader, store.cursors, store.lock):
        with pytest.raises(JournalUnavailable, match="check that the server runs") as caught:
            use()
        assert "secret" not in str(caught.value)
        assert "clerk:***@127.0.0.1:1/stock" in str(caught.value)
