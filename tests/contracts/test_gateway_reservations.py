from __future__ import annotations

import grpc
import pytest

from allocator.v1 import availability_pb2 as a
from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, STORE_1, STORE_2, Api, failure, failure_in, make, nothing_changes, reserve
from tests.support.gateway import fresh

pytest_plugins = ("tests.support.gateway_fixtures",)


def test_a_reserve_holds_its_lines_until_a_time(api: Api) -> None:
    """A granted reserve tells what is held, where, since when and until when, and the version it is in."""
    apple, pear = api.stocked(10), api.stocked(5)
    response = api.reserve((apple, 3), (pear, 5), order="order-1", channel="web", ttl={"seconds": 60})
    assert response.status == r.RESERVE_STATUS_HELD
    held = response.reservation
    assert (held.state, held.home_location, held.order, held.channel) == (
        r.RESERVATION_STATE_HELD,
        DC,
        "order-1",
        "web",
    )
    assert [(line.sku, line.location, line.held, line.open) for line in held.lines] == [
        (apple, DC, 3, 3),
        (pear, DC, 5, 5),
    ]
    assert held.expire_time.ToNanoseconds() - held.create_time.ToNanoseconds() == 60 * 10**9
    assert held.update_time == held.create_time
    assert [(version.location, version.version) for version in response.versions] == [(DC, held.version)]
    assert [(line.status, line.requested, line.held, line.available) for line in response.lines] == [
        (r.LINE_STATUS_HELD, 3, 3, 0),
        (r.LINE_STATUS_HELD, 5, 5, 0),
    ]
    assert api.stock(apple).held == 3
    assert not response.repeated_request


def test_what_was_reserved_reads_the_same(api: Api) -> None:
    """GetReservation tells the reservation as the reserve did."""
    held = api.held((api.stocked(4), 4))
    assert api.reservation(held.name) == held


def test_a_reserve_without_ttl_holds_for_15_minutes(api: Api) -> None:
    """The default of the contract."""
    held = api.held((api.stocked(1), 1))
    assert held.expire_time.seconds - held.create_time.seconds == 15 * 60


def test_a_short_line_refuses_the_whole_and_tells_what_is_left(api: Api) -> None:
    """All or nothing: every line is listed with what could be promised, and nothing is held."""
    apple, pear = api.stocked(10), api.stocked(2)
    response = api.reserve((apple, 3), (pear, 5))
    assert response.status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    assert not response.HasField("reservation")
    assert [(line.status, line.requested, line.held, line.available) for line in response.lines] == [
        (r.LINE_STATUS_NOT_HELD, 3, 0, 10),
        (r.LINE_STATUS_INSUFFICIENT_STOCK, 5, 0, 2),
    ]
    assert [version.location for version in response.versions] == [DC]
    assert (api.stock(apple).held, api.stock(pear).held) == (0, 0)


def test_a_partial_reserve_holds_what_there_is(api: Api) -> None:
    """PARTIAL: a short line is held in part, an empty one not at all, and neither refuses the others."""
    apple, pear, fig = api.stocked(3), api.stocked(2), api.stocked(1)
    api.held((fig, 1))
    response = api.reserve((apple, 3), (pear, 5), (fig, 1), policy=r.RESERVE_POLICY_PARTIAL)
    assert response.status == r.RESERVE_STATUS_PARTIALLY_HELD
    assert [(line.status, line.held, line.available) for line in response.lines] == [
        (r.LINE_STATUS_HELD, 3, 0),
        (r.LINE_STATUS_PARTIALLY_HELD, 2, 2),
        (r.LINE_STATUS_INSUFFICIENT_STOCK, 0, 0),
    ]
    assert [(line.sku, line.held) for line in response.reservation.lines] == [(apple, 3), (pear, 2)]


def test_lines_of_a_sku_are_summed(api: Api) -> None:
    """Two lines of one SKU are one line of both, held or refused together."""
    apple = api.stocked(5)
    assert api.reserve((apple, 3), (apple, 3)).status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    response = api.reserve((apple, 3), (apple, 2))
    assert [(line.sku, line.held) for line in response.reservation.lines] == [(apple, 5)]
    assert [(line.requested, line.held) for line in response.lines] == [(5, 5)]


