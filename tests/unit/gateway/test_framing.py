from __future__ import annotations

import string
from urllib.parse import unquote

import grpc
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from allocator.gateway import framing
from allocator.gateway.framing import FrameError, Unframer

MESSAGE_BYTES = 1_000
ENCODINGS = (b"gzip", b"deflate")

encodings = st.sampled_from((b"", *ENCODINGS))
messages = st.lists(st.binary(max_size=MESSAGE_BYTES), max_size=8)
values = st.text(string.ascii_letters + string.digits + " ,;=%~!", max_size=40)


def unframer(encoding: bytes = b"", message_bytes: int = MESSAGE_BYTES) -> Unframer:
    """For small messages."""
    return Unframer(encoding, message_bytes)


def packed(message: bytes, encoding: bytes) -> bytes:
    """A frame with a compressed message, whether that makes it smaller or not."""
    data = framing.compress(message, encoding)
    return b"\x01" + len(data).to_bytes(4, "big") + data


@given(messages, encodings, st.data())
def test_messages_come_out_whole_however_they_are_cut(sent: list[bytes], encoding: bytes, data: st.DataObject) -> None:
    """Chunks of any sizes, empty ones among them, compressed or not: the same messages in the same order."""
    body = b"".join(framing.frame(message, encoding) for message in sent)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    reader, got = unframer(encoding), []
    for start, end in zip((0, *cuts), (*cuts, len(body)), strict=True):
        got += reader.feed(body[start:end])
    assert got == sent
    assert not reader.pending


@given(messages)
def test_messages_come_out_byte_by_byte(sent: list[bytes]) -> None:
    """Each is there with its last byte, and only a part of one is pending."""
    reader = unframer()
    got: list[bytes] = []
    for message in sent:
        for byte in framing.frame(message):
            assert len(got) < len(sent)
            got += reader.feed(bytes((byte,)))
        assert got[-1] == message
        assert not reader.pending
    reader.feed(b"\x00")
    assert reader.pending


@given(st.binary(max_size=MESSAGE_BYTES), st.sampled_from(ENCODINGS))
@example(b"", b"gzip")
@example(bytes(MESSAGE_BYTES), b"deflate")
def test_what_was_compressed_is_the_same_again(message: bytes, encoding: bytes) -> None:
    """Up to the limit itself, and also where compression made it larger."""
    assert unframer(encoding).feed(packed(message, encoding)) == [message]


@given(st.binary(max_size=MESSAGE_BYTES), st.sampled_from(ENCODINGS))
def test_a_message_goes_out_compressed_only_where_that_is_smaller(message: bytes, encoding: bytes) -> None:
    """A frame is never larger than the plain one."""
    frame = framing.frame(message, encoding)
    assert len(frame) <= len(framing.frame(message))
    assert frame[0] == (len(frame) < len(framing.frame(message)))


@given(st.integers(MESSAGE_BYTES + 1, 2**32 - 1))
def test_a_length_over_the_limit_is_refused_before_the_message_is_there(length: int) -> None:
    """By what its prefix says: nothing is collected."""
    with pytest.raises(FrameError) as caught:
        unframer().feed(b"\x00" + length.to_bytes(4, "big"))
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_decompression_bomb_is_not_unpacked(encoding: bytes) -> None:
    """A small frame with a huge message is refused as soon as it is over the limit."""
    bomb = packed(bytes(16 * 2**20), encoding)
    limit = len(bomb)
    with pytest.raises(FrameError, match=f"{limit + 1} bytes or more") as caught:
        unframer(encoding, limit).feed(bomb)
    assert caught.value.code is grpc.StatusCode.RESOURCE_EXHAUSTED


@given(st.binary(min_size=1, max_size=MESSAGE_BYTES), st.sampled_from(ENCODINGS), st.data())
def test_a_compressed_message_that_is_cut_short_is_refused(
    message: bytes, encoding: bytes, data: st.DataObject
) -> None:
    """Its frame is complete, what is in it is not."""
    whole = framing.compress(message, encoding)
    part = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(FrameError) as caught:
        unframer(encoding).feed(b"\x01" + len(part).to_bytes(4, "big") + part)
    assert caught.value.code is grpc.StatusCode.INTERNAL


@given(st.binary(max_size=50), st.sampled_from((b"", b"identity", b"zstd")))
def test_a_compressed_message_without_a_known_encoding_is_refused(message: bytes, encoding: bytes) -> None:
    """Nobody said how to unpack it."""
    with pytest.raises(FrameError) as caught:
        unframer(encoding).feed(b"\x01" + len(message).to_bytes(4, "big") + message)
    assert caught.value.code is grpc.StatusCode.INTERNAL


