"""Calls that are begun at a glance and wait for their answer, and where they go when it is unusual."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import pytest
import structlog

from allocator.config import ServerSettings
from allocator.core.results import Reason, Rejected
from allocator.gateway import framing
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls
from allocator.gateway.calls import unary as method
from allocator.gateway.errors import from_rejected
from allocator.gateway.glance import at_a_glance
from allocator.gateway.methods import takes_bytes
from allocator.gateway.turnstile import Turnstile
from allocator.runtime.worth import Worth
from tests.unit.gateway.asgi_wire import HEADERS, MESSAGE_BYTES, Wire, answered, unary

ASKED = framing.frame(b"figs?")
USUAL = {b"grpc-status": b"0", b"x-allocator-gateway": b"7"}


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """What fails here fails on purpose."""
    structlog.reset_defaults()


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

    def _begin(self, request: bytes) -> Work | None:
        if self.defect:
            raise ZeroDivisionError
        if request == b"-":
            return None
        work = Work(request, asyncio.get_running_loop().create_future())
        self.begun.append(work)
        return work

    def _finish(self, work: Work) -> bytes | None:
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
        answer = await call.begun.answer if call.begun else request
        if isinstance(answer, Rejected):
            raise from_rejected(answer, "dc")
        return b"<" + str(answer).encode() + b">"


def calling(servicer: Servicer, *headers: tuple[bytes, bytes], turnstile: Turnstile | None = None) -> Wire:
    """One call of a servicer, under way once something is begun."""
    wire = unary(servicer.Reserve, headers=(*HEADERS, *headers), turnstile=turnstile)
    wire.says(ASKED)
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


def unheard(worth: Worth, waited_s: float) -> None:
    """Nobody listens to how long calls wait."""


async def test_what_is_not_begun_takes_the_long_way() -> None:
    """Requests that need a closer look, defects, and everybody while there is too much to do; places are given back."""
    turned: Any = {"a.B": {"C": None}}
    for servicer, asked in ((Servicer(), b"-"), (Servicer(), b"figs?")):
        servicer.defect = asked == b"figs?"
        turnstile = Turnstile(turned, unheard)
        wire = unary(servicer.Reserve, headers=HEADERS, turnstile=turnstile)
        room = turnstile._left  # noqa: SLF001  # nothing else tells
        assert await answered(wire, framing.frame(asked)) == USUAL
        assert turnstile._left >= room - 1  # noqa: SLF001  # as above
        assert (servicer.looks, servicer.begun) == ([asked], [])
    servicer = Servicer()
    turnstile = Turnstile(turned, unheard, lambda: True)
    assert turnstile.enters()
    await asyncio.sleep(0)  # it turns, and sees that it is crowded
    await calling(servicer, turnstile=turnstile).run()
    assert (servicer.looks, servicer.begun) == ([b"figs?"], [])