def test_a_sku_that_only_other_locations_stock_is_insufficient_here(api: Api) -> None:
    """Known elsewhere: a refusal with nothing available, all lines listed; known nowhere: an error."""
    apple, pear = api.stocked(5), api.stocked(5, STORE_1)
    response = api.reserve((apple, 3), (pear, 1))
    assert response.status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    assert [(line.sku, line.status, line.available) for line in response.lines] == [
        (apple, r.LINE_STATUS_NOT_HELD, 5),
        (pear, r.LINE_STATUS_INSUFFICIENT_STOCK, 0),
    ]
    assert api.stock(apple).held == 0


def test_a_repeat_gets_the_first_answer(api: Api) -> None:
    """The same request id with the same content answers as the first time and holds nothing more."""
    apple, request_id = api.stocked(10), fresh("request")
    first = api.reserve((apple, 3), request_id=request_id)
    again = api.reserve((apple, 3), request_id=request_id)
    assert again.repeated_request
    again.repeated_request = False
    assert again.reservation.name == first.reservation.name
    assert again.reservation.lines == first.reservation.lines
    assert api.stock(apple).held == 3


def test_a_repeat_of_a_refusal_is_refused_although_there_is_stock_now(api: Api) -> None:
    """A refusal is remembered too: a late retry cannot hold what its caller has given up on."""
    apple, request_id = api.stocked(1), fresh("request")
    api.reserve((apple, 3), request_id=request_id)
    api.receive(apple, 10)
    again = api.reserve((apple, 3), request_id=request_id)
    assert (again.status, again.repeated_request) == (r.RESERVE_STATUS_INSUFFICIENT_STOCK, True)


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("lines", {}),
        ("ttl", {"ttl": {"seconds": 7}}),
        ("channel", {"channel": "web"}),
        ("policy", {"policy": r.RESERVE_POLICY_PARTIAL}),
        ("order", {"order": "order-2"}),
        ("pick_time", {"pick_time": {"seconds": 1_800_000_000}}),
    ],
)
def test_a_request_id_with_other_content_names_the_field(api: Api, field: str, change: dict[str, object]) -> None:
    """The same id for something else is ALREADY_EXISTS naming the first field that differs; nothing changes."""
    apple, request_id = api.stocked(10), fresh("request")
    api.reserve((apple, 3), request_id=request_id)
    quantity = 4 if field == "lines" else 3
    with nothing_changes(api):
        found = failure(api.reserve, (apple, quantity), request_id=request_id, **change)
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert found.metadata["field"] == field


def test_a_request_id_of_another_kind_of_write_is_reused(api: Api) -> None:
    """A commit with the id of a reserve is ALREADY_EXISTS naming the method."""
    request_id = fresh("request")
    held = api.held((api.stocked(1), 1), request_id=request_id)
    found = failure(api.commit, held.name, request_id=request_id)
    assert (found.reason, found.metadata["field"]) == ("REQUEST_ID_REUSED", "method")


def test_commit_then_fulfil(api: Api) -> None:
    """Held becomes committed and does not expire; fulfilled units leave on_hand and the reservation ends."""
    apple = api.stocked(10)
    held = api.held((apple, 4))
    committed = api.commit(held.name)
    assert committed.status == r.TRANSITION_STATUS_DONE
    assert committed.reservation.state == r.RESERVATION_STATE_COMMITTED
    assert not committed.reservation.HasField("expire_time")
    assert (api.stock(apple).held, api.stock(apple).committed) == (0, 4)
    part = api.fulfil(held.name, (apple, 1))
    assert [(line.sku, line.quantity, line.location) for line in part.moved] == [(apple, 1, DC)]
    line = part.reservation.lines[0]
    assert (line.held, line.open, line.fulfilled, line.released) == (4, 3, 1, 0)
    rest = api.fulfil(held.name)
    assert (rest.moved[0].quantity, rest.reservation.state) == (3, r.RESERVATION_STATE_FULFILLED)
    assert (api.stock(apple).on_hand, api.stock(apple).committed) == (6, 0)
    assert [version.version for version in rest.versions] == [rest.reservation.version]


