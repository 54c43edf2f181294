from __future__ import annotations

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from structlog.testing import capture_logs

from allocator.gateway.refusals import RETRY_S, VARIANTS, Refusals
from allocator.gateway.shedding import Pulse, Shedding, worth_of
from allocator.runtime.worth import STANDING_S, WaitTargets, Worth
from tests.support.api import failure_in
from tests.unit.gateway.test_calls import status_in

ROOT = Path(__file__).parents[3]
HOLDS = {"Reserve", "BatchReserve", "StreamReserve", "Allocate", "TransferReservation"}
SETTLES = re.compile(r"(Commit|Extend|Release|Fulfil|Reject|Record|Stream|Set|Create|Update|Delete)[A-Z]\w+")
WAITS = WaitTargets(0.1, 0.4, 1.6)
NONE = [0.0, 0.0, 0.0]


def test_every_rpc_has_its_worth() -> None:
    """Of the contract as it is: new holds, what settles by its verb, and nothing but reads besides."""
    contract = "".join(path.read_text("utf-8") for path in ROOT.glob("proto/**/*.proto"))
    rpcs = re.findall(r"^  rpc (\w+)\(", contract, re.MULTILINE)
    assert len(rpcs) > 40
    for rpc in rpcs:
        settles = SETTLES.fullmatch(rpc) and rpc not in HOLDS
        expected = Worth.HOLD if rpc in HOLDS else Worth.SETTLE if settles else Worth.BROWSE
        assert worth_of(rpc) is expected, rpc


@pytest.mark.parametrize(("wait_s", "refused"), [(0.05, 0), (0.2, 1), (0.8, 2), (3.2, 3)])
def test_the_longer_the_wait_the_more_is_refused(wait_s: float, refused: int) -> None:
    """Reads first, then holds too, at last everything; each class has a line in the log when it begins and ends."""
    shedding = Shedding(100, 10, WAITS)
    with capture_logs() as lines:
        shedding.observe([wait_s] * 3, 0.0)
        assert not shedding.standing
        shedding.observe([wait_s] * 3, STANDING_S)
        assert [gate.share < 1 for gate in shedding.gates] == [worth < refused for worth in Worth]
        assert shedding.standing is (refused > 0)
        shedding.observe(NONE, 6.0)
        shedding.observe(NONE, 7.0)
    assert not shedding.standing
    worths = ["browse", "hold", "settle"][:refused]
    assert [line["worth"] for line in lines] == worths * 2


def test_at_the_door_it_is_over_when_nothing_is_refused_there() -> None:
    """Not as soon as the wait is short, which it is because of what is refused; the share told is that of the door."""
    shedding = Shedding(100, 10, WaitTargets(0.1, 0, 0))
    shedding.at_the_door = True
    with capture_logs() as lines:
        for now_s in (0.0, 1.0, 1.2):
            shedding.observe([0.4, 0, 0], now_s)
        assert [(line["event"].partition(":")[0], line["share"]) for line in lines] == [("overloaded", 0.3)]
        for now_s in (1.6, 1.71):
            shedding.observe(NONE, now_s)
        assert not shedding.gates[Worth.BROWSE].standing
        assert (len(lines), shedding.standing) == (1, True)
        for tenth in range(18, 80):
            shedding.observe(NONE, tenth / 10)
    assert (lines[-1]["event"], lines[-1]["share"], shedding.standing) == ("overload is over", 1.0, False)


def test_reads_that_wait_alone_refuse_no_holds() -> None:
    """Each worth goes by the wait of its own calls: reads that let the others go first wait longer."""
    shedding = Shedding(100, 10, WAITS)
    for now_s in (0.0, STANDING_S):
        shedding.observe([9.0, 0.1, 0.0], now_s)
    assert [gate.share < 1 for gate in shedding.gates] == [True, False, False]


async def test_another_thread_learns_of_a_late_loop_before_the_loop_does() -> None:
    """What was noted for a worth counts for it until it is asked, and who has not begun as long as he waits."""
    shedding = Shedding(100, 10, WAITS)
    pulse = Pulse(shedding, lambda: False)
    pulse.note(Worth.HOLD, 0.3)
    assert pulse.waits_s(time.monotonic()) == [0, 0.3, 0]
    pulse.look_at(lambda: [0.7, 0.0, 0.1])
    assert pulse.waits_s(time.monotonic()) == [0.7, 0, 0.1]
    pulse.look_at(lambda: NONE)
    pulse.wake()
    with ThreadPoolExecutor(1) as thread:  # the loop does nothing meanwhile
        asked = thread.submit(lambda: pulse.waits_s(time.monotonic() + 5)).result()
    assert min(asked) > 4
    while pulse._ticking:  # noqa: SLF001  # until it ends
        await asyncio.sleep(0)


async def test_a_hogged_loop_is_noticed_and_forgotten() -> None:
    """The timer comes late while callbacks take their time; with nothing to do there is no timer."""
    shedding = Shedding(100, 10, WaitTargets(0.001, 0, 0))
    pulse = Pulse(shedding, lambda: False)
    while not shedding.standing:
        pulse.wake()
        hog_until_s = time.monotonic() + 0.03
        while time.monotonic() < hog_until_s:
            pass
        await asyncio.sleep(0)
    while pulse._ticking:  # noqa: SLF001  # that it ends is the point
        await asyncio.sleep(0)
    assert shedding.gates[Worth.BROWSE].share == 1


async def test_a_knock_that_is_not_answered_tells_how_long_calls_wait() -> None:
    """Its age counts while it waits; once the door is opened the overload ends."""
    shedding, door = Shedding(100, 10, WaitTargets(0.05, 0, 0)), asyncio.Event()
    pulse = Pulse(shedding, lambda: False)
    pulse.listen(door.wait)
    pulse.wake()
    while not shedding.standing:
        await asyncio.sleep(0)
    assert shedding.gates[Worth.BROWSE].share < 1
    door.set()
    while pulse._ticking:  # noqa: SLF001  # as above
        await asyncio.sleep(0)
    assert shedding.gates[Worth.BROWSE].share == 1
    pulse.stop()


@pytest.mark.parametrize("worth", Worth)
def test_refusals_are_ready_and_do_not_bring_everybody_back_at_once(worth: Worth) -> None:
    """OVERLOADED with times to come back spread around the one of the worth; what is refused last may come first."""
    refusals = Refusals((("x-allocator-gateway", "0"),))
    for refusal in (refusals.late, refusals.full):
        told = {id(status): status for status in (refusal(worth) for _ in range(40 * VARIANTS))}
        found = [failure_in(status_in(status.trailing_metadata)) for status in told.values()]
        assert {(failure.code, failure.reason) for failure in found} == {
            (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        }
        retries_s = {failure.retry_s for failure in found}
        assert VARIANTS / 2 < len(retries_s) <= VARIANTS
        assert 0.5 * RETRY_S[worth] <= min(retries_s) < RETRY_S[worth] < max(retries_s) <= 1.5 * RETRY_S[worth]


@pytest.mark.parametrize("wait_s", [0.0001, 0.25, 30.0])
def test_a_rate_limit_tells_when_the_next_token_comes(wait_s: float) -> None:
    """Not before it, and at most a quarter and a step later."""
    refusals = Refusals(())
    for _ in range(100):
        failure = failure_in(status_in(refusals.rate_limited(wait_s).trailing_metadata))
        assert failure.reason == "RATE_LIMITED"
        assert wait_s <= failure.retry_s <= 1.25 * wait_s + 0.0101
