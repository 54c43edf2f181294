from __future__ import annotations

from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from allocator.v1 import inventory_pb2 as i
from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, STORE_1, Api, failure, make, movement, nothing_changes, now, receipt
from tests.support.gateway import fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

DAY_S = 86_400
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def in_days(days: float) -> Timestamp:
    """A time in so many days."""
    return Timestamp(seconds=now().seconds + int(days * DAY_S))


def announced(sku: str, quantity: int, days: float, supply: str = "", **fields: object) -> i.StockMovement:
    """Units that are expected."""
    told = {"supply": supply or fresh("po"), "expect_time": in_days(days), **fields}
    return movement(i.MOVEMENT_TYPE_SUPPLY, sku, quantity, **{"at": DC, **told})  # type: ignore[arg-type]  # names


def line(sku: str, **fields: object) -> dict[str, object]:
    """A line of a SetSupply."""
    return {"supply": "po-1", "sku": sku, "quantity": 5, "expect_time": in_days(3), **fields}


def set_supply(api: Api, *lines: dict[str, object], **fields: object) -> i.SetSupplyResponse:
    """Announce supply at the DC."""
    return api.inventory.SetSupply(make(i.SetSupplyRequest, **{"location": DC, "lines": lines, **fields}))


def list_supply(api: Api, **fields: object) -> i.ListSupplyResponse:
    """A page of supply of the DC."""
    return api.inventory.ListSupply(make(i.ListSupplyRequest, **{"location": DC, **fields}))


def by_day(api: Api, sku: str, days: float, **fields: object) -> int:
    """What can be promised for a date."""
    return api.check((sku, 1), promise_by=in_days(days), **fields).lines[0].total


def test_supply_told_by_a_movement_can_be_promised_for_a_date(api: Api) -> None:
    """It is no stock yet, counts from its date on, and becomes stock when its receipt comes."""
    apple = api.stocked(2)
    response = api.record([announced(apple, 5, 3, "po-7")])
    assert response.results[0].status == i.MOVEMENT_STATUS_APPLIED
    assert api.available(apple) == 2
    assert [by_day(api, apple, days) for days in (0, 2, 4)] == [2, 2, 7]
    stock = api.stock(apple)
    assert (stock.on_hand, stock.incoming, stock.waiting) == (2, 5, 0)
    told = stock.supplies[0]
    assert (told.supply, told.sku, told.kind) == ("po-7", apple, i.SUPPLY_KIND_PURCHASE_ORDER)
    assert (told.quantity, told.received, told.open) == (5, 0, 5)
    api.record([receipt(apple, 3, supply="po-7"), receipt(apple, 1, supply="po-7", final=True)])
    assert [by_day(api, apple, days) for days in (0, 4)] == [6, 6]
    assert api.stock(apple).incoming == 0


def test_a_check_for_a_date_looks_where_it_is_told(api: Api) -> None:
    """Sufficient, total and the quantities of each location are those of the date."""
    apple = api.stocked(1, STORE_1)
    api.record([announced(apple, 4, 3)])
    response = api.check((apple, 5), promise_by=in_days(4))
    assert response.sufficient
    assert [(cell.location, cell.available) for cell in response.lines[0].quantities] == [(DC, 4), (STORE_1, 1)]
    assert not api.check((apple, 5)).sufficient
    assert by_day(api, apple, 4, locations=[STORE_1]) == 1


def test_overdue_supply_counts_for_no_date_until_it_is_expected_anew(api: Api) -> None:
    """What should have come yesterday is incoming and not promised; a new date puts it back."""
    apple = api.stocked(1)
    api.record([announced(apple, 5, -1, "po-8")])
    assert (by_day(api, apple, 20), api.stock(apple).incoming) == (1, 5)
    api.record([announced(apple, 5, 2, "po-8")])
    assert by_day(api, apple, 20) == 6


