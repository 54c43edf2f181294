from __future__ import annotations

from collections.abc import Iterable, Sequence
from queue import SimpleQueue

import grpc
import numpy as np
import pytest

from allocator.v1 import availability_pb2 as a
from allocator.v1 import inventory_pb2 as i
from allocator.v1 import network_pb2 as n
from allocator.v1.common_pb2 import LocationVersion
from tests.support.api import (
    DC,
    LOCATIONS,
    STORE_1,
    STORE_2,
    Api,
    cart,
    failure,
    failure_in,
    failure_of,
    make,
    movement,
    taken,
)
from tests.support.gateway import LocalService, Serve, fresh

pytest_plugins = ("tests.support.gateway_fixtures",)

STORES = "locationGroups/stores"


def test_a_cart_is_checked_everywhere(api: Api) -> None:
    """Each line tells whether it is covered, how much there is in all, and where, in the order of names."""
    apple, pear = api.stocked(4, STORE_2), api.stocked(1, DC)
    api.receive(apple, 3, DC)
    response = api.check((apple, 5), (pear, 2), (apple, 2))
    assert not response.sufficient
    assert [(line.sku, line.requested, line.sufficient, line.total) for line in response.lines] == [
        (apple, 7, True, 7),
        (pear, 2, False, 1),
    ]
    assert [(cell.location, cell.available) for cell in response.lines[0].quantities] == [(DC, 3), (STORE_2, 4)]
    assert [version.location for version in response.versions] == list(LOCATIONS)
    assert [item.location for item in response.ages] == list(LOCATIONS)
    assert all(0 <= item.age.ToNanoseconds() < 60 * 10**9 for item in response.ages)
    assert api.check((apple, 7)).sufficient


def test_a_cart_is_checked_at_named_locations_or_a_group(api: Api) -> None:
    """Repeats of a location count once; the members of a group are looked at as they are now."""
    apple = api.stocked(3, DC)
    api.receive(apple, 4, STORE_1)
    assert api.check((apple, 1), locations=[STORE_1, DC, STORE_1]).lines[0].total == 7
    assert api.check((apple, 1), location_group=STORES).lines[0].total == 4
    empty = api.check((apple, 1), location_group="locationGroups/none")
    assert (empty.sufficient, empty.lines[0].total, len(empty.versions)) == (False, 0, 0)


def test_a_channel_sees_its_own_quota_only(api: Api) -> None:
    """Units ring-fenced for one channel are closed to the others and to none."""
    apple = api.stocked(10)
    api.set_policy(apple, quotas={"quotas": [{"channel": "web", "quantity": 7}]}, safety_stock=1)
    assert [api.available(apple, channel=channel) for channel in ("web", "shop", "")] == [9, 2, 2]


def test_a_gateway_reads_its_own_writes(api: Api) -> None:
    """What a gateway has acknowledged is in its very next answer."""
    apple = api.stocked(100)
    for left in range(99, 79, -1):
        api.held((apple, 1))
        assert api.available(apple) == left


def test_a_read_waits_for_the_versions_it_asks_for(serve: Serve) -> None:
    """With `min_versions` of a write through one gateway, another one answers once it has that state."""
    service = serve(gateways=2)
    with service.channel(0) as first, service.channel(1) as second:
        writer, reader = Api(first), Api(second)
        apple = fresh()
        reader.check((apple, 1), min_versions=writer.receive(apple, 10).versions)
        for actor in service.links.actors.values():
            actor.hold_feed()
        written = writer.receive(apple, 5).versions
        waiting = reader.availability.CheckAvailability.future(cart((apple, 1), min_versions=written))
        assert reader.available(apple) == 10
        assert not waiting.done()
        for actor in service.links.actors.values():
            actor.release_feed()
        response = waiting.result()
        assert response.lines[0].total == 15
        assert {item.location: item.version for item in response.versions}[DC] >= written[0].version


