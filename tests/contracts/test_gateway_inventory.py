from __future__ import annotations

from queue import SimpleQueue
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from allocator.v1 import inventory_pb2 as i
from tests.support.api import (
    DC,
    STORE_1,
    STORE_2,
    Api,
    failure,
    failure_of,
    make,
    movement,
    nothing_changes,
    now,
    receipt,
    taken,
)
from tests.support.gateway import fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

APPLIED, DUPLICATE = i.MOVEMENT_STATUS_APPLIED, i.MOVEMENT_STATUS_DUPLICATE
LATE, REJECTED = i.MOVEMENT_STATUS_LATE_APPLIED, i.MOVEMENT_STATUS_REJECTED
INVALID = i.MOVEMENT_REJECTION_INVALID


def seconds_ago(seconds: int) -> Timestamp:
    """A time in the past."""
    return Timestamp(seconds=now().seconds - seconds)


def test_each_type_of_movement_changes_on_hand(api: Api) -> None:
    """Those of one location are recorded in order; each answer tells what is on hand after it."""
    apple = fresh()
    rows = [
        (i.MOVEMENT_TYPE_RECEIPT, 20, 20),
        (i.MOVEMENT_TYPE_SALE, 3, 17),
        (i.MOVEMENT_TYPE_RETURN, 1, 18),
        (i.MOVEMENT_TYPE_ADJUSTMENT, -2, 16),
        (i.MOVEMENT_TYPE_ADJUSTMENT, 1, 17),
        (i.MOVEMENT_TYPE_TRANSFER_OUT, 4, 13),
        (i.MOVEMENT_TYPE_TRANSFER_IN, 2, 15),
        (i.MOVEMENT_TYPE_SHIPMENT, 5, 10),
        (i.MOVEMENT_TYPE_COUNT, 8, 8),
        (i.MOVEMENT_TYPE_RECEIPT, 2, 10),
    ]
    times = [seconds_ago(100 - n) for n in range(len(rows))]
    response = api.record(
        [movement(kind, apple, quantity, occurred_time=at) for (kind, quantity, _), at in zip(rows, times, strict=True)]
    )
    assert [result.status for result in response.results] == [APPLIED] * len(rows)
    assert [result.on_hand for result in response.results] == [after for _, _, after in rows]
    assert [version.location for version in response.versions] == [DC]
    assert api.stock(apple).on_hand == 10


def test_results_are_in_the_order_of_movements_whatever_the_locations(api: Api) -> None:
    """Locations are recorded side by side and answered in one list, with all their versions."""
    apple = fresh()
    places = [DC, STORE_2, STORE_1, DC, STORE_2, DC]
    movements = [receipt(apple, 10 ** min(n, 5), at) for n, at in enumerate(places)]
    response = api.record(movements)
    assert [result.on_hand for result in response.results] == [1, 10, 100, 1001, 10010, 101001]
    assert [version.location for version in response.versions] == [DC, STORE_1, STORE_2]


def test_more_movements_than_a_batch_takes_keep_their_order(api: Api) -> None:
    """A count among thousands of movements of its SKU counts those before it and not those after."""
    apple = fresh()
    before = [receipt(apple, 1, occurred_time=seconds_ago(100)) for _ in range(3_000)]
    count = movement(i.MOVEMENT_TYPE_COUNT, apple, 7, occurred_time=seconds_ago(50))
    after = [receipt(apple, 1) for _ in range(3_000)]
    response = api.record([*before, count, *after])
    assert [result.on_hand for result in response.results] == [*range(1, 3_001), 7, *range(8, 3_008)]


def test_a_repeat_is_told_by_its_id_or_by_its_sequence(api: Api) -> None:
    """The same movement again changes nothing; with a sequence the id does not matter."""
    apple = fresh()
    same = receipt(apple, 5)
    first, again = (api.record([same]).results[0] for _ in range(2))
    assert (first.status, again.status, again.on_hand) == (APPLIED, DUPLICATE, 5)
    source = fresh("//source")
    statuses = [
        api.record([receipt(apple, 1, source=source, sequence=sequence)]).results[0].status
        for sequence in (1, 3, 1, 2, 3)
    ]
    assert statuses == [APPLIED, APPLIED, DUPLICATE, APPLIED, DUPLICATE]


def test_a_movement_from_before_the_count_is_late(api: Api) -> None:
    """The newest count has it already: it is recorded and on_hand stays."""
    apple = fresh()
    api.record([movement(i.MOVEMENT_TYPE_COUNT, apple, 10, occurred_time=seconds_ago(10))])
    late = movement(i.MOVEMENT_TYPE_SALE, apple, 2, occurred_time=seconds_ago(20))
    result = api.record([late]).results[0]
    assert (result.status, result.on_hand) == (LATE, 10)


