from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from typing import Any

import pytest
from google.protobuf.descriptor import FileDescriptor
from hypothesis import given
from hypothesis import strategies as st

from allocator.client import AsyncClient, Client, InvalidRequest, ReservationState, Shortage, enums, wire
from allocator.client.call import fill_request_ids
from allocator.client.calls import (
    allocations,
    availability,
    inventory,
    lanes,
    network,
    reservations,
    sourcing,
    supply,
)
from allocator.client.types.reservations import Reserve
from allocator.v1 import availability_pb2, common_pb2, inventory_pb2, network_pb2, reservation_pb2, sourcing_pb2
from tests.unit.client.samples import movement

CALLS = [allocations, availability, inventory, lanes, network, reservations, sourcing, supply]
MODULES = [availability_pb2, common_pb2, inventory_pb2, network_pb2, reservation_pb2, sourcing_pb2]
FILES: list[FileDescriptor] = [module.DESCRIPTOR for module in MODULES]
MIRRORED = [thing for thing in vars(enums).values() if isinstance(thing, type) and thing is not StrEnum]


@pytest.mark.parametrize("cls", [cls for cls in MIRRORED if cls is not enums.ServingStatus])
def test_each_enum_has_exactly_the_values_of_the_contract(cls: type[StrEnum]) -> None:
    """A value added to the contract is missed here, not by users."""
    twin = next(file.enum_types_by_name[cls.__name__] for file in FILES if cls.__name__ in file.enum_types_by_name)
    prefix = wire.screaming(cls.__name__)
    assert [value.name.removeprefix(prefix) for value in twin.values] == list(cls)


def test_every_enum_of_the_contract_is_mirrored() -> None:
    """Users never see a bare number; reasons of errors travel as words."""
    theirs = {name for file in FILES for name in file.enum_types_by_name}
    assert theirs - {"ErrorReason"} == {cls.__name__ for cls in MIRRORED} - {"ServingStatus"}


def test_every_method_of_the_contract_has_a_call() -> None:
    """Both clients can do everything."""
    theirs = {method.name for file in FILES for service in file.services_by_name.values() for method in service.methods}
    sources = "".join(inspect.getsource(module) for module in CALLS)
    assert {name for name in theirs if f'"{name}"' not in sources} == set()


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    """Whoever knows one knows the other."""
    ours, theirs = (
        {name: list(inspect.signature(method).parameters) for name, method in _public(cls)}
        for cls in (Client, AsyncClient)
    )
    assert ours == theirs


def _public(cls: type) -> list[tuple[str, Any]]:
    return [(name, member) for name, member in inspect.getmembers(cls, callable) if not name.startswith("_")]


def test_methods_document_themselves() -> None:
    """help() tells the arguments, the result and the errors."""
    signature = str(inspect.signature(Client.reserve))
    assert signature.startswith("(self, lines: 'PlacedLines', *, at: 'str'")
    assert signature.endswith("-> 'ReserveResult'")
    assert str(inspect.signature(AsyncClient.reservations)).endswith("-> 'AsyncIterator[Reservation]'")
    assert "Raises:" in (Client.reserve.__doc__ or "")


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,63}", fullmatch=True))
def test_ids_come_back_as_they_went(text: str) -> None:
    """Prefixes are put on and taken off, also of ids with slashes and of ids that look like names."""
    for name in (wire.location_name(text), wire.group_name(text), wire.reservation_name(text)):
        assert wire.plain_id(name) == text


@given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone(timedelta(hours=-7)))))  # noqa: DTZ001  # hypothesis adds the zone
def test_times_come_back_in_utc(at: datetime) -> None:
    """To the microsecond, whatever zone they came in."""
    message = wire.timestamp("at", at)
    assert message is not None
    assert wire.moment(message) == at
    assert wire.moment(message).tzinfo is UTC


def test_a_time_without_a_zone_is_refused() -> None:
    """It could be any of two dozen points in time."""
    with pytest.raises(InvalidRequest, match=r"pick_time.*no time zone"):
        reservations.reserve({"A": 1}, at="leeds", pick_time=datetime(2024, 1, 1))  # noqa: DTZ001  # on purpose


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e300])
def test_a_length_of_time_that_cannot_be_told_is_refused(seconds: float) -> None:
    """Not a number is not a length."""
    with pytest.raises(InvalidRequest, match="no length of time"):
        reservations.reserve({"A": 1}, at="leeds", ttl_s=seconds)


def test_a_value_of_a_newer_server_reads_as_unspecified() -> None:
    """An old client does not break on what it does not know."""
    states = wire.EnumMap(ReservationState, reservation_pb2.ReservationState)
    assert (states.parse(2), states.parse(77)) == (ReservationState.COMMITTED, ReservationState.UNSPECIFIED)


def test_a_word_that_is_none_of_the_values_is_refused_with_what_there_is() -> None:
    """A typo in a filter is told, not ignored."""
    with pytest.raises(InvalidRequest, match="'OPEN' is not one of HELD, COMMITTED"):
        reservations.reservations(state="OPEN").call("")  # type: ignore[arg-type]  # on purpose


def test_request_ids_are_filled_where_they_lack() -> None:
    """A write gets an id, each reserve of a batch its own, and a given one stays."""
    ids = iter(["one", "two"])
    batch = reservations.batch_reserve([Reserve({"A": 1}, "leeds"), Reserve({"A": 1}, "leeds", request_id="mine")])
    single = reservations.commit("r")
    fill_request_ids(batch.request, lambda: next(ids))
    fill_request_ids(single.request, lambda: next(ids))
    assert [reserve.request_id for reserve in batch.request.reserves] == ["one", "mine"]  # type: ignore[attr-defined]  # of a batch
    assert single.request_id == "two"


def test_lines_may_be_a_mapping_or_pairs() -> None:
    """Pairs may repeat a SKU; the server sums them."""
    assert wire.pairs({"A": 1}) == wire.pairs([("A", 1)]) == [("A", 1)]
    assert wire.pairs(iter([("A", 1), ("A", 2)])) == [("A", 1), ("A", 2)]


def test_supply_that_breaks_promises_is_told() -> None:
    """By plain ids, with the answer to a movement and to an announcement."""
    short = inventory_pb2.Shortage(
        sku="FIG", location="locations/leeds", missing=2, reservations=["reservations/r1"], reservations_total=3
    )
    expected = Shortage("FIG", "leeds", 2, ("r1",), 3)
    moved = inventory_pb2.RecordMovementsResponse(results=[inventory_pb2.MovementResult(supply_shortage=short)])
    assert inventory.record([movement(1)]).parse(moved).results[0].supply_shortage == expected
    announced = inventory_pb2.SetSupplyResponse(supply_shortages=[short])
    assert supply.set_supply("leeds", []).parse(announced).supply_shortages == (expected,)
