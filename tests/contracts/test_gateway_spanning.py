from __future__ import annotations

import grpc

from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, STORE_1, STORE_2, Api, failure, make, reserve
from tests.support.gateway import fresh

pytest_plugins = ("tests.support.gateway_fixtures",)


def rows(*lines: tuple[str, int, str]) -> list[dict[str, object]]:
    """Lines with their locations."""
    return [{"sku": sku, "quantity": quantity, "location": at} for sku, quantity, at in lines]


def spanning(api: Api, *lines: tuple[str, int, str], **fields: object) -> r.ReserveResponse:
    """Reserve at several locations."""
    return api.reservations.Reserve(make(r.ReserveRequest, **{"lines": rows(*lines), **fields}))


def spread(api: Api, quantity: int = 10) -> str:
    """A new SKU with that much at the warehouse and at the first store."""
    sku = api.stocked(quantity)
    api.receive(sku, quantity, STORE_1)
    return sku


def test_a_reserve_over_two_locations_holds_at_both(api: Api) -> None:
    """One reservation, its home is the first location by name, and its lines say where they are."""
    sku = spread(api)
    response = spanning(api, (sku, 3, STORE_1), (sku, 4, DC), order="order-1")
    assert response.status == r.RESERVE_STATUS_HELD
    assert (response.reservation.home_location, response.reservation.order) == (DC, "order-1")
    assert [(line.location, line.held) for line in response.lines] == [(STORE_1, 3), (DC, 4)]
    assert [version.location for version in response.versions] == [DC, STORE_1]
    assert (api.stock(sku).held, api.stock(sku, STORE_1).held) == (4, 3)
    found = api.reservation(response.reservation.name)
    assert {(line.location, line.open) for line in found.lines} == {(DC, 4), (STORE_1, 3)}
    assert found.state == r.RESERVATION_STATE_HELD


def test_all_or_nothing_holds_over_all_locations(api: Api) -> None:
    """When one location has too little nothing is held anywhere, and the answer tells which line was short."""
    sku = spread(api)
    response = spanning(api, (sku, 3, STORE_1), (sku, 11, DC))
    assert response.status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    assert not response.HasField("reservation")
    assert [(line.status, line.held, line.available) for line in response.lines] == [
        (r.LINE_STATUS_NOT_HELD, 0, 3),
        (r.LINE_STATUS_INSUFFICIENT_STOCK, 0, 10),
    ]
    assert (api.stock(sku).held, api.stock(sku, STORE_1).held) == (0, 0)


def test_a_partial_reserve_holds_what_each_location_has(api: Api) -> None:
    """PARTIAL counts over all locations."""
    sku = spread(api, 2)
    response = spanning(api, (sku, 3, STORE_1), (sku, 1, DC), policy=r.RESERVE_POLICY_PARTIAL)
    assert response.status == r.RESERVE_STATUS_PARTIALLY_HELD
    assert [(line.held, line.available) for line in response.lines] == [(2, 2), (1, 0)]