def test_set_supply_says_the_same_by_api(api: Api) -> None:
    """Lines replace what was told of their supply; a repeat gets the first answer."""
    apple, pear = fresh(), fresh()
    first = set_supply(api, line(apple), line(pear, kind=i.SUPPLY_KIND_TRANSFER), request_id=fresh("r"))
    assert ([v.location for v in first.versions], first.repeated_request) == ([DC], False)
    request_id = fresh("r")
    moved = line(apple, expect_time=in_days(9))
    again = [set_supply(api, moved, request_id=request_id).repeated_request for _ in range(2)]
    assert again == [False, True]
    assert (by_day(api, apple, 4), by_day(api, apple, 10), by_day(api, pear, 4)) == (0, 5, 5)
    reused = failure(set_supply, api, line(apple, quantity=1), request_id=request_id)
    assert (reused.code, reused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


def test_supply_is_listed_in_pages(api: Api) -> None:
    """In the order first told, of one SKU or all; ended supply only when asked for."""
    apple = fresh()
    names = [fresh("po") for _ in range(3)]
    for name in names:
        api.record([announced(apple, 5, 3, name)])
    set_supply(api, line(apple, supply=names[0], quantity=0))
    assert [row.supply for row in list_supply(api, sku=apple).supplies] == names[1:]
    pages, token = [], ""
    while True:
        page = list_supply(api, sku=apple, include_ended=True, page_size=2, page_token=token)
        pages.append([row.supply for row in page.supplies])
        token = page.next_page_token
        if not token:
            break
    assert pages == [names[:2], names[2:]]
    other = failure(list_supply, api, sku=apple, page_token="nonsense")  # noqa: S106  # of a page
    assert other.reason == "PAGE_TOKEN_INVALID"


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"lines": []}, ["lines"]),
        ({"location": "nowhere"}, ["location"]),
        ({"lines": [line("a b")]}, ["lines[0].sku"]),
        ({"lines": [line("a", supply="")]}, ["lines[0].supply"]),
        ({"lines": [line("a", quantity=-1)]}, ["lines[0].quantity"]),
        ({"lines": [line("a", expect_time=None)]}, ["lines[0].expect_time"]),
        ({"lines": [line("a", expect_time=Timestamp(seconds=-1))]}, ["lines[0].expect_time"]),
        ({"lines": [line("a", kind=7)]}, ["lines[0].kind"]),
        ({"lines": [line("a"), line("a")]}, ["lines[1].sku"]),
        ({"request_id": "no id"}, ["request_id"]),
    ],
)
def test_bad_supply_names_its_field(api: Api, fields: dict[str, Any], named: list[str]) -> None:
    """Nothing is changed."""
    with nothing_changes(api):
        failed = failure(set_supply, api, **{"lines": [line("a")], **fields})
    assert (failed.code, failed.reason, failed.fields) == (INVALID, "INVALID", named)


def test_supply_of_an_unknown_location_is_not_found(api: Api) -> None:
    """As for everything else at a location."""
    assert failure(set_supply, api, line("a"), location="locations/nowhere").reason == "LOCATION_UNKNOWN"
    assert failure(list_supply, api, location="locations/nowhere").reason == "LOCATION_UNKNOWN"
    assert failure(list_supply, api, sku="a b").fields == ["sku"]


def test_malformed_announcements_are_rejected_one_by_one(api: Api) -> None:
    """The detail names the field; the rest of the batch is recorded."""
    apple = fresh()
    rows = [
        announced(apple, 5, 3, supply="a b"),
        movement(i.MOVEMENT_TYPE_SUPPLY, apple, 5, expect_time=in_days(3)),
        movement(i.MOVEMENT_TYPE_SUPPLY, apple, 5, supply="po-1"),
        receipt(apple, 5, expect_time=in_days(3)),
        receipt(apple, 5, final=True),
        movement(i.MOVEMENT_TYPE_SALE, apple, 5, supply="po-1"),
        announced(apple, 5, 3, supply_kind=9),
        announced(apple, 5, 3),
    ]
    *bad, good = api.record(rows).results
    words = ("supply", "supply", "expect_time", "expect_time", "final", "supply", "supply_kind")
    assert good.status == i.MOVEMENT_STATUS_APPLIED
    for result, word in zip(bad, words, strict=True):
        assert (result.status, result.rejection) == (i.MOVEMENT_STATUS_REJECTED, i.MOVEMENT_REJECTION_INVALID)
        assert word in result.detail