def test_dispositions_make_units_unsellable(api: Api) -> None:
    """A disposition change takes units out of what can be promised and leaves on_hand."""
    apple = api.stocked(10)
    change = movement(i.MOVEMENT_TYPE_DISPOSITION_CHANGE, apple, 3, disposition="damaged")
    back = movement(i.MOVEMENT_TYPE_DISPOSITION_CHANGE, apple, 1, from_disposition="damaged")
    assert [result.status for result in api.record([change, back]).results] == [APPLIED, APPLIED]
    stock = api.stock(apple)
    assert [(item.disposition, item.quantity) for item in stock.unsellable] == [("damaged", 2)]
    assert (stock.on_hand, stock.available) == (10, 8)


def test_a_shipment_fulfils_the_reservation_it_names(api: Api) -> None:
    """Open units go down with on_hand; nothing is fulfilled twice."""
    apple = api.stocked(10)
    held = api.held((apple, 4))
    api.commit(held.name)
    api.record([movement(i.MOVEMENT_TYPE_SHIPMENT, apple, 3, reservation=held.name)])
    line = api.reservation(held.name).lines[0]
    assert (line.open, line.fulfilled) == (1, 3)
    assert (api.stock(apple).on_hand, api.stock(apple).committed) == (7, 1)


def test_a_movement_beyond_what_is_promised_tells_the_shortage(api: Api) -> None:
    """It is recorded all the same, and names the reservations at risk, newest and held ones first."""
    apple = api.stocked(10)
    first, second = api.held((apple, 5)).name, api.held((apple, 5)).name
    result = api.record([movement(i.MOVEMENT_TYPE_SALE, apple, 2)]).results[0]
    assert (result.status, result.on_hand) == (APPLIED, 8)
    shortage = result.shortage
    assert (shortage.sku, shortage.location, shortage.missing) == (apple, DC, 2)
    assert (list(shortage.reservations), shortage.reservations_total) == ([second], 2)
    assert api.available(apple) == 0
    assert first != second


def test_an_answer_names_10000_reservations_at_risk_at_most(api: Api) -> None:
    """100 for each shortage, and 10,000 over all of an answer; the totals are told in full."""
    apple = api.stocked(120)
    for _ in range(120):
        api.held((apple, 1))
    loss = movement(i.MOVEMENT_TYPE_SALE, apple, 120)
    more = [movement(i.MOVEMENT_TYPE_SALE, apple, 1) for _ in range(102)]
    results = api.record([loss, *more]).results
    named = [len(result.shortage.reservations) for result in results]
    assert named == [100] * 100 + [0] * 3
    assert {result.shortage.reservations_total for result in results} == {120}


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"source": ""}, "source"),
    ({"source": "x" * 129}, "source"),
    ({"source": "a\nb"}, "source"),
    ({"movement_id": ""}, "movement_id"),
    ({"location": "dc-1"}, "location"),
    ({"sku": "ap ple"}, "sku"),
    ({"type": 0}, "type"),
    ({"type": 77}, "type"),
    ({"quantity": 0}, "quantity"),
    ({"quantity": -1}, "quantity"),
    ({"quantity": 1_000_000_001}, "quantity"),
    ({"type": i.MOVEMENT_TYPE_ADJUSTMENT, "quantity": 0}, "quantity"),
    ({"type": i.MOVEMENT_TYPE_COUNT, "quantity": -1}, "quantity"),
    ({"sequence": -1}, "sequence"),
    ({"disposition": "a b"}, "disposition"),
    ({"type": i.MOVEMENT_TYPE_COUNT, "disposition": "damaged"}, "disposition"),
    ({"from_disposition": "damaged"}, "from_disposition"),
    ({"type": i.MOVEMENT_TYPE_DISPOSITION_CHANGE}, "from_disposition"),
    ({"reservation": "reservations/x"}, "reservation"),
    ({"type": i.MOVEMENT_TYPE_SALE, "reservation": "x"}, "reservation"),
    ({"occurred_time": {"seconds": -1}}, "occurred_time"),
    ({"recorded_time": {"seconds": 7_258_118_400}}, "recorded_time"),
    ({"reason": "x" * 65}, "reason"),
    ({"reference": "x" * 129}, "reference"),
    ({"corrects": "x" * 129}, "corrects"),
]


@pytest.mark.parametrize(("fields", "field"), FAULTS)
def test_a_malformed_movement_rejects_only_itself(api: Api, fields: dict[str, Any], field: str) -> None:
    """It is REJECTED, INVALID with a detail that names the field; those around it are recorded."""
    apple = api.stocked(1)
    bad = make(i.StockMovement)
    bad.CopyFrom(receipt(apple, 1))
    for name in fields:
        bad.ClearField(name)  # type: ignore[arg-type]  # names of fields
    bad.MergeFrom(make(i.StockMovement, **fields))
    results = api.record([receipt(apple, 1), bad, receipt(apple, 1)]).results
    assert [result.status for result in results] == [APPLIED, REJECTED, APPLIED]
    assert results[1].rejection == INVALID
    assert results[1].detail.startswith(f"{field}: ")
    assert api.stock(apple).on_hand == 3


