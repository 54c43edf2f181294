"""The client for threads, against the fake: every call and what comes back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import grpc
import numpy as np
import pytest

from allocator.client import (
    AlreadyExists,
    Capacity,
    CapacityMeasure,
    Client,
    DispositionMove,
    ExpectedSupply,
    FailedPrecondition,
    FulfilmentMode,
    InvalidRequest,
    Lane,
    Location,
    LocationGroup,
    LocationKind,
    LocationState,
    Movement,
    MovementRejection,
    MovementStatus,
    MovementType,
    NotFound,
    OpeningException,
    OpeningHours,
    Position,
    ReservationState,
    Reserve,
    ReservePolicy,
    ReserveResult,
    ReserveStatus,
    SetCountStatus,
    SourcingProfile,
    StockPolicy,
    SupplyKind,
    SupplyLine,
    TransitBand,
    TransitionStatus,
)
from tests.unit.client.fake import FakeServer
from tests.unit.client.samples import movement

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_cart_is_checked(client: Client) -> None:
    """Each line tells what there is and where, by plain ids, and the whole whether it suffices."""
    result = client.check([("APPLE", 11), ("PEAR", 4)])
    apple, pear = result.lines
    assert (result.ok, apple.sufficient, pear.sufficient) == (False, True, False)
    assert apple.quantities == {"leeds": 10, "york": 4}
    assert (pear.total, pear.quantities) == (3, {"leeds": 3})
    assert (result.versions, result.ages_s) == ({"leeds": 1, "york": 1}, {"leeds": 0.0015, "york": 0.0015})


def test_a_check_says_where_to_look_and_how_fresh(client: Client, fake: FakeServer) -> None:
    """Channel, locations, group and versions reach the server by the contract's names."""
    client.check({"APPLE": 1}, channel="web", locations=["york"], min_versions={"york": 1})
    client.create_group(LocationGroup("north", ("york",)))
    client.check({"APPLE": 1}, group="north")
    first, second = fake.requests("CheckAvailability")
    assert (first.channel, list(first.locations)) == ("web", ["locations/york"])
    assert [(v.location, v.version) for v in first.min_versions] == [("locations/york", 1)]
    assert second.location_group == "locationGroups/north"


def test_availability_is_a_matrix_with_names(client: Client) -> None:
    """Rows are SKUs, columns locations, cells int64: the bytes of the answer as they came, so they are read-only."""
    matrix = client.availability(["APPLE", "PEAR", "FIG"], locations=["york", "leeds"])
    assert matrix.cells.dtype == np.int64
    assert (matrix.cells.flags.owndata, matrix.cells.flags.writeable) == (False, False)
    assert matrix.cells.tolist() == [[4, 10], [0, 3], [0, 0]]
    assert (matrix.skus, matrix.locations) == (("APPLE", "PEAR", "FIG"), ("york", "leeds"))
    assert (matrix.of("APPLE", "leeds"), matrix.unknown_skus) == (10, ("FIG",))


def test_an_order_goes_its_way(client: Client) -> None:
    """Reserve, extend, commit, fulfil: each answer is typed and says what is now."""
    held = client.reserve({"APPLE": 3, "PEAR": 1}, at="leeds", ttl_s=60, channel="web", order="A-1")
    assert (held.ok, held.status, held.versions) == (True, ReserveStatus.HELD, {"leeds": 2})
    assert held.reservation is not None
    name = held.reservation.name
    assert not name.startswith("reservations/")
    assert held.reservation.expires_at == datetime.fromtimestamp(1_700_000_060, UTC)
    assert client.extend(name, ttl_s=120).ok
    assert client.commit(name).status is TransitionStatus.DONE
    part = client.fulfil(name, {"APPLE": 2})
    assert [(line.sku, line.location, line.quantity) for line in part.moved] == [("APPLE", "leeds", 2)]
    back = client.release(name, reason="cancelled")
    assert back.reservation is not None
    assert back.reservation.state is ReservationState.RELEASED
    assert client.reservation(name).lines[0].fulfilled == 2


def test_a_refusal_is_a_result(client: Client) -> None:
    """Too little stock is no exception, and says what is left."""
    result = client.reserve({"APPLE": 5}, at="york")
    assert (result.ok, result.status, result.reservation) == (False, ReserveStatus.INSUFFICIENT_STOCK, None)
    assert (result.lines[0].requested, result.lines[0].available) == (5, 4)


def test_a_partial_reserve_holds_what_there_is(client: Client) -> None:
    """With PARTIAL some is enough to be ok."""
    result = client.reserve({"APPLE": 5}, at="york", policy=ReservePolicy.PARTIAL)
    assert (result.ok, result.status, result.lines[0].held) == (True, ReserveStatus.PARTIALLY_HELD, 4)


def test_a_refused_transition_is_a_result(client: Client) -> None:
    """Fulfilling what is not committed changes nothing and says why."""
    held = client.reserve({"APPLE": 1}, at="york").reservation
    assert held is not None
    result = client.fulfil(held.name)
    assert (result.ok, result.status) == (False, TransitionStatus.NOT_COMMITTED)