def test_a_version_that_does_not_come_is_told(api: Api) -> None:
    """VERSION_NOT_REACHED names the location and the version, well before the caller's deadline."""
    apple = api.stocked(1)
    wanted = [LocationVersion(location=DC, version=10**9)]
    for call, request in (
        (api.availability.CheckAvailability, cart((apple, 1), min_versions=wanted)),
        (
            api.availability.BatchGetAvailability,
            make(a.BatchGetAvailabilityRequest, skus=[apple], min_versions=wanted),
        ),
    ):
        found = failure(call, request, timeout=0.3)
        assert (found.code, found.reason) == (grpc.StatusCode.UNAVAILABLE, "VERSION_NOT_REACHED")
        assert found.metadata == {"location": DC, "version": str(10**9)}


def test_a_matrix_is_packed_row_by_row(api: Api) -> None:
    """Rows and columns as asked for; unknown SKUs are rows of zeros and named."""
    apple, pear, nobody = api.stocked(3, DC), api.stocked(4, STORE_1), fresh()
    api.receive(apple, 5, STORE_2)
    request = make(a.BatchGetAvailabilityRequest, skus=[pear, nobody, apple], locations=[STORE_2, STORE_1, DC])
    response = api.availability.BatchGetAvailability(request)
    cells = np.frombuffer(response.cells, "<i8").reshape(len(response.skus), len(response.locations))
    assert cells.tolist() == [[0, 4, 0], [0, 0, 0], [5, 0, 3]]
    assert (list(response.skus), list(response.locations)) == ([pear, nobody, apple], [STORE_2, STORE_1, DC])
    assert list(response.unknown_skus) == [nobody]
    assert [item.location for item in response.versions] == [STORE_2, STORE_1, DC]
    assert [item.location for item in response.ages] == [STORE_2, STORE_1, DC]


@pytest.mark.parametrize(("group", "columns"), [("", LOCATIONS), (STORES, (STORE_1, STORE_2))])
def test_the_columns_of_a_matrix_may_be_a_group_or_everything(api: Api, group: str, columns: Sequence[str]) -> None:
    """Then they are in the order of names."""
    request = make(a.BatchGetAvailabilityRequest, skus=[api.stocked(1)], location_group=group)
    assert list(api.availability.BatchGetAvailability(request).locations) == list(columns)


