"""The client for threads, against the fake."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime

import grpc
import numpy as np
import pytest

from allocator.client import (
    AlreadyExists,
    Cancelled,
    Capacity,
    CapacityMeasure,
    Client,
    DeadlineExceeded,
    DispositionMove,
    FailedPrecondition,
    InvalidRequest,
    Location,
    LocationGroup,
    LocationKind,
    LocationState,
    MessageTooLarge,
    Movement,
    MovementRejection,
    MovementStatus,
    MovementType,
    NotFound,
    OpeningException,
    OpeningHours,
    Overloaded,
    Position,
    RequestError,
    RequestIdReused,
    ReservationState,
    Reserve,
    ReservePolicy,
    ReserveResult,
    ReserveStatus,
    ServingStatus,
    SetCountStatus,
    StockPolicy,
    TransitionStatus,
    Unavailable,
)
from tests.unit.client.fake import FakeServer, Fault, error_info, retry_info, serve

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


def movement(number: int, location: str = "leeds", **changes: object) -> Movement:
    """A receipt of one apple."""
    fields = {"source": "test", "movement_id": f"m{number}", "location": location, "sku": "APPLE"}
    return Movement(**{**fields, "type": MovementType.RECEIPT, "quantity": 1, **changes})  # type: ignore[arg-type]  # by name


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
    """Rows are SKUs, columns locations, cells int64."""
    matrix = client.availability(["APPLE", "PEAR", "FIG"], locations=["york", "leeds"])
    assert matrix.cells.dtype == np.int64
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
    )
    assert client.create_location(made) == made
    assert client.location("hull") == made
    assert [location.id for location in client.locations(page_size=1)] == ["hull", "leeds", "york"]


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


def test_every_write_carries_a_request_id(client: Client, fake: FakeServer) -> None:
    """32 hexadecimal characters, new for each call, unless the caller has one."""
    client.reserve({"APPLE": 1}, at="leeds")
    client.reserve({"APPLE": 1}, at="leeds", request_id="mine")
    first, second = fake.requests("Reserve")
    assert len(bytes.fromhex(first.request_id)) == 16
    assert second.request_id == "mine"


def test_a_repeat_gets_the_first_answer(client: Client) -> None:
    """The same id acts once; with other content it is an error that names the field."""
    first = client.reserve({"APPLE": 1}, at="leeds", request_id="mine")
    again = client.reserve({"APPLE": 1}, at="leeds", request_id="mine")
    assert (first.repeated, again.repeated, again.reservation) == (False, True, first.reservation)
    with pytest.raises(RequestIdReused) as caught:
        client.reserve({"APPLE": 2}, at="leeds", request_id="mine")
    assert (caught.value.field, caught.value.request_id) == ("lines", "mine")


def test_a_lost_answer_is_asked_for_again_with_the_same_id(client: Client, fake: FakeServer) -> None:
    """The write happened and its answer was lost: the retry gets it, and nothing happens twice."""
    fake.fail("Reserve", Fault(UNAVAILABLE, reason="OUTCOME_UNKNOWN", after=True), Fault(UNAVAILABLE))
    result = client.reserve({"APPLE": 4}, at="york")
    assert (result.ok, result.repeated, client.retries) == (True, True, 2)
    assert len({request.request_id for request in fake.requests("Reserve")}) == 1
    assert len(fake.state.reservations) == 1


def test_an_overloaded_server_is_given_the_time_it_asked_for(client: Client, fake: FakeServer) -> None:
    """RESOURCE_EXHAUSTED is tried again after RetryInfo."""
    fake.fail("Reserve", Fault(EXHAUSTED, reason="OVERLOADED", details=[retry_info(0.01)]))
    assert client.reserve({"APPLE": 1}, at="york").ok
    assert client.retries == 1


def test_overload_beyond_the_deadline_says_when_to_come_back(client: Client, fake: FakeServer) -> None:
    """A caller with less patience than the server asks for learns how much it would take."""
    fake.fail("Reserve", Fault(EXHAUSTED, reason="OVERLOADED", details=[retry_info(60)]))
    with pytest.raises(Overloaded) as caught:
        client.reserve({"APPLE": 1}, at="york")
    assert (caught.value.retry_after_s, caught.value.outcome_unknown, client.retries) == (60, False, 0)


def test_an_attempt_without_an_answer_leaves_time_for_another(client: Client, fake: FakeServer) -> None:
    """One attempt runs into its own deadline; the next one answers."""
    fake.fail("Reserve", Fault(lost=True))
    patient = client.with_options(timeout_s=20, attempt_timeout_s=0.1)
    assert patient.reserve({"APPLE": 1}, at="york").ok
    assert (client.retries, patient.retries) == (1, 1)
    assert all(seen.left_s is not None and seen.left_s < 1 for seen in fake.seen)


def test_without_retries_the_first_failure_is_told(client: Client, fake: FakeServer) -> None:
    """The error says that the outcome is unknown and which id to ask again with."""
    fake.fail("Reserve", Fault(lost=True))
    with pytest.raises(DeadlineExceeded) as caught:
        client.with_options(timeout_s=0.1, retries_max=0).reserve({"APPLE": 1}, at="york", request_id="mine")
    assert caught.value.outcome_unknown
    assert "repeat it with request id mine" in str(caught.value)


def test_retries_are_bounded(client: Client, fake: FakeServer) -> None:
    """A server that stays away is given up on after the attempts agreed."""
    fake.fail("CheckAvailability", *[Fault(UNAVAILABLE)] * 10)
    with pytest.raises(Unavailable) as caught:
        client.with_options(retries_max=1).check({"APPLE": 1})
    assert (caught.value.details.attempts, caught.value.outcome_unknown) == (2, False)
    assert len(fake.seen) == 2


def test_what_will_not_pass_is_not_tried_again(client: Client, fake: FakeServer) -> None:
    """An unknown SKU is told at once, by its name."""
    with pytest.raises(NotFound) as caught:
        client.reserve({"FIG": 1}, at="york")
    assert (caught.value.reason, caught.value.metadata) == ("SKU_UNKNOWN", {"sku": "FIG"})
    assert len(fake.seen) == 1


def test_an_answer_beyond_the_message_limit_says_so(fake: FakeServer) -> None:
    """GRPC calls it exhausted; asking again would not make it smaller."""
    with (
        Client(fake.address, channel_options={"grpc.max_receive_message_length": 10}) as client,
        pytest.raises(MessageTooLarge),
    ):
        client.check({"APPLE": 1})
    assert len(fake.seen) == 1


def test_a_number_beyond_int64_is_bad_input(client: Client, fake: FakeServer) -> None:
    """What no message can hold is refused before it is sent."""
    with pytest.raises(InvalidRequest):
        client.reserve({"APPLE": 1 << 80}, at="york")
    assert not fake.seen


def test_metadata_goes_with_every_call(fake: FakeServer) -> None:
    """The correlation id of the client, or of one call."""
    with Client(fake.address, correlation_id="shop-1", metadata=[("authorization", "Bearer x")]) as client:
        client.check({"APPLE": 1})
        client.with_options(correlation_id="cart-7").check({"APPLE": 1})
    assert [seen.metadata["x-correlation-id"] for seen in fake.seen] == ["shop-1", "cart-7"]
    assert [seen.metadata["authorization"] for seen in fake.seen] == ["Bearer x", "Bearer x"]


@pytest.mark.parametrize("text", ["two\nlines", "ünïcode", "x" * 129])
def test_a_correlation_id_that_no_header_can_hold_is_refused(text: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequest, match="correlation_id"):
        Client(correlation_id=text)


def test_health_and_readiness(client: Client, fake: FakeServer) -> None:
    """A server that is not ready is waited for, as long as was said."""
    assert client.health() is ServingStatus.SERVING
    client.wait_ready(5)
    fake.serving = False
    assert client.health() is ServingStatus.NOT_SERVING
    with pytest.raises(Unavailable, match="NOT_SERVING"):
        client.wait_ready(0.2)


def test_a_server_that_comes_up_later_is_waited_for() -> None:
    """Connecting at start does not depend on who is first."""
    fake = FakeServer()
    with serve(FakeServer()) as gone:
        address = gone.address
    with Client(address) as client:
        with pytest.raises(Unavailable):
            client.wait_ready(0.1)
        waiting = threading.Thread(target=client.wait_ready, args=(30,))
        waiting.start()
        with serve(fake, address):
            waiting.join()
            assert client.health() is ServingStatus.SERVING


def test_a_closed_client_says_so(client: Client) -> None:
    """Also for its views, and closing twice is fine."""
    view = client.with_options(timeout_s=1)
    client.check({"APPLE": 1})
    client.close()
    client.close()
    with pytest.raises(Cancelled, match="the client is closed"):
        view.check({"APPLE": 1})


def test_threads_share_a_client(client: Client, fake: FakeServer) -> None:
    """The count of retries is right, and units are granted once, whoever asks."""
    fake.fail("Reserve", *[Fault(UNAVAILABLE)] * 4)
    results: list[ReserveResult] = []
    threads = [
        threading.Thread(target=lambda: results.append(client.reserve({"APPLE": 1}, at="york"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(result.ok for result in results) == 4
    assert client.retries == 4


def test_a_watch_goes_on_where_it_was(client: Client, fake: FakeServer) -> None:
    """After a break it resumes with the versions it saw; nothing is told twice."""
    fake.fail("WatchAvailability", Fault(UNAVAILABLE))
    watch = client.watch(["APPLE"], locations=["leeds"], threshold=3)
    first = next(watch)
    assert (first.snapshot, first.versions) == (True, {"leeds": 1})
    assert [(c.sku, c.location, c.available) for c in first.changes] == [("APPLE", "leeds", 10)]
    client.record([movement(1)])
    fake.state.closing.set()
    second = next(watch)
    watch.close()
    assert (second.snapshot, second.versions) == (False, {"leeds": 2})
    resumed = fake.requests("WatchAvailability")[-1]
    assert [(v.location, v.version) for v in resumed.resume_versions] == [("locations/leeds", 1)]
    assert resumed.threshold == 3


def test_a_watch_of_nothing_known_ends_in_its_error(client: Client) -> None:
    """What will not pass ends the watch."""
    with pytest.raises(NotFound):
        next(client.watch(["APPLE"], locations=["mars"]))


def test_movements_stream_in_order(client: Client, fake: FakeServer) -> None:
    """One answer for each batch, in order."""
    batches = [[movement(2 * number), movement(2 * number + 1)] for number in range(10)]
    results = list(client.stream_movements(batches))
    assert [result.results[-1].on_hand for result in results] == [12 + 2 * number for number in range(10)]
    assert len(fake.requests("StreamMovements")) == 1


def test_a_broken_stream_of_movements_sends_what_was_not_answered_again(client: Client, fake: FakeServer) -> None:
    """Batches are told apart by their movements, so each counts once."""
    fake.fail("StreamMovements", Fault(UNAVAILABLE, after=True), Fault(UNAVAILABLE))
    results = list(client.stream_movements([[movement(number)] for number in range(6)], in_flight=3))
    assert len(results) == 6
    assert fake.state.stock["locations/leeds"]["APPLE"].on_hand == 16
    assert client.retries == 2


def test_with_one_in_flight_each_batch_is_answered_before_the_next_is_taken(client: Client) -> None:
    """A slow producer sees its answers at once."""
    taken: list[int] = []

    def produce() -> Iterator[list[Movement]]:
        for number in range(3):
            taken.append(number)
            yield [movement(number)]

    stream = client.stream_movements(produce(), in_flight=1)
    answered = [(len(taken), result.ok) for result in stream]
    assert answered == [(1, True), (2, True), (3, True)]


def test_a_stream_of_movements_that_is_left_early_ends(client: Client) -> None:
    """Closing the iterator ends the stream and its thread."""
    stream = client.stream_movements([[movement(number)] for number in range(100)])
    assert next(stream).ok
    stream.close()
    assert client.check({"APPLE": 1}).ok


def test_a_bad_batch_ends_the_stream(client: Client) -> None:
    """Those after it were not looked at."""
    with pytest.raises(InvalidRequest):
        list(client.stream_movements([[], [movement(1)]], in_flight=1))
    with pytest.raises(InvalidRequest, match="in_flight"):
        list(client.stream_movements([], in_flight=0))


def test_an_unreachable_server_is_unavailable(fake: FakeServer) -> None:
    """Nobody there is an error of ours, whatever gRPC calls it."""
    with Client("127.0.0.1:1", retries_max=0) as client, pytest.raises(RequestError) as caught:
        client.check({"APPLE": 1})
    assert isinstance(caught.value, Unavailable)


def test_lack_of_rights_is_told(client: Client, fake: FakeServer) -> None:
    """By class, with the server's words."""
    fake.fail("Reserve", Fault(grpc.StatusCode.PERMISSION_DENIED, "not yours", details=[error_info("NO")]))
    with pytest.raises(RequestError, match="NO: not yours") as caught:
        client.reserve({"APPLE": 1}, at="york")
    assert type(caught.value).__name__ == "PermissionDenied"