def test_a_batch_answers_each_reserve_by_itself(client: Client, fake: FakeServer) -> None:
    """Results and errors stand side by side, each error with its own request id."""
    results = client.batch_reserve(
        [Reserve({"APPLE": 1}, "leeds"), Reserve({"FIG": 1}, "leeds"), Reserve({"APPLE": 9}, "york")]
    )
    held, unknown, short = results
    assert isinstance(held, ReserveResult)
    assert isinstance(unknown, NotFound)
    assert isinstance(short, ReserveResult)
    assert (held.ok, short.ok) == (True, False)
    sent = fake.requests("BatchReserve")[0].reserves
    assert unknown.request_id == sent[1].request_id
    assert len({reserve.request_id for reserve in sent}) == 3


def test_reservations_are_listed_over_all_pages(client: Client, fake: FakeServer) -> None:
    """The iterator asks for the next page when it needs it, and filters by the contract's names."""
    for number in range(5):
        client.reserve({"APPLE": 1}, at="leeds", order=f"A-{number}")
    found = client.reservations(location="leeds", state=ReservationState.HELD, page_size=2)
    assert [reservation.order for reservation in found] == ["A-0", "A-1", "A-2", "A-3", "A-4"]
    assert [request.page_token for request in fake.requests("ListReservations")] == ["", "2", "4"]


def test_movements_are_recorded_once(client: Client) -> None:
    """A repeat is a duplicate, an unknown location is rejected alone, and a shortage names who is at risk."""
    reserved = client.reserve({"PEAR": 3}, at="leeds").reservation
    sale = movement(3, sku="PEAR", type=MovementType.SALE, occurred_at=datetime(2024, 1, 1, tzinfo=UTC))
    result = client.record([movement(1), movement(1), movement(2, location="mars"), sale])
    assert [part.status for part in result.results] == [
        MovementStatus.APPLIED,
        MovementStatus.DUPLICATE,
        MovementStatus.REJECTED,
        MovementStatus.APPLIED,
    ]
    assert (result.ok, result.results[2].rejection) == (False, MovementRejection.LOCATION_UNKNOWN)
    shortage = result.results[3].shortage
    assert shortage is not None
    assert reserved is not None
    assert (shortage.missing, shortage.location, shortage.reservations) == (1, "leeds", (reserved.name,))


def test_an_empty_batch_of_movements_is_refused_by_field(client: Client) -> None:
    """Bad input names the field."""
    with pytest.raises(InvalidRequest, match="movements: at least 1") as caught:
        client.record([])
    assert [violation.field for violation in caught.value.violations] == ["movements"]


def test_counts_tell_the_drift(client: Client) -> None:
    """A dry run changes nothing; the real one does."""
    as_of = datetime.now(UTC)
    dry = client.set_count("leeds", {"APPLE": 8}, as_of=as_of, validate_only=True)
    assert (dry.ok, dry.status, dry.lines[0].drift) == (True, SetCountStatus.VALIDATED, -2)
    assert client.set_count("leeds", {"APPLE": 8}, as_of=as_of).status is SetCountStatus.APPLIED
    assert client.stock("leeds", ["APPLE"])[0].on_hand == 8


def test_policy_sets_what_is_given_and_leaves_the_rest(client: Client, fake: FakeServer) -> None:
    """None is not sent; an empty set of quotas is."""
    policies = [
        StockPolicy("APPLE", safety_stock=2),
        StockPolicy("FIG", quotas={"web": 5}, moves=(DispositionMove("", "damaged", 1),)),
        StockPolicy("PEAR", quotas={}),
    ]
    assert client.set_policy("leeds", policies, allow_missing=True).versions == {"leeds": 2}
    apple, fig = client.stock("leeds", ["APPLE", "FIG"])
    assert (apple.safety_stock, apple.available, fig.quotas[0].quota) == (2, 8, 5)
    sent = fake.requests("SetStockPolicy")[0].lines
    assert [line.HasField("quotas") for line in sent] == [False, True, True]
    assert [line.HasField("safety_stock") for line in sent] == [True, False, False]


def test_supply_is_announced_and_listed(client: Client, fake: FakeServer) -> None:
    """What is expected passes both ways, with stock and in pages; movements carry it too."""
    at = datetime(2026, 2, 3, 7, tzinfo=UTC)
    lines = [SupplyLine("po-1", "FIG", 5, at, SupplyKind.TRANSFER), SupplyLine("po-2", "APPLE", 0)]
    assert client.set_supply("leeds", lines).versions == {"leeds": 2}
    expected = ExpectedSupply("po-1", "FIG", SupplyKind.TRANSFER, 5, 0, 5, at)
    assert list(client.list_supply("leeds", sku="FIG", page_size=1)) == [expected]
    (fig,) = client.stock("leeds", ["FIG"])
    assert (fig.incoming, fig.waiting, fig.supplies) == (5, 0, (expected,))
    assert not fake.requests("SetSupply")[0].lines[1].HasField("expect_time")
    moved = Movement("//wms", "m1", "leeds", "FIG", MovementType.RECEIPT, 2, supply="po-1", final=True)
    client.record([moved, replace(moved, type=MovementType.SUPPLY, final=False, expect_at=at)])
    received, told = fake.requests("RecordMovements")[0].movements
    assert (received.supply, received.final, received.HasField("expect_time")) == ("po-1", True, False)
    assert (told.type, told.expect_time.ToDatetime(tzinfo=UTC)) == (10, at)