def test_a_cart_of_too_many_cells_is_refused(serve: Serve) -> None:
    """Lines times locations have a maximum of their own."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        for number in range(14):
            request = make(
                n.CreateLocationRequest, location_id=f"more-{number}", location={"kind": n.LOCATION_KIND_STORE}
            )
            api.network.CreateLocation(request)
        lines = [(f"sku-{number}", 1) for number in range(10_000)]
        found = failure(api.check, *lines)
    assert (found.reason, found.metadata["count"], found.metadata["maximum"]) == (
        "BATCH_TOO_LARGE",
        "170000",
        "160000",
    )


class Watcher:
    """A watch, and what it has told so far."""

    def __init__(self, api: Api, *skus: str, **fields: object) -> None:
        self.stream = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, skus=skus, **fields))
        self.cells: dict[tuple[str, str], int] = {}
        self.versions: dict[str, int] = {}

    def next(self) -> a.WatchAvailabilityResponse:
        """The next message, taken over as the contract says."""
        message: a.WatchAvailabilityResponse = next(self.stream)
        if message.snapshot:
            told = {item.location for item in message.versions}
            self.cells = {key: units for key, units in self.cells.items() if key[1] not in told}
        self.cells |= {(change.sku, change.location): change.available for change in message.changes}
        self.versions |= {item.location: item.version for item in message.versions}
        return message

    def until(self, cells: dict[tuple[str, str], int]) -> None:
        """Read on until the picture is this one."""
        while self.cells != cells:
            self.next()
        self.stream.cancel()


def test_a_watch_begins_with_a_full_picture(api: Api) -> None:
    """First all cells that are not zero, with the versions of all locations; then changes."""
    apple, pear = api.stocked(3, DC), api.stocked(4, STORE_1)
    watch = Watcher(api, apple, pear, apple)
    first = watch.next()
    assert first.snapshot
    assert watch.cells == {(apple, DC): 3, (pear, STORE_1): 4}
    assert sorted(watch.versions) == list(LOCATIONS)
    api.held((apple, 2))
    change = watch.next()
    assert not change.snapshot
    assert [(item.sku, item.location, item.available) for item in change.changes] == [(apple, DC, 1)]
    assert [item.location for item in change.versions] == [DC]
    watch.stream.cancel()


def test_a_watch_sees_a_sku_come_and_go(api: Api) -> None:
    """A SKU that nobody stocks yet reads as 0 and is watched all the same."""
    apple = fresh()
    watch = Watcher(api, apple, locations=[DC])
    watch.next()
    assert watch.cells == {}
    api.receive(apple, 2)
    watch.next()
    assert watch.cells == {(apple, DC): 2}
    api.held((apple, 2))
    watch.until({(apple, DC): 0})


def test_a_watch_is_about_its_own_locations_and_channel(api: Api) -> None:
    """Changes elsewhere are not told; values are those of the channel."""
    apple = api.stocked(10, DC)
    api.set_policy(apple, quotas={"quotas": [{"channel": "web", "quantity": 4}]})
    watch = Watcher(api, apple, location_group=STORES, channel="web")
    watch.next()
    everywhere = Watcher(api, apple)
    everywhere.next()
    assert everywhere.cells == {(apple, DC): 6}
    api.receive(apple, 5, DC)
    api.receive(apple, 2, STORE_1)
    change = watch.next()
    assert [(item.location, item.available) for item in change.changes] == [(STORE_1, 2)]
    everywhere.until({(apple, DC): 11, (apple, STORE_1): 2})
    watch.stream.cancel()


def test_a_watch_with_a_threshold_tells_crossings_only(api: Api) -> None:
    """From below it to it or above, or back."""
    apple = api.stocked(10)
    watch = Watcher(api, apple, locations=[DC], threshold=5)
    watch.next()
    assert watch.cells == {(apple, DC): 10}
    told = []
    for quantity in (-4, -1, -1, -2, 1, 1, 3):  # 6, 5, 4, 2, 3, 4, 7
        api.record([movement(i.MOVEMENT_TYPE_ADJUSTMENT, apple, quantity)])
        if quantity in {-2, 3}:  # what was told by then may be the crossing itself or a value after it
            told.append(watch.next().changes[0].available)
    assert told[0] in {4, 2}
    assert told[1] == 7
    watch.stream.cancel()


def test_a_watch_goes_on_from_its_versions(api: Api) -> None:
    """What changed meanwhile is told, and nothing else; a location that is not named begins with a full picture."""
    apple = api.stocked(3, DC)
    api.receive(apple, 4, STORE_1)
    watch = Watcher(api, apple)
    watch.next()
    watch.stream.cancel()
    api.receive(apple, 1, STORE_1)
    versions = [LocationVersion(location=name, version=version) for name, version in watch.versions.items()]
    resumed = Watcher(api, apple, resume_versions=versions)
    first = resumed.next()
    assert not first.snapshot
    assert [item.location for item in first.versions] == [STORE_1]
    assert resumed.cells == {(apple, STORE_1): 5}
    partly = Watcher(api, apple, resume_versions=[one for one in versions if one.location == STORE_1])
    pictures = partly.next()
    assert pictures.snapshot
    assert sorted(item.location for item in pictures.versions) == sorted({*LOCATIONS} - {STORE_1})
    partly.until({(apple, DC): 3, (apple, STORE_1): 5})
    api.held((apple, 1), at=DC)
    resumed.until({(apple, STORE_1): 5, (apple, DC): 2})


def test_a_watch_of_everything_sees_a_new_location(api: Api) -> None:
    """Its first news of a location made later is a full picture of it."""
    apple, name = api.stocked(1), fresh("late")
    watch = Watcher(api, apple)
    watch.next()
    location = {"kind": n.LOCATION_KIND_STORE}
    api.network.CreateLocation(make(n.CreateLocationRequest, location_id=name, location=location))
    api.receive(apple, 6, f"locations/{name}")
    news = watch.next()
    assert news.snapshot
    assert [item.location for item in news.versions] == [f"locations/{name}"]
    watch.until({(apple, DC): 1, (apple, f"locations/{name}"): 6})


def test_a_big_picture_comes_in_parts(serve: Serve) -> None:
    """At most 10,000 changes in a message; only the last part of a picture has versions."""
    service = serve()
    with service.channel() as channel:
        api = Api(channel)
        skus = [f"sku-{number}" for number in range(1_000)]
        for at in LOCATIONS:
            record_all(api, skus, at)
        for number in range(8):
            name = f"more-{number}"
            location = {"kind": n.LOCATION_KIND_STORE}
            api.network.CreateLocation(make(n.CreateLocationRequest, location_id=name, location=location))
            record_all(api, skus, f"locations/{name}")
        watch = Watcher(api, *skus)
        first, second = watch.next(), watch.next()
        assert (len(first.changes), len(first.versions), first.snapshot) == (10_000, 0, True)
        assert (len(second.changes), len(second.versions), second.snapshot) == (1_000, 11, True)
        watch.stream.cancel()


def test_streams_are_bounded(serve: Serve) -> None:
    """Over `streams_max` a stream ends with OVERLOADED and a time to come back; it counts those that are open."""
    service = serve(streams_max=2)
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(1)
        watches = [Watcher(api, apple) for _ in range(2)]
        for watch in watches:
            watch.next()
        with pytest.raises(grpc.RpcError) as caught:
            Watcher(api, apple).next()
        found = failure_of(caught.value)
        assert (found.code, found.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "OVERLOADED")
        assert found.retry_s > 0
        watches[0].stream.cancel()
        while True:
            again = Watcher(api, apple)
            try:
                again.next()
            except grpc.RpcError:
                continue
            break


def test_bad_watches_end_with_their_error(api: Api) -> None:
    """A stream that cannot begin ends with what is wrong, as a call does."""
    for fields, fault in (
        ({"skus": []}, "skus"),
        ({"skus": ["?"]}, "skus[0]"),
        ({"skus": ["apple"], "threshold": 0}, "threshold"),
        ({"skus": ["apple"], "resume_versions": [LocationVersion(location="?")]}, "resume_versions[0].location"),
    ):
        stream = api.availability.WatchAvailability(make(a.WatchAvailabilityRequest, **fields))
        with pytest.raises(grpc.RpcError) as caught:
            next(stream)
        assert failure_of(caught.value).fields[0] == fault


def test_a_stream_of_checks_is_answered_in_order(api: Api) -> None:
    """Each check gets its answer, a bad one its error, and the stream goes on."""
    apple = api.stocked(5)
    queries = [
        make(a.QueryAvailabilityRequest, check=cart((apple, 5))),
        make(a.QueryAvailabilityRequest, check=cart((fresh(), 1))),
        make(a.QueryAvailabilityRequest),
        make(a.QueryAvailabilityRequest, check=cart((apple, 6))),
    ]
    answers = list(api.availability.QueryAvailability(iter(queries)))
    assert answers[0].check.sufficient
    assert failure_in(answers[1].error).reason == "SKU_UNKNOWN"
    assert failure_in(answers[2].error).fields == ["check"]
    assert [line.total for line in answers[3].check.lines] == [5]
    assert not answers[3].check.sufficient


def test_a_check_on_a_stream_sees_what_was_written_before_it(api: Api) -> None:
    """A stream stays open between checks and reads the newest state each time."""
    apple = api.stocked(5)
    asked: SimpleQueue[a.QueryAvailabilityRequest | None] = SimpleQueue()
    answers = api.availability.QueryAvailability(taken(asked))
    for left in range(5, 0, -1):
        asked.put(make(a.QueryAvailabilityRequest, check=cart((apple, 1))))
        assert next(answers).check.lines[0].total == left
        api.held((apple, 1))
    asked.put(None)
    assert list(answers) == []


def test_no_read_goes_to_an_actor(serve: Serve) -> None:
    """With every actor held back, carts and matrices are answered all the same."""
    service: LocalService = serve()
    with service.channel() as channel:
        api = Api(channel)
        apple = api.stocked(5)
        for actor in service.links.actors.values():
            actor.hold()
        assert api.available(apple) == 5
        request = make(a.BatchGetAvailabilityRequest, skus=[apple])
        assert len(api.availability.BatchGetAvailability(request).cells) == 8 * len(LOCATIONS)
        for actor in service.links.actors.values():
            actor.release()


def record_all(api: Api, skus: Iterable[str], at: str) -> None:
    """One unit of each SKU."""
    api.record([movement(i.MOVEMENT_TYPE_RECEIPT, sku, 1, at) for sku in skus])