@given(
    st.integers(0, 99_999_999),
    st.sampled_from([("H", 3600.0), ("M", 60.0), ("S", 1.0), ("m", 1e-3), ("u", 1e-6), ("n", 1e-9)]),
)
def test_timeouts_are_seconds(count: int, unit: tuple[str, float]) -> None:
    """In all six units, up to eight digits."""
    letter, seconds = unit
    assert framing.timeout_s(f"{count}{letter}".encode()) == pytest.approx(count * seconds)


@pytest.mark.parametrize(
    "value",
    [b"", b"S", b"1", b"1s", b"-1S", b"+1S", b"1.5S", b"1 S", b" 1S", b"123456789S", b"1SS", "\u0661S".encode()],
)
def test_a_malformed_timeout_is_none(value: bytes) -> None:
    """As if there was none: grpcio does the same."""
    assert framing.timeout_s(value) is None


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("name"), values.map(str.strip)), st.tuples(st.just("name-bin"), st.binary(max_size=400))
        )
    )
)
def test_metadata_comes_back_as_it_went_out(metadata: list[tuple[str, str | bytes]]) -> None:
    """Text and bytes, in order, names more than once."""
    assert framing.metadata_of(framing.headers_of(metadata)) == tuple(metadata)


@given(st.binary(max_size=40), st.booleans())
def test_binary_metadata_is_read_with_padding_and_without(value: bytes, padded: bool) -> None:  # noqa: FBT001  # drawn
    """Both are allowed on the wire; ours goes out without."""
    ((name, text),) = framing.headers_of([("a-bin", value)])
    assert b"=" not in text
    wire = text + b"=" * (-len(text) % 4 if padded else 0)
    assert framing.metadata_of([(name, wire)]) == (("a-bin", value),)


@given(st.lists(st.binary(max_size=20), min_size=2, max_size=4))
def test_joined_binary_metadata_is_taken_apart(parts: list[bytes]) -> None:
    """Proxies may join values of one name with commas, which base64 does not have."""
    wire = b",".join(value for _, value in framing.headers_of([("a-bin", part) for part in parts]))
    assert framing.metadata_of([(b"a-bin", wire)]) == tuple(("a-bin", part) for part in parts)


def test_text_is_utf_8_or_else_latin_1() -> None:
    """As grpcio reads it, though the format allows ASCII only."""
    headers = [(b"a", "\u20ac".encode()), (b"b", b"\xe9")]
    assert framing.metadata_of(headers) == (("a", "\u20ac"), ("b", "\xe9"))


def test_metadata_that_cannot_be_a_header_is_refused() -> None:
    """Nobody may write headers of his own with a line break, or a name that HTTP/2 does not have."""
    for odd in (
        ("a", "x\r\ny: z"),
        ("a", "\u20ac"),
        ("a", b"\x00"),
        ("A", "x"),
        ("", "x"),
        (":path", "/"),
        ("a b", "x"),
    ):
        with pytest.raises(FrameError) as caught:
            framing.headers_of([odd])
        assert caught.value.code is grpc.StatusCode.INTERNAL


def test_what_concerns_the_front_is_no_metadata() -> None:
    """As with grpcio, which keeps it to itself."""
    own = [(b":path", b"/a/B"), (b"te", b"trailers"), (b"grpc-timeout", b"1S"), (b"content-type", b"application/grpc")]
    assert framing.metadata_of([*own, (b"x-request-id", b"1")]) == (("x-request-id", "1"),)


def test_headers_that_are_kept_decoded_are_few_and_short() -> None:
    """No caller can have a gateway keep what it sends."""
    framing.metadata_of([(b"long", b"x" * 1_000)])
    for number in range(framing.KNOWN_MAX + 10):
        framing.metadata_of([(b"id", b"%d" % number)])
    assert len(framing.known) <= framing.KNOWN_MAX
    assert (b"long", b"x" * 1_000) not in framing.known


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_status_messages_are_printable_and_read_back(details: str) -> None:
    """Percent-encoded as gRPC has it: what is left is printable ASCII, and decodes to the same."""
    _, (name, value) = framing.status_headers(grpc.StatusCode.ABORTED, details)
    assert name == b"grpc-message"
    assert all(0x20 <= byte <= 0x7E for byte in value)
    assert unquote(value.decode()) == details


def test_half_a_character_does_not_keep_a_status_from_going_out() -> None:
    """It is replaced."""
    assert framing.status_headers(grpc.StatusCode.ABORTED, "a\ud800")[1] == (b"grpc-message", b"a?")


@pytest.mark.parametrize(
    ("content_type", "grpc_s"),
    [
        (b"application/grpc", True),
        (b"application/grpc+proto", True),
        (b"application/grpc;charset=utf-8", True),
        (b"application/grpc-web", False),
        (b"application/grpcx", False),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_the_content_type_of_grpc_is_known(content_type: bytes, grpc_s: bool) -> None:  # noqa: FBT001  # a parameter
    """With a format, with parameters, and not that of gRPC-Web, whose frames are others."""
    assert framing.is_grpc(content_type) is grpc_s
