from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from allocator.journal import JournalLocked, JournalSettings, JournalStore
from allocator.serving.lock import KeptLock
from tests.support.tcp_proxy import TcpProxy


@pytest.fixture
def proxy(postgres_url: str) -> Iterator[TcpProxy]:
    """A way to PostgreSQL that can be cut."""
    address = make_url(postgres_url)
    with TcpProxy(address.host or "127.0.0.1", address.port or 5432) as proxy:
        yield proxy


@pytest.fixture
def ours(postgres_url: str, postgres_schema: str, proxy: TcpProxy) -> JournalStore:
    """The journal by the way that can be cut."""
    url = make_url(postgres_url).set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    return JournalSettings(url, postgres_schema).store()


@pytest.fixture
def others(postgres_url: str, postgres_schema: str) -> JournalStore:
    """The same journal as somebody else reaches it."""
    url = make_url(postgres_url).update_query_dict({"application_name": "another service"})
    return JournalSettings(url.render_as_string(hide_password=False), postgres_schema).store()


def test_a_lock_lost_with_its_connection_is_taken_again(
    ours: JournalStore, others: JournalStore, proxy: TcpProxy
) -> None:
    """A server that is away for a while ends no service: when it is back, nobody else gets in."""
    with KeptLock(ours, look_s=0) as lock:
        assert lock.ours()
        cut(proxy, others)
        assert lock.ours()
        assert lock.ours()
        proxy.mend()
        assert lock.ours()
        with pytest.raises(JournalLocked):
            others.lock()
    others.lock().release()


def cut(proxy: TcpProxy, others: JournalStore) -> None:
    """Cut the way to PostgreSQL, and wait until the server has given up the connection and the lock with it."""
    proxy.cut()
    until_s = time.monotonic() + 60
    while True:
        try:
            others.lock().release()
        except JournalLocked:
            if time.monotonic() > until_s:
                raise
            continue
        return


def test_when_another_service_was_faster_this_one_has_to_go(
    ours: JournalStore, others: JournalStore, proxy: TcpProxy
) -> None:
    """Two services on one journal would fence each other for ever."""
    with KeptLock(ours, look_s=0) as lock:
        cut(proxy, others)
        assert lock.ours()
        with others.lock():
            proxy.mend()
            assert not lock.ours()


def test_a_connection_of_ours_that_the_server_has_not_given_up_is_waited_for(
    ours: JournalStore, others: JournalStore, postgres_url: str, postgres_schema: str, proxy: TcpProxy
) -> None:
    """After a network failure it may keep the lock for half a minute; that is no other service."""
    with KeptLock(ours, look_s=0) as lock:
        cut(proxy, others)
        assert lock.ours()
        proxy.mend()
        with JournalSettings(postgres_url, postgres_schema).store().lock():
            assert lock.ours()
        assert lock.ours()


def test_it_looks_only_now_and_then(tmp_path: Path) -> None:
    """Asking the server at every turn of a loop would be a waste."""
    store = JournalSettings(str(tmp_path / "journal")).store()
    with KeptLock(store, look_s=3600) as lock:
        assert lock.ours()
        with pytest.raises(JournalLocked):
            KeptLock(store)
    KeptLock(store).__exit__()
