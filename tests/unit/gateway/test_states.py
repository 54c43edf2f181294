from __future__ import annotations

from allocator.gateway.scope import Scope, Scopes
from allocator.gateway.states import STATE_AGE_MAX_S, StateTeller
from allocator.runtime.read_model import AvailabilityModel
from allocator.v1 import availability_pb2 as a
from tests.unit.gateway.models import filled, network

LOCATIONS = ("dc", "store-1", "store-2")


class Clock:
    """A clock to be moved by hand."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """The time, seconds."""
        return self.now_s


def state_of(teller: StateTeller, scope: Scope) -> tuple[list[int], list[float]]:
    """Versions and ages as told now."""
    told = teller.tell(scope)
    response = a.CheckAvailabilityResponse.FromString(told)
    assert response.SerializeToString() == told
    names = [item.location for item in response.versions], [item.location for item in response.ages]
    assert names == (list(scope.names), list(scope.names))
    ages = [item.age.ToTimedelta().total_seconds() for item in response.ages]
    return [item.version for item in response.versions], ages


def test_the_state_told_is_of_this_moment() -> None:
    """A version that moves is told at once; an age is off by some milliseconds at most."""
    clock = Clock()
    model = AvailabilityModel(clock)
    _, sources = filled({name: {} for name in LOCATIONS})
    for name, source in sources.items():
        model.apply(name, [source.recorder.whole()])
    model.heard(LOCATIONS)
    teller = StateTeller(model, 3, 4, clock)
    scope = Scopes(network(LOCATIONS), model).find([], "")
    assert state_of(teller, scope) == ([0, 0, 0], [0.0, 0.0, 0.0])
    clock.now_s += 0.5
    model.apply("store-1", [sources["store-1"].move("apple", 1)])
    assert state_of(teller, scope) == ([0, 1, 0], [0.5, 0.5, 0.5])
    clock.now_s += STATE_AGE_MAX_S / 2
    model.heard(["dc"])
    assert state_of(teller, scope)[1] == [0.5, 0.5, 0.5]
    model.apply("dc", [sources["dc"].move("apple", 1)])
    assert state_of(teller, scope) == ([1, 1, 0], [0.5, 0.5, 0.5])
    clock.now_s += STATE_AGE_MAX_S
    ages = [STATE_AGE_MAX_S, 0.5 + 1.5 * STATE_AGE_MAX_S, 0.5 + 1.5 * STATE_AGE_MAX_S]
    assert [round(age, 6) for age in state_of(teller, scope)[1]] == [round(age, 6) for age in ages]


def test_a_location_that_was_never_heard_of_is_as_old_as_can_be_told() -> None:
    """And at version 0, which is left out on the wire."""
    model = AvailabilityModel(Clock())
    teller = StateTeller(model, 3, 4, Clock())
    versions, ages = state_of(teller, Scopes(network(["dc"]), model).find([], ""))
    assert versions == [0]
    assert ages[0] > 10**9
