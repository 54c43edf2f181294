"""The connection of the load client, with the library h2 as the server."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import h2.events
import pytest
from h2.settings import SettingCodes
from hyperframe.frame import ContinuationFrame, DataFrame, Frame, GoAwayFrame, HeadersFrame, PingFrame, SettingsFrame
from hypothesis import given
from hypothesis import strategies as st

from bench.http2 import Kind
from bench.http2 import frames as f
from bench.http2.connection import PeerError, Stream
from tests.unit.bench.h2_server import OK, Pair

CHECK = Kind("check", "/shop.Stock/Check", lambda message, _: message.decode("latin-1"))
BLIND = Kind("blind", "/shop.Stock/Look", metadata=(("x-client", "one"),))
CODES = SettingCodes


@pytest.fixture
def pair() -> Iterator[Pair]:
    """A client and a server that have told each other their settings."""
    pair = Pair()
    pair.exchange()
    yield pair
    pair.close()


def body_of(stream: Stream) -> bytes:
    """The message of an answer."""
    (message,) = f.messages(b"".join(stream.body or []))
    return message


def start(pair: Pair, message: bytes, kind: Kind = CHECK) -> Stream:
    """Begin a call."""
    stream = Stream(kind, None, 0)
    pair.client.start(stream, message)
    return stream


@given(
    requests=st.lists(st.binary(max_size=300), min_size=1, max_size=12),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=8),
)
def test_calls_and_answers_arrive_as_they_were_sent(requests: list[bytes], sizes: list[int]) -> None:
    """Whatever is in them and however the network cuts them up; the server reads the same headers every time."""
    pair = Pair()
    pair.exchange(itertools.cycle(sizes))
    streams = [start(pair, request, (CHECK, BLIND)[i % 2]) for i, request in enumerate(requests)]
    pair.exchange(itertools.cycle(sizes))
    for number, request, kind in zip(pair.complete, requests, itertools.cycle((CHECK, BLIND)), strict=False):
        headers, body = pair.requests[number]
        assert (headers[":path"], headers[":method"], headers["te"]) == (kind.path, "POST", "trailers")
        assert headers.get("x-client") == dict(kind.metadata).get("x-client")
        assert bytes(body) == f.message(request)
        pair.answer(number, request[::-1])
    pair.exchange(itertools.cycle(sizes))
    assert {id(stream) for stream in pair.ended} == {id(stream) for stream in streams}
    assert [stream.status for stream in streams] == ["OK"] * len(requests)
    assert [body_of(stream) for stream in streams[::2]] == [request[::-1] for request in requests[::2]]
    pair.close()


@given(
    message=st.integers(0, 90_000),
    window=st.integers(500, 70_000),
    answer=st.integers(0, 90_000),
    answer_window=st.integers(500, 70_000),
)
def test_messages_larger_than_the_windows_go_in_parts(
    message: int, window: int, answer: int, answer_window: int
) -> None:
    """Neither side sends more than the other has room for, which h2 would not take, and nothing is left behind."""
    pair = Pair(answer_window, {CODES.INITIAL_WINDOW_SIZE: window})
    pair.exchange()
    stream = start(pair, b"m" * message)
    other = start(pair, b"other")
    pair.exchange()
    assert sorted(pair.complete) == [1, 3]
    assert bytes(pair.requests[1][1]) == f.message(b"m" * message)
    pair.answer(1, b"a" * answer)
    pair.answer(3, b"")
    pair.exchange()
    assert (stream.status, other.status) == ("OK", "OK")
    assert body_of(stream) == b"a" * answer
    pair.close()


def test_a_window_that_shrinks_is_honoured(pair: Pair) -> None:
    """Settings may take room away from streams that are on their way, and give it back later."""
    start(pair, b"m" * 100_000)
    pair.server.update_settings({CODES.INITIAL_WINDOW_SIZE: 10})
    pair.exchange()
    pair.server.update_settings({CODES.INITIAL_WINDOW_SIZE: 1_000})
    pair.exchange()
    assert bytes(pair.requests[1][1]) == f.message(b"m" * 100_000)


def test_no_more_calls_are_started_than_the_peer_allows() -> None:
    """The room is what it announced, less what is under way; h2 would not take one more."""
    pair = Pair(settings={CODES.MAX_CONCURRENT_STREAMS: 3})
    assert pair.client.room == 0
    pair.exchange()
    for _ in range(20):
        while pair.client.room:
            start(pair, b"")
        assert len(pair.client.streams) == 3
        pair.exchange()
        pair.answer(pair.complete.pop(0), b"")
        pair.exchange()
    assert [stream.status for stream in pair.ended] == ["OK"] * 20
    pair.close()


@pytest.mark.parametrize(
    ("trailers", "status"),
    [
        (OK, "OK"),
        ([("grpc-status", "8"), ("grpc-message", "too many")], "RESOURCE_EXHAUSTED"),
        ([("grpc-status", "99")], "STATUS_99"),
        ([("x-nothing", "said")], "UNKNOWN"),
    ],
)
def test_the_status_is_that_of_the_trailers(pair: Pair, trailers: list[tuple[str, str]], status: str) -> None:
    """By its name; the second time it is known without decoding."""
    for _ in range(2):
        start(pair, b"")
    pair.exchange()
    for number in pair.complete:
        pair.answer(number, b"", trailers)
    pair.exchange()
    assert [stream.status for stream in pair.ended] == [status, status]


def test_an_answer_without_a_message_has_its_status_in_its_only_headers(pair: Pair) -> None:
    """A call refused at once is answered by headers that end the stream."""
    stream = start(pair, b"")
    pair.exchange()
    pair.server.send_headers(1, [(":status", "200"), ("grpc-status", "14")], end_stream=True)
    pair.exchange()
    assert stream.status == "UNAVAILABLE"


def test_an_answer_of_http_alone_is_told_by_its_number(pair: Pair) -> None:
    """Such is the answer of a proxy that has nobody behind it."""
    stream = start(pair, b"")
    pair.exchange()
    pair.server.send_headers(1, [(":status", "503")])
    pair.server.send_data(1, b"no healthy upstream", end_stream=True)
    pair.exchange()
    assert stream.status == "HTTP_503"


@pytest.mark.parametrize(
    ("code", "status"), [(7, "UNAVAILABLE"), (8, "CANCELLED"), (11, "RESOURCE_EXHAUSTED"), (2, "INTERNAL")]
)
def test_a_reset_ends_the_call(pair: Pair, code: int, status: str) -> None:
    """With the status that gRPC has for the error; the other calls go on."""
    first, second = start(pair, b"m" * 100), start(pair, b"")
    pair.exchange()
    pair.server.reset_stream(1, code)
    pair.answer(3, b"")
    pair.exchange()
    assert (first.status, second.status) == (status, "OK")


def test_calls_above_the_last_one_of_a_goaway_were_not_taken(pair: Pair) -> None:
    """Those below are still answered, and no new one is started."""
    first, second = start(pair, b""), start(pair, b"")
    pair.exchange()
    pair.ended += pair.client.take(GoAwayFrame(0, last_stream_id=1).serialize())
    assert second.status == "UNAVAILABLE"
    assert pair.client.room == 0
    pair.answer(1, b"")
    pair.exchange()
    assert first.status == "OK"


def test_a_ping_is_answered(pair: Pair) -> None:
    """With the same eight bytes."""
    pair.server.ping(b"01234567")
    pair.exchange()
    answers = [event for event in pair.events if isinstance(event, h2.events.PingAckReceived)]
    assert [event.ping_data for event in answers] == [b"01234567"]


def test_a_call_given_up_is_reset_and_what_still_comes_is_ignored(pair: Pair) -> None:
    """The peer learns that nobody waits; an answer on its way does no harm."""
    stream = start(pair, b"")
    pair.exchange()
    pair.client.cancel(1)
    late = HeadersFrame(1, b"\x88", flags=["END_HEADERS", "END_STREAM"]).serialize()
    assert pair.client.take(late) == []
    pair.exchange()
    assert any(isinstance(event, h2.events.StreamReset) for event in pair.events)
    assert stream.status == ""


def test_blocks_in_parts_and_padding_are_understood(pair: Pair) -> None:
    """Rare as they are: CONTINUATION, PRIORITY within HEADERS, and padded frames."""
    stream = start(pair, b"")
    message = f.message(b"padded")
    coming: list[Frame] = [
        HeadersFrame(1, b"\x88", flags=["END_HEADERS", "PADDED", "PRIORITY"], pad_length=3),
        DataFrame(1, message, flags=["PADDED"], pad_length=9),
        HeadersFrame(1, b"\x00\x0bgrpc-", flags=["END_STREAM"]),
        ContinuationFrame(1, b"status\x010", flags=["END_HEADERS"]),
    ]
    for frame in coming:
        pair.ended += pair.client.take(frame.serialize())
    assert (stream.status, body_of(stream)) == ("OK", b"padded")


@pytest.mark.parametrize(
    "broken",
    [
        f.frame(f.CONTINUATION, 0, 1, b""),
        f.frame(f.PUSH_PROMISE, 0, 1, b"1234"),
        f.frame(f.HEADERS, 0, 1, b"\x88") + f.frame(f.DATA, 0, 1, b""),
        f.frame(f.DATA, f.PADDED, 1, b"\x09"),
        f.frame(f.DATA, 0, 1, b"x" * 16_385)[:100],
    ],
)
def test_what_is_not_http2_is_an_error(pair: Pair, broken: bytes) -> None:
    """Nobody should measure such a server."""
    with pytest.raises(PeerError):
        pair.client.take(broken)


def test_a_peer_with_a_small_header_table_gets_blocks_it_can_read() -> None:
    """None of it at all, or too little for the headers of one call."""
    for size in (0, 100):
        pair = Pair(settings={CODES.HEADER_TABLE_SIZE: size})
        pair.exchange()
        for kind in (CHECK, BLIND, CHECK, BLIND):
            start(pair, b"", kind)
            pair.exchange()
        assert [headers[":path"] for headers, _ in pair.requests.values()] == [CHECK.path, BLIND.path] * 2
        pair.close()


@given(st.binary(max_size=50), st.integers(1, 2**31 - 1), st.integers(0, 255))
def test_frames_are_those_of_hyperframe(payload: bytes, stream: int, flags: int) -> None:
    """Length, type, flags and stream are where everybody looks for them."""
    frame = DataFrame(stream, payload, flags=["END_STREAM"] if flags & 1 else [])
    assert f.frame(f.DATA, flags & 1, stream, payload) == frame.serialize()
    assert (
        f.frame(f.PING, f.ACK, 0, payload[:8].ljust(8)) == PingFrame(0, payload[:8].ljust(8), flags=["ACK"]).serialize()
    )


@given(st.dictionaries(st.integers(1, 6), st.integers(0, 2**31 - 1)))
def test_settings_are_those_of_hyperframe(values: dict[int, int]) -> None:
    """And read back as they were."""
    frame = f.settings(values)
    assert frame == SettingsFrame(0, values).serialize()
    assert dict(f.read_settings(frame[f.HEAD_BYTES :])) == values


@given(st.lists(st.binary(max_size=50), max_size=5))
def test_messages_of_a_body_are_those_put_into_it(messages: list[bytes]) -> None:
    """One after the other; a body that is cut off is no body."""
    body = b"".join(map(f.message, messages))
    assert list(f.messages(body)) == messages
    if body:
        with pytest.raises(ValueError, match="ends within"):
            list(f.messages(body[:-1]))
