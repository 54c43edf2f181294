"""Calls that are answered at a glance, and those that take the long way."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
import structlog
from google.protobuf.message import Message
from structlog.testing import capture_logs

from allocator.config import ServerSettings, Settings
from allocator.core.network.types import Location
from allocator.gateway import framing
from allocator.gateway.call import Call
from allocator.gateway.calls import Calls
from allocator.gateway.calls import unary as method
from allocator.gateway.gateway import Gateway
from allocator.gateway.glance import at_a_glance, glances_of
from allocator.gateway.methods import takes_bytes
from allocator.gateway.process import open_gateway
from allocator.gateway.turnstile import Turnstile
from allocator.runtime.worth import Worth
from allocator.v1.availability_pb2 import AvailabilityLine, CheckAvailabilityRequest, CheckAvailabilityResponse
from allocator.v1.reservation_pb2 import ReserveLine, ReserveRequest, ReserveResponse
from tests.support.local_links import LocalLinks
from tests.unit.gateway.asgi_wire import HEADERS, MESSAGE_BYTES, Wire, answered, echo, unary
from tests.unit.runtime.hosts import receipt

CHECK = "/allocator.v1.AvailabilityService/CheckAvailability"
RESERVE = "/allocator.v1.ReservationService/Reserve"
ASKED = framing.frame(b"figs?")
LONG_WAY = b"-"
"""Asks for more than a glance."""


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """What fails here fails on purpose."""
    structlog.reset_defaults()


class Servicer:
    """Answers with what was asked; `looks` has the requests that took the long way."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  # of any type
        self.calls = Calls(ServerSettings(**settings), "7")
        self.looks: list[bytes] = []
        self.defect = False
        self.times = 1

    def _glance(self, request: bytes) -> tuple[bytes, ...] | None:
        if self.defect:
            raise ZeroDivisionError
        return None if request == LONG_WAY else (request[:1], request[1:]) * self.times

    @at_a_glance(_glance)
    @method
    @takes_bytes
    async def C(  # noqa: N802  # as rpcs are called
        self,
        request: bytes,
        call: Call,  # noqa: ARG002  # a servicer's
    ) -> bytes:
        """Answer the request."""
        self.looks.append(request)
        return b"".join(self._glance(request) or (request,))


def glanced(servicer: Servicer, *headers: tuple[bytes, bytes], turnstile: Turnstile | None = None) -> Wire:
    """One call of a servicer."""
    return unary(servicer.C, headers=(*HEADERS, *headers), turnstile=turnstile)


async def test_the_usual_call_is_answered_at_a_glance_and_counted() -> None:
    """With the trailers that the long way has."""
    servicer = Servicer()
    wire = glanced(servicer, (b"grpc-timeout", b"30m"), (b"user-agent", b"grpc-go/1.70"))
    status = await answered(wire, ASKED)
    assert [event["type"].rpartition(".")[2] for event in wire.sent] == ["start", "body", "trailers"]
    assert wire.sent[1]["body"] == ASKED
    assert status == {b"grpc-status": b"0", b"x-allocator-gateway": b"7"}
    with capture_logs() as logs:
        servicer.calls.tally.report()
    assert logs[0]["methods"]["C"]["calls"] == 1
    assert (servicer.looks, servicer.calls.under_way) == ([], 0)


@pytest.mark.parametrize(
    ("header", "told"),
    [
        ((b"x-correlation-id", b"me"), {b"x-correlation-id": b"me"}),
        ((b"traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"), {}),
        ((b"grpc-encoding", b"identity"), {}),
        ((b"content-type", b"application/grpc+proto"), {}),
    ],
)
async def test_headers_that_ask_for_more_take_the_long_way(
    header: tuple[bytes, bytes], told: dict[bytes, bytes]
) -> None:
    """Which answers the same, and what they ask for."""
    servicer = Servicer()
    wire = glanced(servicer, header)
    status = await answered(wire, ASKED)
    assert told.items() <= status.items()
    assert (status[b"grpc-status"], wire.sent[1]["body"], servicer.looks) == (b"0", ASKED, [b"figs?"])