def test_a_movement_at_an_unknown_location_is_rejected(api: Api) -> None:
    """It may pass once the location is there; it is no error of the call."""
    result = api.record([receipt("apple", 1, "locations/nowhere")]).results[0]
    assert (result.status, result.rejection) == (REJECTED, i.MOVEMENT_REJECTION_LOCATION_UNKNOWN)
    assert "locations/nowhere" in result.detail


def test_counts_that_cannot_be_worked_out_are_rejected(api: Api) -> None:
    """A count older than the newest one of its SKU, and one of the future."""
    apple = fresh()
    api.record([movement(i.MOVEMENT_TYPE_COUNT, apple, 10)])
    older = movement(i.MOVEMENT_TYPE_COUNT, apple, 5, occurred_time=seconds_ago(60))
    future = movement(i.MOVEMENT_TYPE_COUNT, apple, 5, occurred_time=seconds_ago(-600))
    results = api.record([older, future]).results
    assert [(result.status, result.rejection) for result in results] == [
        (REJECTED, i.MOVEMENT_REJECTION_COUNT_SUPERSEDED),
        (REJECTED, INVALID),
    ]
    assert api.stock(apple).on_hand == 10


def test_a_stream_of_batches_is_answered_in_order(api: Api) -> None:
    """Each batch is durable before it is answered, and the next may depend on it."""
    apple = fresh()
    sent: SimpleQueue[i.StreamMovementsRequest | None] = SimpleQueue()
    answers = api.inventory.StreamMovements(taken(sent))
    for total in (5, 10, 15):
        sent.put(make(i.StreamMovementsRequest, batch={"movements": [receipt(apple, 5)]}))
        assert next(answers).batch.results[0].on_hand == total
        assert api.stock(apple).on_hand == total
    sent.put(None)
    assert list(answers) == []


def test_a_bad_batch_ends_the_stream(api: Api) -> None:
    """Those before it are recorded and answered, those after it were not looked at."""
    apple = fresh()
    good = make(i.StreamMovementsRequest, batch={"movements": [receipt(apple, 5)]})
    late = make(i.StreamMovementsRequest, batch={"movements": [receipt(apple, 5)]})
    answers = api.inventory.StreamMovements(iter([good, make(i.StreamMovementsRequest), late]))
    assert next(answers).batch.results[0].on_hand == 5
    with pytest.raises(grpc.RpcError) as caught:
        next(answers)
    assert failure_of(caught.value).fields == ["batch"]
    assert api.stock(apple).on_hand == 5


def count(sku: str, quantity: int, **fields: object) -> i.SetCountRequest:
    """A count of one SKU, as of now."""
    lines = [{"sku": sku, "quantity": quantity}]
    return make(i.SetCountRequest, **{"location": DC, "lines": lines, "as_of_time": now(), **fields})


def test_a_count_tells_the_drift(api: Api) -> None:
    """on_hand becomes what was counted, reservations stay, and a repeat answers as the first time."""
    apple, request_id = api.stocked(10), fresh("request")
    api.held((apple, 2))
    request = count(apple, 7, request_id=request_id, source="//count", reference="sheet 1", reason="yearly")
    response = api.inventory.SetCount(request)
    line = response.lines[0]
    assert response.status == i.SET_COUNT_STATUS_APPLIED
    assert (line.sku, line.counted, line.on_hand_before, line.on_hand_after, line.drift) == (apple, 7, 10, 7, -3)
    assert [version.location for version in response.versions] == [DC]
    assert (api.stock(apple).on_hand, api.stock(apple).held) == (7, 2)
    again = api.inventory.SetCount(request)
    assert (again.repeated_request, again.lines) == (True, response.lines)


def test_movements_after_the_watermark_stay_on_top(api: Api) -> None:
    """A count as of an earlier moment keeps what happened since."""
    apple = fresh()
    api.record([receipt(apple, 10, occurred_time=seconds_ago(100))])
    api.record([movement(i.MOVEMENT_TYPE_SALE, apple, 3, occurred_time=seconds_ago(10))])
    response = api.inventory.SetCount(count(apple, 12, as_of_time=seconds_ago(50)))
    assert (response.lines[0].on_hand_after, api.stock(apple).on_hand) == (9, 9)


def test_a_count_can_be_tried_first(api: Api) -> None:
    """validate_only tells the drift and the shortage and changes nothing."""
    apple = api.stocked(10)
    held = api.held((apple, 8))
    with nothing_changes(api):
        response = api.inventory.SetCount(count(apple, 5, validate_only=True))
    assert response.status == i.SET_COUNT_STATUS_VALIDATED
    shortage = response.lines[0].shortage
    assert (shortage.missing, list(shortage.reservations)) == (3, [held.name])


