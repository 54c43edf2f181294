"""Calls of which a part was done, and a part could not be."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import grpc

from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1 import reservation_pb2 as r
from tests.support.api import DC, STORE_2, Api, failure, failure_of, make, receipt
from tests.support.gateway import Serve, fresh, location

pytest_plugins = ("tests.support.gateway_fixtures",)

APPLIED, DUPLICATE = i.MOVEMENT_STATUS_APPLIED, i.MOVEMENT_STATUS_DUPLICATE
TOGETHER = {"actor-0000": (location("dc-1"), location("store-1"), location("store-2"))}


def test_a_batch_that_was_recorded_in_part_is_not_told_as_if_nothing_happened(serve: Serve) -> None:
    """RECOVERING promises that; with some movements recorded it is OUTCOME_UNKNOWN, and a repeat sorts it out."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        here, there = receipt("apple", 1, DC), receipt("apple", 1, STORE_2)
        with service.actor("actor-0001").recovering():
            assert failure(api.record, [there]).reason == "RECOVERING"
            found = failure(api.record, [here, there])
            assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")
            assert "is recovering" in found.message
        assert [result.status for result in api.record([here, there]).results] == [DUPLICATE, APPLIED]


def test_a_create_that_the_network_took_is_not_told_as_if_nothing_happened(serve: Serve) -> None:
    """The location is there, and its actor went away before it was opened: the same request again opens it."""
    service = serve(placed=TOGETHER)
    actor = service.actor()
    with service.channel() as channel:
        api = Api(channel)
        api.stocked(1)
        while actor.arrived.acquire(blocking=False):
            pass
        request = make(
            n.CreateLocationRequest,
            location_id="annex",
            location={"kind": n.LOCATION_KIND_STORE},
            request_id=fresh("request"),
        )
        actor.hold()
        creating = api.network.CreateLocation.future(request)
        actor.arrived.acquire()
        with actor.recovering():
            actor.release()
            assert failure_of(creating.exception()).reason == "OUTCOME_UNKNOWN"
        assert api.network.CreateLocation(request).repeated_request
        api.held((api.stocked(2, "locations/annex"), 1), at="locations/annex")


def test_an_update_that_the_network_took_is_not_told_as_if_nothing_happened(serve: Serve) -> None:
    """The location is closed for the network; the same request again closes it for its ledger."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(1)
        closed = {"name": DC, "state": n.LOCATION_STATE_CLOSED}
        request = make(
            n.UpdateLocationRequest, location=closed, update_mask={"paths": ["state"]}, request_id=fresh("request")
        )
        with service.actor().recovering():
            assert failure(api.network.UpdateLocation, request).reason == "OUTCOME_UNKNOWN"
        assert api.network.UpdateLocation(request).repeated_request
        assert api.reserve((apple, 1)).status == r.RESERVE_STATUS_LOCATION_CLOSED


def test_a_location_that_stands_still_stops_no_movement_but_its_own(serve: Serve, tmp_path: Path) -> None:
    """They are REJECTED, LOCATION_STOPPED with the damage named; those around them are recorded."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        api.stocked(1, STORE_2)
        with service.actor("actor-0001").recovering():
            (file,) = tmp_path.rglob("actor-0001.sqlite")
            with closing(sqlite3.connect(file)) as connection, connection:
                assert connection.execute("UPDATE snapshot_chunks SET payload = x'00'").rowcount == 1
        results = api.record([receipt("apple", 1, DC), receipt("apple", 1, STORE_2), receipt("apple", 2, DC)]).results
        assert [result.status for result in results] == [APPLIED, i.MOVEMENT_STATUS_REJECTED, APPLIED]
        assert results[1].rejection == i.MOVEMENT_REJECTION_LOCATION_STOPPED
        assert STORE_2 in results[1].detail
        assert "snapshot" in results[1].detail
        assert api.stock("apple").on_hand == 3
        assert failure(api.stock, "apple", STORE_2).reason == "JOURNAL_DAMAGED"
