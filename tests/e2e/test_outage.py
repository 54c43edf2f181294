from __future__ import annotations

import time
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from allocator.client import Client, Movement, MovementType
from allocator.client.errors import Unavailable
from tests.support.service import RunningService
from tests.support.small_disk import full, small_disk
from tests.support.tcp_proxy import TcpProxy

PATIENCE_S = 60.0
DISK_MB = 6
BUYS_MAX = 20_000


class Shop:
    """Somebody who buys one unit after the other, and remembers.

    Attributes:
        sold: how many holds were acknowledged.
    """

    def __init__(self, service: RunningService) -> None:
        self._service = service
        self.sold = 0
        with Client(service.address, timeout_s=PATIENCE_S) as client:
            client.record([Movement("test", "opening", "north", "fig", MovementType.RECEIPT, 1_000_000)])

    def buy(self, count: int) -> None:
        """Buy so often; each hold is acknowledged."""
        with Client(self._service.address, timeout_s=PATIENCE_S) as client:
            for _ in range(count):
                assert client.reserve({"fig": 1}, at="north", request_id=f"buy-{self.sold}").ok
                self.sold += 1

    def buy_until_nobody_can_tell(self) -> str:
        """Buy until a hold is not acknowledged; its request id."""
        with Client(self._service.address, timeout_s=3, retries_max=0) as client:
            for number in range(self.sold, self.sold + BUYS_MAX):
                try:
                    assert client.reserve({"fig": 1}, at="north", request_id=f"buy-{number}").ok
                except Unavailable:
                    return f"buy-{number}"
                self.sold += 1
        raise AssertionError("the service noticed nothing")

    def is_refused(self, request_id: str) -> bool:
        """Whether the hold is still not acknowledged."""
        with Client(self._service.address, timeout_s=3, retries_max=0) as client, pytest.raises(Unavailable):
            client.reserve({"fig": 1}, at="north", request_id=request_id)
        return True

    def insist(self, request_id: str) -> None:
        """Ask again until the hold is acknowledged."""
        with Client(self._service.address, timeout_s=PATIENCE_S, retries_max=1_000) as client:
            assert client.reserve({"fig": 1}, at="north", request_id=request_id).ok
        self.sold += 1

    def held(self) -> int:
        """Units held, as the service says."""
        with Client(self._service.address, timeout_s=PATIENCE_S, retries_max=1_000) as client:
            return client.stock("north", ["fig"])[0].held


def wait_for_log(service: RunningService, words: str) -> None:
    """Wait until the service has logged something."""
    end_s = time.monotonic() + PATIENCE_S
    while words not in service.log.read_text(encoding="utf-8", errors="replace"):
        assert time.monotonic() < end_s, f"{words!r} was never logged"
        time.sleep(0.1)


def test_the_service_returns_when_its_database_does(
    tmp_path: Path, postgres_url: str, postgres_schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Callers get UNAVAILABLE meanwhile; nothing acknowledged is lost, and no process has to be started by hand."""
    address = make_url(postgres_url)
    monkeypatch.setenv("ALLOCATOR_JOURNAL__SCHEMA_NAME", postgres_schema)
    with TcpProxy(address.host or "127.0.0.1", address.port or 5432) as proxy:
        url = address.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
        with RunningService(tmp_path, ["north"], ["--journal", url]) as service:
            shop = Shop(service)
            shop.buy(50)
            proxy.cut()
            unknown = shop.buy_until_nobody_can_tell()
            wait_for_log(service, "lock is lost while it is out of reach")
            assert shop.is_refused(unknown)
            proxy.mend()
            shop.insist(unknown)
            wait_for_log(service, "lost for a while, and is held again")
            assert shop.held() == shop.sold
            assert service.terminate() == 0


def test_the_service_returns_when_its_disk_has_room_again(tmp_path: Path) -> None:
    """Journal, notice and log on one full disk: nothing acknowledged is lost, and the rest goes on by itself."""
    with small_disk(tmp_path, DISK_MB) as disk:
        if disk is None:
            pytest.skip("mounting a small disk is for root")
        with RunningService(disk, ["north"]) as service:
            shop = Shop(service)
            shop.buy(50)
            with full(disk):
                unknown = shop.buy_until_nobody_can_tell()
                assert shop.is_refused(unknown)
            shop.insist(unknown)
            assert shop.held() == shop.sold
            assert service.terminate() == 0