def test_a_count_is_refused_when_stock_moved_since(api: Api) -> None:
    """expected_version compares and sets."""
    apple = api.stocked(10)
    version = api.stock(apple).version
    api.receive(apple, 1)
    response = api.inventory.SetCount(count(apple, 5, expected_version=version))
    assert (response.status, len(response.lines)) == (i.SET_COUNT_STATUS_VERSION_MISMATCH, 0)
    response = api.inventory.SetCount(count(apple, 5, expected_version=api.stock(apple).version))
    assert response.status == i.SET_COUNT_STATUS_APPLIED


def test_an_older_count_is_refused(api: Api) -> None:
    """COUNT_SUPERSEDED, and nothing changes."""
    apple = api.stocked(10)
    api.inventory.SetCount(count(apple, 5))
    with nothing_changes(api, versions=False):
        response = api.inventory.SetCount(count(apple, 9, as_of_time=seconds_ago(60)))
    assert response.status == i.SET_COUNT_STATUS_COUNT_SUPERSEDED


def test_policy_sets_only_what_it_names(api: Api) -> None:
    """Absent parts stay as they are; an empty list of quotas takes them away."""
    apple, request_id = api.stocked(10), fresh("request")
    quotas = {"quotas": [{"channel": "web", "quantity": 4}, {"channel": "shop", "quantity": 0}]}
    first = api.set_policy(apple, safety_stock=2, quotas=quotas)
    assert [version.location for version in first.versions] == [DC]
    api.held((apple, 1), channel="web")
    stock = api.stock(apple)
    assert (stock.safety_stock, stock.available) == (2, 4)
    assert [(q.channel, q.quota, q.reserved, q.unused) for q in stock.quotas] == [("web", 4, 1, 3)]
    api.set_policy(apple, safety_stock=0)
    assert (api.stock(apple).safety_stock, len(api.stock(apple).quotas)) == (0, 1)
    request = make(
        i.SetStockPolicyRequest, location=DC, request_id=request_id, lines=[{"sku": apple, "quotas": {"quotas": []}}]
    )
    assert [api.inventory.SetStockPolicy(request).repeated_request for _ in range(2)] == [False, True]
    assert len(api.stock(apple).quotas) == 0


def test_policy_moves_units_between_dispositions(api: Api) -> None:
    """A move is a fact: it is taken even if it leaves less sellable than is promised, and tells the shortage."""
    apple = api.stocked(10)
    held = api.held((apple, 9))
    moves = [{"to_disposition": "damaged", "quantity": 3}]
    response = api.set_policy(apple, disposition_moves=moves)
    shortage = response.shortages[0]
    assert (shortage.sku, shortage.location, shortage.missing) == (apple, DC, 2)
    assert list(shortage.reservations) == [held.name]


def test_policy_registers_unknown_skus_when_told_to(api: Api) -> None:
    """With allow_missing a SKU begins with nothing on hand."""
    apple = fresh()
    request = make(i.SetStockPolicyRequest, location=DC, lines=[{"sku": apple, "safety_stock": 1}])
    assert failure(api.inventory.SetStockPolicy, request).reason == "SKU_UNKNOWN"
    request.allow_missing = True
    api.inventory.SetStockPolicy(request)
    assert (api.stock(apple).on_hand, api.stock(apple).safety_stock) == (0, 1)


def test_stock_is_read_in_the_order_asked(api: Api) -> None:
    """One for each SKU asked for, all of one version."""
    apple, pear = api.stocked(1), api.stocked(2)
    request = make(i.GetStockRequest, location=DC, skus=[pear, apple, pear])
    stocks = api.inventory.GetStock(request).stocks
    assert [(stock.sku, stock.on_hand, stock.location) for stock in stocks] == [
        (pear, 2, DC),
        (apple, 1, DC),
        (pear, 2, DC),
    ]
    assert len({stock.version for stock in stocks}) == 1


def test_stock_is_listed_in_pages(api: Api) -> None:
    """In the order SKUs were first stocked, each exactly once; a token fits its own location only."""
    made = [api.stocked(1, STORE_2) for _ in range(5)]
    listed, token = [], ""
    while True:
        page = api.inventory.ListStock(make(i.ListStockRequest, location=STORE_2, page_size=2, page_token=token))
        listed += [stock.sku for stock in page.stocks]
        token = page.next_page_token or ""
        if not token:
            break
        other = make(i.ListStockRequest, location=STORE_1, page_token=token)
        assert failure(api.inventory.ListStock, other).reason == "PAGE_TOKEN_INVALID"
    assert listed[-5:] == made
    assert len(set(listed)) == len(listed)
