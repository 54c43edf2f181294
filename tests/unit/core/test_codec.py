from __future__ import annotations

import operator
from functools import reduce
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core import commands, events, results
from allocator.core.codec import (
    decode_command,
    decode_result,
    encode_command,
    encode_result,
    pack_batch,
    pack_events,
    unpack_batch,
    unpack_events,
)
from allocator.core.commands import Movement, MovementType, PolicyLine, SetStockPolicy
from allocator.core.events import Refused
from allocator.core.protocol.answers import Outcome
from allocator.core.protocol.types import Amend, Decided, Message, Open
from tests.unit.core.helpers import NOW, do_with_events, ledger_with, partial, reserve

texts = st.text(max_size=8)
integers = st.integers(-(2**62), 2**62)
lines = st.lists(st.tuples(texts, integers), max_size=3).map(tuple)
st.register_type_strategy(str, texts)
st.register_type_strategy(int, integers)


def of_any(union: object) -> st.SearchStrategy[Any]:
    """Make values of every member of a union of named tuples, with random fields of their types."""
    return st.one_of([st.from_type(member) for member in get_args(union)])


def shape(value: object) -> object:
    """The types of a value at every depth; an enum's number is as good as its member."""
    return (type(value), *map(shape, value)) if isinstance(value, tuple) else isinstance(value, int) or type(value)


of_any_command = (Refused, Decided)
plain_events = of_any(
    reduce(operator.or_, [member for member in get_args(events.Event) if member not in of_any_command])
)


@given(of_any(commands.Command) | of_any(Message) | of_any(Open | Amend))
def test_every_command_survives_the_wire(command: commands.Command) -> None:
    """Same type, same fields, and tuples stay tuples."""
    decoded = decode_command(encode_command(command))
    assert (shape(decoded), decoded) == (shape(command), command)
    hash(decoded)


@given(of_any(results.Result) | of_any(Outcome))
def test_every_result_survives_the_wire(result: results.Result) -> None:
    """Same type, same fields, at every depth."""
    decoded = decode_result(encode_result(result))
    assert (shape(decoded), decoded) == (shape(result), result)


@given(st.lists(plain_events, max_size=4))
def test_every_event_survives_the_journal(batch: list[Any]) -> None:
    """A batch comes back as it was written, in order."""
    unpacked = unpack_events(pack_events(batch))
    assert (shape(tuple(unpacked)), unpacked) == (shape(tuple(batch)), batch)


@pytest.mark.parametrize("command", [reserve("q1", apple=9), partial("q1", fig=9)])
def test_a_remembered_refusal_survives_the_journal(command: commands.Reserve) -> None:
    """The refused command and its answer come back with their types, to answer the repeat."""
    ledger = ledger_with({"apple": 1, "fig": 1})
    ledger.execute(reserve("q0", fig=1), NOW)
    _, batch = do_with_events(ledger, command)
    (event,) = unpack_events(pack_events(batch))
    assert (shape(event), event) == (shape(batch[0]), batch[0])


@pytest.mark.parametrize(
    "command",
    [
        Movement("till ✓", "m/1:ü", 2**63 - 1, "sku-é", MovementType.ADJUSTMENT, -(10**9)),
        SetStockPolicy("q1", (PolicyLine("apple"), PolicyLine("fig", 0, (), (("", "damaged", 1),)))),
    ],
)
def test_odd_values_survive_the_wire(command: commands.Command) -> None:
    """Non-ASCII text, big numbers, and None apart from 0 and ()."""
    assert decode_command(encode_command(command)) == command


def test_packing_is_deterministic() -> None:
    """The same events give the same bytes."""
    _, batch = do_with_events(ledger_with({"apple": 5}), reserve("q1", apple=1))
    assert pack_events(batch) == pack_events(unpack_events(pack_events(batch)))


def test_a_journal_entry_keeps_the_call_behind_each_event() -> None:
    """Correlation id and trace travel with the event."""
    _, events = do_with_events(ledger_with({"apple": 5}), reserve("q1", apple=1))
    records = [(event, "corr-1", "00-trace-01") for event in events]
    assert unpack_batch(pack_batch(records)) == records


def test_no_events_are_a_batch_too() -> None:
    """An empty batch is packed and unpacked like any other."""
    assert list(unpack_events(pack_events([]))) == []
