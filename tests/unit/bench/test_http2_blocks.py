"""Blocks of answers say what they say, also those that are read by their beginning only."""

from __future__ import annotations

import pytest
from hpack import Encoder
from hypothesis import given
from hypothesis import strategies as st

from bench.http2.blocks import AnswerBlocks

OTHERS = {"14": "UNAVAILABLE", "8": "RESOURCE_EXHAUSTED", "01": "STATUS_01"}


class _Encoder:
    """Of a peer that keeps no table, as it is asked to."""

    def __init__(self, *, huffman: bool) -> None:
        self._huffman = huffman

    def encode(self, *fields: tuple[str, str]) -> bytes:
        encoder = Encoder()
        encoder.header_table_size = 0
        return bytes(encoder.encode(fields, huffman=self._huffman))


@given(ids=st.lists(st.text("abc019-_", min_size=1, max_size=40), min_size=1, max_size=20))
@pytest.mark.parametrize("huffman", [True, False])
def test_a_status_is_read_whatever_follows(ids: list[str], huffman: bool) -> None:  # noqa: FBT001  # a parameter
    """OK and every other one, in any order, with ids beside them that are never the same."""
    peer, blocks = _Encoder(huffman=huffman), AnswerBlocks()
    for name in ids:
        assert blocks.status(peer.encode(("grpc-status", "0"), ("x-id", name))) == "OK"
        for code, status in OTHERS.items():
            assert blocks.status(peer.encode(("grpc-status", code), ("x-id", name))) == status
        assert blocks.status(peer.encode((":status", "200"), ("x-id", name))) == ""
        assert blocks.status(peer.encode(("x-id", name), ("grpc-status", "0"))) == "OK"


def test_ok_is_not_decoded_again() -> None:
    """Once it was seen, ids beside it cost nothing: their blocks are not even remembered."""
    peer, blocks = _Encoder(huffman=True), AnswerBlocks()
    for number in range(100):
        blocks.status(peer.encode(("grpc-status", "0"), ("x-id", f"{number}")))
    assert len(blocks.known) <= 2