def test_release_in_part_and_whole(api: Api) -> None:
    """Released units can be promised again at once; with nothing open the reservation is RELEASED."""
    apple = api.stocked(10)
    held = api.held((apple, 4))
    part = api.release(held.name, (apple, 1), (apple, 1), reason="changed their mind")
    assert [(line.sku, line.quantity) for line in part.moved] == [(apple, 2)]
    assert api.available(apple) == 8
    rest = api.release(held.name)
    assert rest.reservation.state == r.RESERVATION_STATE_RELEASED
    assert rest.reservation.lines[0].released == 4
    assert api.available(apple) == 10


def test_extend_moves_the_expiry(api: Api) -> None:
    """The new expiry counts from now; a committed reservation has none to move."""
    held = api.held((api.stocked(1), 1), ttl={"seconds": 3600})
    extended = api.extend(held.name, 60)
    assert extended.status == r.TRANSITION_STATUS_DONE
    assert extended.reservation.expire_time.seconds < held.expire_time.seconds
    api.commit(held.name)
    assert api.extend(held.name).status == r.TRANSITION_STATUS_COMMITTED


def test_refusals_are_statuses_and_change_nothing(api: Api) -> None:
    """What the state of a reservation does not allow is told as a status, with the reservation as it stands."""
    apple = api.stocked(10)
    held = api.held((apple, 4))
    with nothing_changes(api, versions=False):
        assert api.fulfil(held.name).status == r.TRANSITION_STATUS_NOT_COMMITTED
        assert api.release(held.name, (apple, 5)).status == r.TRANSITION_STATUS_LINES_EXCEED_OPEN
        assert api.release(held.name, ("something-else", 1)).status == r.TRANSITION_STATUS_LINES_EXCEED_OPEN
    api.release(held.name)
    for answer in (api.commit(held.name), api.fulfil(held.name), api.extend(held.name), api.release(held.name)):
        assert answer.status == r.TRANSITION_STATUS_RELEASED
        assert answer.reservation.state == r.RESERVATION_STATE_RELEASED


def test_a_line_at_another_location_is_not_part_of_the_reservation(api: Api) -> None:
    """The home location may be named or left out; a line elsewhere has nothing open."""
    apple = api.stocked(10)
    held = api.held((apple, 4))

    def release(at: str) -> r.ReleaseReservationResponse:
        line = make(r.LineQuantity, sku=apple, quantity=1, location=at)
        return api.reservations.ReleaseReservation(make(r.ReleaseReservationRequest, name=held.name, lines=[line]))

    assert release(STORE_1).status == r.TRANSITION_STATUS_LINES_EXCEED_OPEN
    assert release(DC).status == r.TRANSITION_STATUS_DONE
    api.release(held.name)
    assert release(STORE_1).status == r.TRANSITION_STATUS_RELEASED


def test_an_expired_hold_is_a_status(api: Api) -> None:
    """A hold that ran out is EXPIRED: its units can be promised again, and it cannot be committed any more."""
    apple = api.stocked(1)
    held = api.held((apple, 1), ttl={"seconds": 1})
    watch = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=[apple], locations=[DC]))
    while not any(change.available for change in next(watch).changes):
        pass
    watch.cancel()
    for answer in (api.commit(held.name), api.fulfil(held.name), api.extend(held.name), api.release(held.name)):
        assert answer.status == r.TRANSITION_STATUS_EXPIRED
        assert answer.reservation.state == r.RESERVATION_STATE_EXPIRED
    assert api.reservation(held.name).expire_time == held.expire_time


def test_a_transition_can_be_repeated(api: Api) -> None:
    """A repeat answers with the first status and the units of the first time."""
    apple, request_id = api.stocked(10), fresh("request")
    held = api.held((apple, 4))
    first = api.release(held.name, (apple, 1), request_id=request_id)
    again = api.release(held.name, (apple, 1), request_id=request_id)
    assert (first.repeated_request, again.repeated_request) == (False, True)
    assert (again.status, again.moved) == (first.status, first.moved)
    assert api.reservation(held.name).lines[0].open == 3


