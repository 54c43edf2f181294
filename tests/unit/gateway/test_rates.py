from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from allocator.gateway.rates import CLIENT_ID_LENGTH_MAX, CLIENTS_MAX, Paced, Rates, client_of
from allocator.runtime.worth import Worth

NOW_S = 1_000_000.123


def taken(rates: Rates, client: str, now_s: float, calls: int) -> int:
    """How many of so many calls pass."""
    return sum(not rates.take(client, Worth.BROWSE, now_s) for _ in range(calls))


def test_a_burst_and_then_the_rate() -> None:
    """As many at once as the burst, then one per token; an idle client saves up no more than a burst."""
    rates = Rates(10, 5)
    assert taken(rates, "a", NOW_S, 20) == 5
    assert taken(rates, "a", NOW_S + 0.3, 20) == 3
    assert taken(rates, "a", NOW_S + 3600, 20) == 5


@pytest.mark.parametrize(("rate_per_s", "burst", "at_once"), [(10, 0, 10), (0.1, 0, 1), (2.5, 0, 2), (1, 7, 7)])
def test_a_burst_is_a_second_of_calls_unless_it_is_set(rate_per_s: float, burst: int, at_once: int) -> None:
    """And at least one call."""
    assert taken(Rates(rate_per_s, burst), "a", NOW_S, 50) == at_once


def test_the_time_that_is_told_is_when_a_token_is_there() -> None:
    """Just before it there is none; then there is, as refusals take nothing."""
    rates = Rates(4, 1)
    assert rates.take("a", Worth.HOLD, NOW_S) == 0
    wait_s = rates.take("a", Worth.HOLD, NOW_S + 0.1)
    assert wait_s == pytest.approx(0.15)
    assert rates.take("a", Worth.HOLD, NOW_S + 0.09 + wait_s) > 0
    assert rates.take("a", Worth.HOLD, NOW_S + 0.1 + wait_s) == 0


def test_clients_and_kinds_of_calls_have_buckets_of_their_own() -> None:
    """Who reads too much may still commit, and others may read."""
    rates = Rates(1)
    assert taken(rates, "a", NOW_S, 2) == 1
    assert rates.take("a", Worth.SETTLE, NOW_S) == 0
    assert rates.take("b", Worth.BROWSE, NOW_S) == 0


def test_the_clients_remembered_are_bounded() -> None:
    """Who was quiet longest is forgotten; who goes on calling is not."""
    rates = Rates(0.001)
    rates.take("busy", Worth.BROWSE, NOW_S)
    rates.take("quiet", Worth.BROWSE, NOW_S)
    for n in range(CLIENTS_MAX):
        rates.take(f"client-{n}", Worth.BROWSE, NOW_S)
        assert rates.take("busy", Worth.BROWSE, NOW_S) > 0
    assert len(rates) == CLIENTS_MAX
    assert rates.take("quiet", Worth.BROWSE, NOW_S) == 0


@pytest.mark.parametrize(
    ("client_id", "peer", "client"),
    [
        ("shop", "ipv4:10.0.0.1:4000", "shop"),
        ("", "ipv4:10.0.0.1:4000", "ipv4:10.0.0.1"),
        ("", "ipv6:%5B::1%5D:4000", "ipv6:%5B::1%5D"),
        ("", "unix:", "unix:"),
        ("x" * 500, "ipv4:10.0.0.1:4000", "x" * CLIENT_ID_LENGTH_MAX),
    ],
)
def test_a_client_is_its_id_or_its_address(client_id: str, peer: str, client: str) -> None:
    """The port, which each connection has anew, does not count."""
    assert client_of([("te", "trailers"), ("x-client-id", client_id)], peer) == client


async def test_a_stream_goes_no_faster_than_its_client_may() -> None:
    """Requests that come too early wait and are not lost."""

    async def requests() -> AsyncIterator[int]:
        for n in range(4):
            yield n

    rates = Rates(500, 1)
    assert rates.take("a", Worth.BROWSE, 0.0) == 0
    assert [n async for n in Paced(requests(), rates, "a", Worth.BROWSE)] == [0, 1, 2, 3]
