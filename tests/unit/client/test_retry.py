from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.client import (
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    FailedPrecondition,
    InvalidRequest,
    MessageTooLarge,
    NotFound,
    Overloaded,
    PermissionDenied,
    RequestError,
    RequestIdReused,
    RetryPolicy,
    ServerError,
    Unauthenticated,
    Unavailable,
)
from allocator.client.errors import ErrorDetails
from allocator.client.retry import Attempts, is_safe_to_repeat

FINAL = [
    AlreadyExists,
    Cancelled,
    DataLoss,
    FailedPrecondition,
    InvalidRequest,
    MessageTooLarge,
    NotFound,
    PermissionDenied,
    RequestIdReused,
    ServerError,
    Unauthenticated,
]


def error(cls: type[RequestError] = Unavailable, **details: object) -> RequestError:
    """An error of a class."""
    return cls("told to fail", ErrorDetails(code="X", **details))  # type: ignore[arg-type]  # by name


def attempts(policy: RetryPolicy, *, writes: bool = True) -> Attempts:
    """The attempts of a call that begins at 0 s."""
    return Attempts(policy, "r-1" if writes else "", 0.0, writes=writes)


@pytest.mark.parametrize("cls", FINAL)
def test_a_final_answer_is_not_asked_for_again(cls: type[RequestError]) -> None:
    """What will not pass is told at once."""
    assert not is_safe_to_repeat(error(cls))


@pytest.mark.parametrize("cls", [Unavailable, DeadlineExceeded, Overloaded])
def test_what_may_pass_is_asked_for_again(cls: type[RequestError]) -> None:
    """The outcome is unknown or nothing happened: the same request id makes another attempt safe."""
    assert is_safe_to_repeat(error(cls))


def test_a_full_table_is_not_waited_for() -> None:
    """A moment's wait does not empty a table."""
    assert not is_safe_to_repeat(error(Overloaded, reason="TABLE_FULL"))


@given(
    failed=st.integers(1, 10_000),
    backoff_s=st.floats(0.001, 10),
    backoff_max_s=st.floats(0.001, 60),
    chance=st.floats(0, 1, exclude_max=True),
    retry_after_s=st.none() | st.floats(0, 30),
)
def test_a_wait_is_between_what_the_server_asked_for_and_a_bound_that_doubles(
    failed: int, backoff_s: float, backoff_max_s: float, chance: float, retry_after_s: float | None
) -> None:
    """Full jitter: anything from nothing to the bound, on top of RetryInfo."""
    policy = RetryPolicy(backoff_s=backoff_s, backoff_max_s=backoff_max_s)
    least = retry_after_s or 0.0
    bound = min(backoff_max_s, backoff_s * 2 ** (failed - 1)) if failed < 1_000 else backoff_max_s
    assert least <= policy.wait_s(failed, retry_after_s, 1e9, chance) <= least + bound


def test_attempts_end_with_their_count() -> None:
    """A call is tried once and then as often as the policy says; the error tells how often."""
    call = attempts(RetryPolicy(retries_max=2))
    call.wait_after(error(), 0.0, 0.5)
    call.wait_after(error(), 0.0, 0.5)
    with pytest.raises(Unavailable) as caught:
        call.wait_after(error(), 0.0, 0.5)
    assert caught.value.details.attempts == 3


def test_attempts_end_with_the_time() -> None:
    """A wait that would end after the call's time is not begun."""
    call = attempts(RetryPolicy(timeout_s=1, backoff_s=1, backoff_max_s=1, retries_max=100))
    call.wait_after(error(), 0.4, 0.5)
    with pytest.raises(Unavailable):
        call.wait_after(error(), 0.6, 0.5)


def test_a_server_that_asks_for_too_much_patience_is_told_of_at_once() -> None:
    """RetryInfo beyond the call's time ends it, and the caller learns when to come back."""
    call = attempts(RetryPolicy(timeout_s=1))
    with pytest.raises(Overloaded) as caught:
        call.wait_after(error(Overloaded, retry_after_s=2.0), 0.0, 0.0)
    assert caught.value.retry_after_s == 2.0


@given(chance=st.floats(0, 1, exclude_max=True), retry_after_s=st.floats(0, 0.99))
def test_jitter_does_not_use_up_the_time_that_the_server_left(chance: float, retry_after_s: float) -> None:
    """A call that has time for what the server asks for waits that long, and then has time to be sent again."""
    call = attempts(RetryPolicy(timeout_s=1, backoff_s=10, backoff_max_s=10))
    assert retry_after_s <= call.wait_after(error(Overloaded, retry_after_s=retry_after_s), 0.0, chance) < 1


@pytest.mark.parametrize(
    ("policy", "now_s", "timeout_s"),
    [
        (RetryPolicy(timeout_s=4), 0.0, 2.0),
        (RetryPolicy(timeout_s=4), 3.0, 1.0),
        (RetryPolicy(timeout_s=4, attempt_timeout_s=0.5), 0.0, 0.5),
        (RetryPolicy(timeout_s=4, retries_max=0), 0.0, 4.0),
        (RetryPolicy(timeout_s=4), 9.0, 0.001),
    ],
)
def test_an_attempt_leaves_time_for_another(policy: RetryPolicy, now_s: float, timeout_s: float) -> None:
    """An attempt takes a part of the call's time, and never more than what is left."""
    assert attempts(policy).timeout_s(now_s) == timeout_s


def test_a_write_that_may_have_happened_names_its_request_id() -> None:
    """The caller can learn what became of it."""
    call = attempts(RetryPolicy(retries_max=0))
    with pytest.raises(Unavailable, match="repeat it with request id r-1") as caught:
        call.wait_after(error(outcome_unknown=True), 0.0, 0.0)
    assert (caught.value.outcome_unknown, caught.value.request_id) == (True, "r-1")


def test_one_attempt_that_may_have_happened_makes_the_call_one() -> None:
    """That the last attempt did nothing says nothing about the first."""
    call = attempts(RetryPolicy(retries_max=1))
    call.wait_after(error(outcome_unknown=True), 0.0, 0.0)
    with pytest.raises(Unavailable) as caught:
        call.wait_after(error(Overloaded), 0.0, 0.0)
    assert caught.value.outcome_unknown


def test_a_definite_answer_settles_what_was_unknown() -> None:
    """A server that knows the request id would have said so: NOT_FOUND after a lost attempt means not found."""
    call = attempts(RetryPolicy())
    call.wait_after(error(outcome_unknown=True), 0.0, 0.0)
    with pytest.raises(NotFound) as caught:
        call.wait_after(error(NotFound), 0.0, 0.0)
    assert not caught.value.outcome_unknown


def test_a_read_has_no_outcome_to_wonder_about() -> None:
    """A failed read says so, and nothing of request ids."""
    call = attempts(RetryPolicy(retries_max=0), writes=False)
    with pytest.raises(Unavailable) as caught:
        call.wait_after(error(outcome_unknown=True), 0.0, 0.0)
    assert str(caught.value) == "X: told to fail"


@pytest.mark.parametrize(
    "settings", [{"timeout_s": 0}, {"timeout_s": float("nan")}, {"retries_max": -1}, {"backoff_s": -1.0}]
)
def test_a_policy_that_cannot_be_is_refused(settings: dict[str, float]) -> None:
    """Settings are checked where they are made."""
    with pytest.raises(InvalidRequest, match=next(iter(settings))):
        RetryPolicy(**settings)  # type: ignore[arg-type]  # bad ones on purpose