def test_an_unknown_reservation_is_not_found(api: Api) -> None:
    """Of no location at all, or of a location that never made it."""
    made = api.held((api.stocked(1), 1)).name
    for name in ("reservations/nobody-knows-this", made + "x"):
        for call in (api.commit, api.release, api.fulfil, api.extend, api.reservation):
            found = failure(call, name)
            assert (found.code, found.reason) == (grpc.StatusCode.NOT_FOUND, "RESERVATION_UNKNOWN")
            assert found.metadata == {"reservation": name}


def test_a_batch_answers_each_reserve_by_itself(api: Api) -> None:
    """Grants, refusals and errors stand side by side, in order, and do not touch each other."""
    apple, pear = api.stocked(10), api.stocked(10, STORE_2)
    request_id = fresh("request")
    request = make(
        r.BatchReserveRequest,
        reserves=[
            reserve((apple, 2), request_id=request_id),
            reserve((pear, 3), at=STORE_2),
            reserve((apple, 0)),
            reserve((apple, 99)),
            reserve((apple, 2), request_id=request_id),
            reserve((apple, 1), at="locations/nowhere"),
        ],
    )
    results = api.reservations.BatchReserve(request).results
    assert [result.WhichOneof("result") for result in results] == [
        "reserve",
        "reserve",
        "error",
        "reserve",
        "reserve",
        "error",
    ]
    assert results[1].reserve.reservation.home_location == STORE_2
    assert failure_in(results[2].error).fields == ["lines[0].quantity"]
    assert results[3].reserve.status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    assert results[4].reserve.repeated_request
    assert results[4].reserve.reservation.name == results[0].reserve.reservation.name
    assert failure_in(results[5].error).reason == "LOCATION_UNKNOWN"
    assert api.stock(apple).held == 2


def test_reservations_are_listed_in_pages(api: Api) -> None:
    """Location by location in the order of names, within one in the order they were made, each exactly once."""
    order = fresh("order")
    made = []
    for at in (STORE_2, DC, STORE_1):
        sku = api.stocked(10, at)
        made += [(at, api.held((sku, 1), at=at, order=order).name) for _ in range(3)]
    expected = [name for at in (DC, STORE_1, STORE_2) for where, name in made if where == at]
    for size in (1, 2, 3, 4, 100):
        assert list_all(api, order=order, page_size=size) == expected
    assert list_all(api, order=order, location=STORE_1) == expected[3:6]


def test_reservations_are_listed_by_state(api: Api) -> None:
    """Only those in the state asked for."""
    order, sku = fresh("order"), api.stocked(10)
    kept, given_back = (api.held((sku, 1), order=order).name for _ in range(2))
    api.release(given_back)
    assert list_all(api, order=order, state=r.RESERVATION_STATE_HELD) == [kept]
    assert list_all(api, order=order, state=r.RESERVATION_STATE_RELEASED) == [given_back]


def test_a_page_token_only_fits_its_own_list(api: Api) -> None:
    """A token of other filters, a changed one and nonsense are all PAGE_TOKEN_INVALID."""
    order, sku = fresh("order"), api.stocked(10)
    for _ in range(2):
        api.held((sku, 1), order=order)
    request = make(r.ListReservationsRequest, order=order, page_size=1)
    token = api.reservations.ListReservations(request).next_page_token
    assert token
    for other, changed in ((fresh("order"), token), (order, token[:-4] + "AAA="), (order, "nonsense")):
        request = make(r.ListReservationsRequest, order=other, page_token=changed)
        found = failure(api.reservations.ListReservations, request)
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_INVALID")


def list_all(api: Api, **filters: object) -> list[str]:
    """The names of all reservations, page by page."""
    names: list[str] = []
    token = ""
    while True:
        request = make(r.ListReservationsRequest, page_token=token, **filters)
        page = api.reservations.ListReservations(request)
        names += [row.name for row in page.reservations]
        token = page.next_page_token
        if not token:
            return names
