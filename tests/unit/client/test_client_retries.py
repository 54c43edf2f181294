"""The client for threads, against a fake that fails: what is repeated, and what the caller is told."""

from __future__ import annotations

import threading

import grpc
import pytest

from allocator.client import (
    Cancelled,
    Check,
    Client,
    DeadlineExceeded,
    InvalidRequest,
    MessageTooLarge,
    NotFound,
    Overloaded,
    RequestError,
    RequestIdReused,
    ReserveResult,
    ServingStatus,
    Unavailable,
)
from tests.unit.client.fake import FakeServer, Fault, error_info, retry_info, serve

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
EXHAUSTED = grpc.StatusCode.RESOURCE_EXHAUSTED


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


@pytest.mark.parametrize("reason", ["OVERLOADED", "RATE_LIMITED"])
def test_a_server_that_says_not_now_is_given_the_time_it_asked_for(
    client: Client, fake: FakeServer, reason: str
) -> None:
    """RESOURCE_EXHAUSTED is tried again after RetryInfo, whoever has called too much."""
    fake.fail("Reserve", Fault(EXHAUSTED, reason=reason, details=[retry_info(0.01)]))
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


def test_the_client_id_goes_with_every_call(fake: FakeServer) -> None:
    """Of the client, or of whom it calls for; none unless there is one."""
    with Client(fake.address, client_id="shop") as client:
        client.check({"APPLE": 1})
        client.with_options(client_id="tenant-7").check({"APPLE": 1})
        list(client.query([Check({"APPLE": 1})]))
    with Client(fake.address) as client:
        client.check({"APPLE": 1})
    assert [seen.metadata.get("x-client-id") for seen in fake.seen] == ["shop", "tenant-7", "shop", None]


@pytest.mark.parametrize("name", ["correlation_id", "client_id"])
@pytest.mark.parametrize("text", ["two\nlines", "ünïcode", "x" * 129])
def test_an_id_that_no_header_can_hold_is_refused(name: str, text: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidRequest, match=name):
        Client().with_options(**{name: text})  # type: ignore[arg-type]  # by name


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