def test_a_reserve_for_a_date_waits_for_supply(api: Api) -> None:
    """Stock goes first; what waits is told everywhere, counts for no later promise, and is filled by its receipt."""
    apple = api.stocked(2)
    api.record([announced(apple, 5, 3, "po-9")])
    response = api.reserve((apple, 6), promise_by=in_days(4), request_id=fresh("r"))
    assert response.status == r.RESERVE_STATUS_HELD
    line = response.lines[0]
    assert (line.status, line.held, line.waiting) == (r.LINE_STATUS_HELD, 6, 4)
    name = response.reservation.name
    assert [(row.open, row.waiting) for row in api.reservation(name).lines] == [(6, 4)]
    stock = api.stock(apple)
    assert (stock.held, stock.waiting, stock.available) == (2, 4, 0)
    assert [by_day(api, apple, days) for days in (0, 4)] == [0, 1]
    assert api.reserve((apple, 2), promise_by=in_days(9)).status == r.RESERVE_STATUS_INSUFFICIENT_STOCK
    api.commit(name)
    api.record([receipt(apple, 5, supply="po-9")])
    assert [(row.open, row.waiting) for row in api.reservation(name).lines] == [(6, 0)]
    assert (api.stock(apple).committed, api.available(apple)) == (6, 1)
    assert api.fulfil(name).status == r.TRANSITION_STATUS_DONE


def test_bad_news_of_supply_names_the_reservations_it_hurts(api: Api) -> None:
    """In the answer to a short receipt, and in that to a SetSupply that puts units off."""
    apple, pear = fresh(), fresh()
    set_supply(api, line(apple, supply="po-a"), line(pear, supply="po-b"))
    first = api.held((apple, 3), promise_by=in_days(4))
    second = api.held((apple, 2), (pear, 5), promise_by=in_days(4))
    result = api.record([receipt(apple, 4, supply="po-a", final=True)]).results[0]
    told = result.supply_shortage
    assert not result.HasField("shortage")
    assert (told.sku, told.location, told.missing) == (apple, DC, 1)
    assert (list(told.reservations), told.reservations_total) == ([second.name], 1)
    assert api.reservation(first.name).lines[0].waiting == 0
    late = set_supply(api, line(pear, supply="po-b", expect_time=in_days(9))).supply_shortages
    assert [(told.sku, told.missing, list(told.reservations)) for told in late] == [(pear, 5, [second.name])]


@pytest.mark.parametrize("days", [-1, 31])
def test_a_reserve_for_a_date_out_of_range_is_refused(api: Api, days: int) -> None:
    """The error names the field."""
    apple = api.stocked(1)
    with nothing_changes(api):
        failed = failure(api.reserve, (apple, 1), promise_by=in_days(days))
    assert (failed.code, failed.fields) == (INVALID, ["promise_by"])


def test_a_reserve_over_several_locations_may_wait_at_each(api: Api) -> None:
    """Each part waits for the supply of its own location."""
    apple = api.stocked(1)
    api.receive(apple, 2, STORE_1)
    api.record([announced(apple, 5, 3), announced(apple, 5, 3, at=STORE_1)])
    lines = [{"sku": apple, "quantity": 3, "location": at} for at in (DC, STORE_1)]
    response = api.reservations.Reserve(make(r.ReserveRequest, lines=lines, promise_by=in_days(4)))
    assert response.status == r.RESERVE_STATUS_HELD
    found = api.reservation(response.reservation.name).lines
    assert [(row.location, row.open, row.waiting) for row in found] == [(DC, 3, 2), (STORE_1, 3, 1)]
    assert (api.stock(apple).waiting, api.stock(apple, STORE_1).waiting) == (2, 1)


@pytest.mark.parametrize("days", [-1, 31])
def test_a_date_that_is_over_or_too_far_ahead_is_refused(api: Api, days: int) -> None:
    """The error names the field and what is allowed."""
    apple = api.stocked(1)
    failed = failure(by_day, api, apple, days)
    assert (failed.code, failed.fields) == (INVALID, ["promise_by"])
    assert "30 days" in failed.message
