"""Calls that are begun at a glance and wait for their answer, and where they go when it is unusual."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import structlog
from structlog.testing import capture_logs

from allocator.config import ServerSettings
from allocator.core.results import Reason, Rejected
from allocator.gateway import framing
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls
from allocator.gateway.calls import unary as method
from allocator.gateway.errors import from_rejected
from allocator.gateway.glance import at_a_glance
from allocator.gateway.methods import takes_bytes
from allocator.gateway.turnstile import PER_TURN, Turnstile
from allocator.runtime.worth import Worth
from tests.unit.gateway.asgi_wire import HEADERS, MESSAGE_BYTES, Wire, answered, unary

ASKED = framing.frame(b"figs?")
USUAL = {b"grpc-status": b"0", b"x-allocator-gateway": b"7"}
TURNED: Any = {"a.B": {"C": None}}
CLOCK_S = 0.001
"""How far off a timer may be."""
FOR_EVER = "for ever"
"""An answer that the long way takes for ever with."""


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """What fails here fails on purpose; there is no line for each write."""
    before = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(**before)


class Work(NamedTuple):
    """What was begun."""

    request: bytes
    answer: asyncio.Future[Any]


class Servicer:
    """Begins work whose answer the test gives; `begun` has all of it, `looks` the requests on the long way."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # of any type
        self.calls = Calls(ServerSettings(**settings), "7")
        self.begun: list[Work] = []
        self.looks: list[bytes] = []
        self.defect = False
        self.turnstile: Turnstile | None = None
        self.places: list[int] = []
        self.lefts_s: list[float | None] = []

    def _begin(self, request: bytes) -> Work | None:
        if self.defect:
            raise ZeroDivisionError
        if request == b"-":
            return None
        work = Work(request, asyncio.get_running_loop().create_future())
        self.begun.append(work)
        return work

    def _finish(self, work: Work) -> bytes | None:
        if self.defect:
            raise ZeroDivisionError
        answer = work.answer.result()
        return answer if isinstance(answer, bytes) else None

    @at_a_glance(_begin, _finish)
    @method
    @takes_bytes
    async def Reserve(  # noqa: N802  # as rpcs are called
        self, request: bytes, call: Call
    ) -> bytes:
        """The answer to what was begun, or the request."""
        self.looks.append(request)
        call.named("r1")
        self.lefts_s.append(call.time_left_s())
        if self.turnstile is not None:
            self.places.append(self.turnstile._left)  # noqa: SLF001  # nothing else tells
        answer = await call.work.answer if call.work else request
        if isinstance(answer, Rejected):
            raise from_rejected(answer, "dc")
        if answer == FOR_EVER:
            await asyncio.Event().wait()
        return b"<" + str(answer).encode() + b">"


def calling(servicer: Servicer, *headers: tuple[bytes, bytes], says: bytes = b"", more: bool = False) -> Wire:
    """One call of a servicer, that has asked for figs unless it is to say something else."""
    wire = unary(servicer.Reserve, headers=(*HEADERS, *headers), turnstile=servicer.turnstile)
    if not says:
        wire.says(ASKED, more=more)
    return wire


async def begun(servicer: Servicer, wire: Wire) -> tuple[asyncio.Task[None], Work]:
    """Have a call begin something."""
    call = wire.run()
    while not servicer.begun:
        await asyncio.sleep(0)
    assert (servicer.calls.under_way, wire.app.open) == (1, 1)
    return call, servicer.begun[0]


async def test_the_usual_answer_goes_out_at_once_and_is_counted() -> None:
    """While it waits the call is under way; afterwards nothing is left of it."""
    servicer = Servicer()
    wire = calling(servicer, (b"grpc-timeout", b"30S"))
    call, work = await begun(servicer, wire)
    work.answer.set_result(b"held")
    await call
    assert (wire.sent[1]["body"], wire.status) == (framing.frame(b"held"), USUAL)
    assert (servicer.looks, servicer.calls.under_way, wire.app.open) == ([], 0, 0)
    assert servicer.calls.tally._calls["C"][0] == 1  # noqa: SLF001  # what the log will say


async def test_an_unusual_answer_is_told_by_the_long_way_and_begun_once() -> None:
    """An error, another answer, one that is too large: with all that the long way says."""
    full = Rejected(Reason.SKU_UNKNOWN, "lines", "who?")
    for answer, status, body in (
        (full, b"5", b""),
        ("part", b"0", framing.frame(b"<part>")),
        (bytes(MESSAGE_BYTES + 1), b"8", b""),
    ):
        servicer = Servicer()
        wire = calling(servicer)
        call, work = await begun(servicer, wire)
        servicer.calls.draining = True  # what was begun is not refused any more
        work.answer.set_result(answer)
        await call
        said = b"".join(event.get("body", b"") for event in wire.sent)
        assert (wire.status[b"grpc-status"], said) == (status, body)
        assert (len(servicer.begun), servicer.looks, servicer.calls.under_way) == (1, [b"figs?"], 0)


async def test_work_that_fails_is_an_error() -> None:
    """A defect here, told as INTERNAL."""
    servicer = Servicer()
    wire = calling(servicer)
    call, work = await begun(servicer, wire)
    work.answer.set_exception(ZeroDivisionError())
    await call
    assert (wire.status[b"grpc-status"], servicer.looks) == (b"13", [b"figs?"])