@pytest.mark.parametrize("chunks", [(ASKED[:3], ASKED[3:]), (framing.frame(LONG_WAY),)])
async def test_requests_that_need_a_closer_look_take_the_long_way(chunks: tuple[bytes, ...]) -> None:
    """Those that come in pieces, and those that the glance says so of."""
    servicer = Servicer()
    wire = glanced(servicer)
    assert (await answered(wire, *chunks))[b"grpc-status"] == b"0"
    assert (wire.sent[1]["body"], len(servicer.looks)) == (b"".join(chunks), 1)


@pytest.mark.parametrize(
    ("chunk", "code"),
    [
        (b"", grpc.StatusCode.INTERNAL),
        (b"\x01\x00\x00\x00\x02hi", grpc.StatusCode.INTERNAL),
        (framing.frame(bytes(MESSAGE_BYTES + 1)), grpc.StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_what_is_no_request_ends_as_on_the_long_way(chunk: bytes, code: grpc.StatusCode) -> None:
    """Nothing, one that is compressed, one over the limit."""
    assert (await answered(glanced(Servicer()), chunk))[b"grpc-status"] == b"%d" % code.value[0]


def crowd(servicer: Servicer) -> None:
    """As many calls under way as there may be."""
    servicer.calls.under_way = max(servicer.calls.shedding.calls_room)


def shed(servicer: Servicer) -> None:
    """Hardly a call passes."""
    for now_s in range(200):
        servicer.calls.shedding.observe([60.0 for _ in Worth], float(now_s))


def end(servicer: Servicer) -> None:
    """The gateway drains."""
    servicer.calls.draining = True


@pytest.mark.parametrize("trouble", [crowd, end])
async def test_calls_that_may_be_refused_take_the_long_way(trouble: Callable[[Servicer], None]) -> None:
    """Where they are refused with all that a refusal says."""
    servicer = Servicer()
    trouble(servicer)
    status = await answered(glanced(servicer), ASKED)
    assert status[b"grpc-status"] != b"0"
    assert b"grpc-status-details-bin" in status
    assert servicer.looks == []


async def test_a_share_of_calls_is_drawn_on_the_long_way() -> None:
    """While calls are shed nobody passes by a glance."""
    servicer = Servicer()
    shed(servicer)
    ends = [(await answered(glanced(servicer), ASKED))[b"grpc-status"] for _ in range(20)]
    assert ends.count(b"0") == len(servicer.looks) < len(ends)


async def test_rates_of_clients_count_every_call() -> None:
    """One more than the burst is refused."""
    servicer = Servicer(client_rate_per_s=0.001, client_burst=2)
    ends = [(await answered(glanced(servicer), ASKED))[b"grpc-status"] for _ in range(4)]
    assert ends.count(b"0") == len(servicer.looks) == 2


async def test_a_defect_is_told_on_the_long_way() -> None:
    """As INTERNAL, and logged."""
    servicer = Servicer()
    servicer.defect = True
    with capture_logs() as logs:
        assert (await answered(glanced(servicer), ASKED))[b"grpc-status"] == b"13"
    assert "defect" in {line["event"] for line in logs}
    assert servicer.looks == [b"figs?"]


async def test_a_call_of_which_nothing_comes_is_not_answered() -> None:
    """Its caller has gone before it said anything."""
    wire = glanced(Servicer())
    wire.goes()
    await wire.run()
    assert wire.sent == []


async def test_an_answer_over_the_limit_ends_as_on_the_long_way() -> None:
    """RESOURCE_EXHAUSTED, and nothing of it goes out."""
    servicer = Servicer()
    servicer.times = MESSAGE_BYTES
    assert (await answered(glanced(servicer), ASKED))[b"grpc-status"] == b"8"


async def test_what_is_not_grpc_is_refused_before_anything_is_read() -> None:
    """Whoever sends it may never send more."""
    wire = glanced(Servicer(), (b"content-type", b"application/json"))
    await wire.run()
    assert wire.sent[0]["status"] == 415


async def test_checks_and_reserves_are_glanced_at(tmp_path: Path) -> None:
    """They and nothing else, and what they say is what the long way says."""
    links = await asyncio.to_thread(LocalLinks, tmp_path / "journal", {"actor-0000": [Location("dc")]})
    links.actors["actor-0000"].ask("dc", [receipt("m1", "fig", 7)])
    gateway = await open_gateway(Settings(), links, 0)
    assert glances_of(gateway.methods, None, MESSAGE_BYTES).keys() == {CHECK, RESERVE}
    said: list[tuple[Any, ...]] = []
    for number, headers in enumerate(((), ((b"grpc-encoding", b"identity"),))):
        asked = CheckAvailabilityRequest(lines=[AvailabilityLine(sku="fig", quantity=3)])
        answer = CheckAvailabilityResponse.FromString(await says(gateway, CHECK, asked, *headers))
        said.append((answer.sufficient, answer.lines[0].total, [version.version for version in answer.versions]))
        lines = [ReserveLine(sku="fig", quantity=2, location="locations/dc")]
        request = ReserveRequest(request_id=f"r{number}", lines=lines, channel="web")
        for _ in range(2):
            held = ReserveResponse.FromString(await says(gateway, RESERVE, request, *headers))
            lines_held = [(line.sku, line.held) for line in held.lines]
            said.append((held.status, held.repeated_request, lines_held, held.reservation.channel))
    first, again = (1, False, [("fig", 2)], "web"), (1, True, [("fig", 2)], "web")
    assert said == [(True, 7, [1]), first, again, (True, 5, [2]), first, again]
    await gateway._router.stop()  # noqa: SLF001  # it has no front that would
    await asyncio.to_thread(links.stop)


async def says(gateway: Gateway, path: str, request: Message, *headers: tuple[bytes, bytes]) -> bytes:
    """What a call that ends well is answered with."""
    wire = unary(echo, headers=(*HEADERS, *headers))
    wire.to(gateway.methods, path)
    status = await answered(wire, framing.frame(request.SerializeToString()))
    assert status == {b"grpc-status": b"0", b"x-allocator-gateway": b"0"}
    body: bytes = wire.sent[1]["body"]
    return body[framing.PREFIX :]


async def test_a_caller_who_has_gone_is_not_told_of() -> None:
    """The server says so when it is sent to; any other trouble of the server goes up."""

    class ClientDisconnectedError(OSError):
        """As pyvoy's."""

    wire = glanced(Servicer())
    for error, matters in ((ClientDisconnectedError(), False), (OSError("socket"), True)):

        async def send(event: Any, error: OSError = error) -> None:  # noqa: ANN401  # of ASGI
            raise error

        wire.send = send  # type: ignore[method-assign]
        wire.says(ASKED)
        if matters:
            with pytest.raises(OSError, match="socket"):
                await wire.run()
        else:
            await wire.run()


async def test_a_call_whose_turn_it_is_not_waits_for_it() -> None:
    """On the long way; and those that pass tell now and then how long they have waited."""
    servicer = Servicer()
    told: list[tuple[Worth, float]] = []
    methods: Any = {"a.B": {"C": None}}
    turnstile = Turnstile(methods, lambda worth, waited_s: told.append((worth, waited_s)))
    first = glanced(servicer, (b"x-allocator-arrived", b"1000.5"), turnstile=turnstile)
    assert (await answered(first, ASKED))[b"grpc-status"] == b"0"
    assert servicer.looks == []
    ((worth, waited_s),) = told
    assert (worth, waited_s > 1e9) == (Worth.SETTLE, True)
    second = glanced(servicer, turnstile=turnstile)
    second.says(ASKED)
    call = second.run()
    while turnstile.enters():  # others that came in the same turn of the loop
        pass
    await call
    assert (second.status[b"grpc-status"], servicer.looks) == (b"0", [b"figs?"])
