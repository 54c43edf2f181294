from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from allocator.gateway import wire
from allocator.v1 import availability_pb2 as a

INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.text(max_size=64), INT64, st.text(max_size=200), st.booleans())
def test_fields_are_as_the_library_writes_them(sku: str, requested: int, name: str, sufficient: bool) -> None:  # noqa: FBT001  # hypothesis hands it over
    """Texts, numbers of either sign, bools and messages in messages."""
    quantity = wire.bytes_field(1, name.encode()) + wire.int_field(2, requested)
    line = b"".join(
        (
            wire.bytes_field(1, sku.encode()) if sku else b"",
            wire.int_field(2, requested),
            wire.int_field(3, sufficient),
            wire.bytes_field(5, quantity if name else wire.int_field(2, requested)),
        )
    )
    plain = a.CheckedLine(sku=sku, requested=requested, sufficient=sufficient)
    plain.quantities.add(location=name, available=requested)
    assert line == plain.SerializeToString()


@given(st.text(min_size=1, max_size=64), st.one_of(INT64, st.integers(0, 70_000)))
def test_what_stands_before_a_number_may_be_made_beforehand(name: str, number: int) -> None:
    """One for each length of varint."""
    plain = a.CheckAvailabilityResponse()
    plain.versions.add(location=name, version=number)
    assert wire.counted(3, name).field(number) == plain.SerializeToString()


@given(st.binary(max_size=300), st.binary(max_size=3))
def test_a_message_of_one_field_is_opened(inside: bytes, behind: bytes) -> None:
    """Anything else is not."""
    assert wire.only_bytes_field(1, wire.bytes_field(1, inside)) == inside
    assert wire.only_bytes_field(2, wire.bytes_field(1, inside)) is None
    if behind:
        assert wire.only_bytes_field(1, wire.bytes_field(1, inside) + behind) is None
        assert wire.only_bytes_field(1, wire.bytes_field(1, inside + b"x")[:-1]) is None
    assert wire.only_bytes_field(1, b"\x0a") is None
    assert wire.only_bytes_field(1, b"") is None