@pytest.mark.parametrize(("settings", "headers"), [({"deadline_s": 0.01}, ()), ({}, ((b"grpc-timeout", b"10m"),))])
async def test_a_deadline_ends_the_wait(settings: dict[str, float], headers: tuple[tuple[bytes, bytes], ...]) -> None:
    """The caller's or the usual one: what was not begun by then never will be, and nobody knows of the rest."""
    servicer = Servicer(**settings)
    wire = calling(servicer, *headers)
    call, work = await begun(servicer, wire)
    await call
    assert work.answer.done()
    assert (wire.status[b"grpc-status"], servicer.calls.under_way) == (b"4", 0)
    assert b"grpc-status-details-bin" in wire.status


async def test_a_caller_who_goes_is_noticed_and_told_nothing() -> None:
    """What it wanted is given up."""
    servicer = Servicer()
    wire = calling(servicer)
    call, work = await begun(servicer, wire)
    wire.goes()
    await call
    assert work.answer.cancelled()
    assert (wire.sent, servicer.looks, servicer.calls.under_way, wire.app.open) == ([], [], 0, 0)


async def test_a_server_that_ends_does_not_answer() -> None:
    """Its end goes up, and what was begun is given up."""
    servicer = Servicer()
    wire = calling(servicer)
    call, work = await begun(servicer, wire)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert work.answer.cancelled()
    assert (wire.sent, servicer.calls.under_way, wire.app.open) == ([], 0, 0)


async def test_what_is_not_begun_takes_the_long_way() -> None:
    """Requests that need a closer look, and defects; their place at the turnstile is given back, and taken once."""
    for servicer, asked in ((Servicer(), b"-"), (Servicer(), b"figs?")):
        servicer.defect = asked == b"figs?"
        servicer.turnstile = Turnstile(TURNED, unheard)
        assert await answered(calling(servicer, says=framing.frame(asked)), framing.frame(asked)) == USUAL
        assert (servicer.looks, servicer.begun, servicer.places) == ([asked], [], [PER_TURN - 1])


async def test_one_that_has_waited_too_long_is_not_begun() -> None:
    """The long way refuses it; one that came just now is begun."""
    servicer = Servicer()
    servicer.turnstile = Turnstile(TURNED, unheard)
    wire = calling(servicer, (b"x-allocator-arrived", b"1000.5"), says=ASKED)
    assert (await answered(wire, ASKED))[b"grpc-status"] == b"8"
    assert (servicer.looks, servicer.begun) == ([], [])
    wire = calling(servicer, (b"x-allocator-arrived", b"%.6f" % time.time()))
    call, work = await begun(servicer, wire)
    work.answer.set_result(b"held")
    await call
    assert wire.status == USUAL


async def test_a_defect_in_the_answer_is_told_by_the_long_way() -> None:
    """Nobody is left without a status."""
    servicer = Servicer()
    wire = calling(servicer)
    call, work = await begun(servicer, wire)
    servicer.defect = True
    work.answer.set_result(b"held")
    await call
    assert (wire.status[b"grpc-status"], servicer.looks) == (b"0", [b"figs?"])


async def test_the_long_way_goes_on_with_the_time_of_the_call() -> None:
    """What is left of its deadline is what was left, which still ends it, and it took as long as it took in all."""
    servicer = Servicer()
    wire = calling(servicer, (b"grpc-timeout", b"80m"))
    call, work = await begun(servicer, wire)
    work.answer.set_result(FOR_EVER)
    await call
    assert wire.status[b"grpc-status"] == b"4"
    servicer = Servicer()
    wire = calling(servicer, (b"grpc-timeout", b"30S"))
    call, work = await begun(servicer, wire)
    asyncio.get_running_loop().call_later(0.04, work.answer.set_result, "part")
    await call
    (left_s,) = servicer.lefts_s
    assert left_s is not None
    assert left_s < 30 - 0.04 + CLOCK_S
    count, took_s, _ = servicer.calls.tally._calls["Reserve"]  # noqa: SLF001  # what the log will say
    assert (count, took_s > 0.04 - CLOCK_S) == (1, True)


async def test_a_caller_who_goes_on_the_long_way_is_noticed() -> None:
    """Also when somebody asked for what comes from it before."""
    servicer = Servicer()
    wire = calling(servicer, more=True)
    call, work = await begun(servicer, wire)
    asyncio.get_running_loop().call_later(0.3, work.answer.set_result, FOR_EVER)  # a look is under way by then
    while not servicer.looks:
        await asyncio.sleep(0.01)
    wire.goes()
    await call
    assert wire.sent == []


async def test_every_write_has_a_line_at_level_debug() -> None:
    """The long way writes it."""
    structlog.reset_defaults()
    servicer = Servicer()
    with capture_logs() as lines:
        wire = calling(servicer)
        call, work = await begun(servicer, wire)
        work.answer.set_result(b"held")
        await call
    assert servicer.looks == [b"figs?"]
    assert "write" in {line["event"] for line in lines}


def unheard(worth: Worth, waited_s: float) -> None:
    """Nobody listens to how long calls wait."""