def test_a_repeat_of_a_spanning_reserve_gets_the_first_answer(api: Api) -> None:
    """Granted or refused, the answer stays; with other lines the id is refused."""
    sku, request_id = spread(api), fresh("request")
    first = spanning(api, (sku, 8, STORE_1), (sku, 8, DC), request_id=request_id)
    again = spanning(api, (sku, 8, STORE_1), (sku, 8, DC), request_id=request_id)
    assert again.repeated_request
    assert (again.status, again.reservation.name) == (first.status, first.reservation.name)
    assert (api.stock(sku).held, api.stock(sku, STORE_1).held) == (8, 8)
    found = failure(spanning, api, (sku, 8, STORE_1), (sku, 7, DC), request_id=request_id)
    assert (found.code, found.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
    assert found.metadata == {"field": "lines"}
    refused_id = fresh("request")
    assert spanning(api, (sku, 8, STORE_1), (sku, 1, DC), request_id=refused_id).status == 4
    api.receive(sku, 100, STORE_1)
    assert spanning(api, (sku, 8, STORE_1), (sku, 1, DC), request_id=refused_id).status == 4


def test_commit_fulfil_and_release_reach_every_location(api: Api) -> None:
    """The home decides, the participants follow, and each location's stock says so."""
    sku = spread(api)
    held = spanning(api, (sku, 3, STORE_1), (sku, 4, DC)).reservation
    assert api.commit(held.name).status == r.TRANSITION_STATUS_DONE
    assert (api.stock(sku).committed, api.stock(sku, STORE_1).committed) == (4, 3)
    lines = [{"sku": sku, "quantity": 2, "location": STORE_1}]
    fulfilled = api.reservations.FulfilReservation(make(r.FulfilReservationRequest, name=held.name, lines=lines))
    assert [(line.quantity, line.location) for line in fulfilled.moved] == [(2, STORE_1)]
    assert (api.stock(sku, STORE_1).on_hand, api.stock(sku, STORE_1).committed) == (8, 1)
    released = api.release(held.name)
    assert {(line.quantity, line.location) for line in released.moved} == {(1, STORE_1), (4, DC)}
    assert released.reservation.state == r.RESERVATION_STATE_FULFILLED
    assert (api.stock(sku).committed, api.stock(sku, STORE_1).committed) == (0, 0)


def test_lines_without_a_location_are_taken_wherever_they_are(api: Api) -> None:
    """In the order of the reservation's lines."""
    sku = spread(api)
    held = spanning(api, (sku, 3, STORE_1), (sku, 4, DC)).reservation
    released = api.release(held.name, (sku, 5))
    assert [(line.quantity, line.location) for line in released.moved] == [(3, STORE_1), (2, DC)]


def test_an_unknown_location_or_sku_changes_nothing(api: Api) -> None:
    """NOT_FOUND with the name, before anything is held."""
    sku = spread(api)
    found = failure(spanning, api, (sku, 1, DC), (sku, 1, "locations/nowhere"))
    assert (found.reason, found.metadata) == ("LOCATION_UNKNOWN", {"location": "locations/nowhere"})
    found = failure(spanning, api, (sku, 1, DC), ("never-heard-of", 1, STORE_1))
    assert found.reason == "SKU_UNKNOWN"
    assert api.stock(sku).held == 0


def test_a_transfer_moves_open_units_and_keeps_their_state(api: Api) -> None:
    """A committed reservation of one location is committed at the other, and nothing is held twice."""
    sku = spread(api)
    held = api.held((sku, 4))
    api.commit(held.name)
    request = make(r.TransferReservationRequest, name=held.name, to_location=STORE_1)
    moved = api.reservations.TransferReservation(request)
    assert moved.status == r.TRANSFER_STATUS_DONE
    assert [(line.quantity, line.location) for line in moved.moved] == [(4, DC)]
    assert (api.stock(sku).committed, api.stock(sku, STORE_1).committed) == (0, 4)
    assert moved.reservation.state == r.RESERVATION_STATE_COMMITTED
    assert api.fulfil(held.name).status == r.TRANSITION_STATUS_DONE
    assert api.stock(sku, STORE_1).on_hand == 6


def test_a_transfer_to_a_location_with_too_little_is_refused(api: Api) -> None:
    """Nothing moves, and the status tells why."""
    sku = spread(api)
    held = api.held((sku, 4))
    request = make(r.TransferReservationRequest, name=held.name, to_location=STORE_2)
    refused = api.reservations.TransferReservation(request)
    assert refused.status == r.TRANSFER_STATUS_INSUFFICIENT_STOCK
    assert api.stock(sku).held == 4
    lines = [{"sku": sku, "quantity": 5}]
    request = make(r.TransferReservationRequest, name=held.name, to_location=STORE_1, lines=lines)
    assert api.reservations.TransferReservation(request).status == r.TRANSFER_STATUS_LINES_EXCEED_OPEN
    api.release(held.name)
    request = make(r.TransferReservationRequest, name=held.name, to_location=STORE_1)
    assert api.reservations.TransferReservation(request).status == r.TRANSFER_STATUS_RELEASED


def test_a_location_that_does_not_have_the_units_is_corrected(api: Api) -> None:
    """NOT_IN_STOCK takes them off on_hand, DAMAGED off what can be sold, and what nobody takes over is told."""
    sku = spread(api)
    held = spanning(api, (sku, 3, STORE_1), (sku, 4, DC)).reservation
    request = make(
        r.RejectAssignmentRequest,
        name=held.name,
        location=STORE_1,
        reason=r.REJECT_REASON_NOT_IN_STOCK,
        request_id=fresh("request"),
    )
    rejected = api.reservations.RejectAssignment(request)
    assert rejected.status == r.TRANSITION_STATUS_DONE
    assert [(line.quantity, line.location) for line in rejected.rejected] == [(3, STORE_1)]
    assert [(line.sku, line.quantity) for line in rejected.shortfalls] == [(sku, 3)]
    stock = api.stock(sku, STORE_1)
    assert (stock.on_hand, stock.held, stock.available) == (7, 0, 7)
    again = api.reservations.RejectAssignment(request)
    assert (again.repeated_request, list(again.shortfalls)) == (True, list(rejected.shortfalls))
    assert api.stock(sku, STORE_1).on_hand == 7
    damaged = make(
        r.RejectAssignmentRequest,
        name=held.name,
        location=DC,
        reason=r.REJECT_REASON_DAMAGED,
        lines=[{"sku": sku, "quantity": 1}],
    )
    assert api.reservations.RejectAssignment(damaged).status == r.TRANSITION_STATUS_DONE
    stock = api.stock(sku)
    assert (stock.on_hand, stock.held) == (10, 3)
    assert [(row.disposition, row.quantity) for row in stock.unsellable] == [("damaged", 1)]


def test_a_partial_reserve_of_a_sku_that_is_only_elsewhere_is_remembered(api: Api) -> None:
    """A SKU that this location never stocked is short there, not unknown, and the answer stays the same."""
    apple, fig = api.stocked(3), api.stocked(5, STORE_1)
    request = reserve((apple, 3), (fig, 1), policy=r.RESERVE_POLICY_PARTIAL, request_id=fresh("request"))
    first = api.reservations.Reserve(request)
    assert first.status == r.RESERVE_STATUS_PARTIALLY_HELD
    assert [(line.sku, line.held) for line in first.lines] == [(apple, 3), (fig, 0)]
    assert api.reservations.Reserve(request).repeated_request