def test_a_check_may_be_for_a_date(client: Client, fake: FakeServer) -> None:
    """The date is sent when there is one; it needs a time zone."""
    at = datetime(2026, 2, 3, 7, tzinfo=UTC)
    client.check({"APPLE": 1}, promise_by=at)
    client.check({"APPLE": 1})
    dated, plain = fake.requests("CheckAvailability")
    assert (dated.promise_by.ToDatetime(tzinfo=UTC), plain.HasField("promise_by")) == (at, False)
    with pytest.raises(InvalidRequest, match="promise_by"):
        client.check({"APPLE": 1}, promise_by=at.replace(tzinfo=None))


def test_stock_is_listed_over_all_pages(client: Client) -> None:
    """Every SKU once."""
    assert [stock.sku for stock in client.list_stock("leeds", page_size=1)] == ["APPLE", "PEAR"]


def test_a_location_comes_back_as_it_was_made(client: Client) -> None:
    """Everything the contract knows of a location passes both ways."""
    made = Location(
        id="hull",
        kind=LocationKind.STORE,
        state=LocationState.CLOSED,
        display_name="Hull",
        country_code="GB",
        city="Hull",
        position=Position(53.7, -0.3),
        time_zone="Europe/London",
        opening_hours=(OpeningHours(1, 540, 1_080),),
        opening_exceptions=(OpeningException(date(2024, 12, 26), closed=True, display_name="Boxing Day"),),
        priority=3,
        labels={"region": "north"},
        actor_group="a",
        channels=("web", "store"),
        modes=(FulfilmentMode.PICKUP, FulfilmentMode.SHIP_FROM_STORE),
        cut_offs={"": 720, "next-day": 1_020},
        handling_days=1,
    )
    assert client.create_location(made) == made
    assert client.location("hull") == made
    assert [location.id for location in client.locations(page_size=1)] == ["hull", "leeds", "york"]


def test_lanes_and_profiles_come_back_as_they_were_made(client: Client) -> None:
    """Everything the contract knows of them passes both ways; only the fields named are changed."""
    bands = (TransitBand(1, distance_max_km=100), TransitBand(3))
    lane = Lane("uk", "next-day", "UK", "leeds", "", ("GB", "IE"), 0, bands, 8_759_000, 1, 932_000, 2, 741)
    assert client.create_lane(lane) == client.lane("uk") == lane
    changed = client.update_lane(Lane("uk", "no", origin_group="north"), ["origin_location", "origin_group"])
    assert (changed.service_level, changed.origin_location, changed.origin_group) == ("next-day", "", "north")
    profile = SourcingProfile("thrifty", "Thrifty", 1.0, 0.5, 2.0, 0.25, 3.0, 4.0, 2, timedelta(seconds=1.5))
    assert client.create_profile(profile) == client.profile("thrifty") == profile
    assert client.update_profile(SourcingProfile("thrifty", cost=7), ["cost"]) == replace(profile, cost=7.0)
    assert [row.id for row in client.lanes()] == ["uk"]
    assert [row.id for row in client.profiles()] == ["thrifty"]
    client.delete_lane("uk")
    client.delete_profile("thrifty")
    for read in (lambda: client.lane("uk"), lambda: client.profile("thrifty")):
        with pytest.raises(NotFound):
            read()


def test_a_location_is_changed_and_deleted(client: Client) -> None:
    """Only the fields named are changed; one with stock stays."""
    changed = client.update_location(Location("leeds", city="Leeds", display_name="no"), ["city"])
    assert (changed.city, changed.display_name, changed.kind) == ("Leeds", "", LocationKind.STORE)
    client.create_location(Location("hull", LocationKind.STORE))
    client.delete_location("hull")
    with pytest.raises(NotFound):
        client.location("hull")
    with pytest.raises(FailedPrecondition):
        client.delete_location("leeds")
    with pytest.raises(AlreadyExists):
        client.create_location(Location("leeds", LocationKind.STORE))


def test_groups_and_capacity(client: Client, fake: FakeServer) -> None:
    """Groups have plain members; capacity is set and taken away."""
    north = LocationGroup("north", ("leeds", "york"), "North")
    assert client.create_group(north) == client.group("north") == north
    client.update_group(LocationGroup("north", ("york",)), ["locations"])
    assert [group.locations for group in client.groups()] == [("york",)]
    client.delete_group("north")
    assert not list(client.groups())
    window = datetime(2024, 1, 1, tzinfo=UTC)
    capacity = Capacity(CapacityMeasure.ORDERS, 3_600, 20, {window: 5})
    assert client.set_capacity("leeds", capacity).versions == {"leeds": 1}
    sent = fake.state.capacities["locations/leeds"]
    assert (sent.window.seconds, sent.limit, sent.overrides[0].limit) == (3_600, 20, 5)
    client.set_capacity("leeds", None)
    assert not fake.state.capacities
