"""Lanes and sourcing profiles in the network's ledger, its journal, its snapshot and a gateway's view."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from allocator.core import codec
from allocator.core.network import types as t
from allocator.core.network.checks import WEIGHTS, lane_fault, profile_fault
from allocator.core.network.ledger import NetworkLedger
from allocator.core.results import Reason, Rejected
from allocator.runtime.feed import Change
from allocator.runtime.network_view import NetworkView
from tests.unit.runtime.hosts import NOW_NS

PLACES = st.sampled_from(["", "dc", "shop", "annex"])
GROUPS = st.sampled_from(["", "north", "south"])
BANDS = st.sampled_from([(), ((0, 2),), ((100, 1), (0, 3)), ((100, 1),), ((100, 1), (50, 2))])
LANES = st.fixed_dictionaries(
    {
        "lane": st.sampled_from(["l1", "l2", "l3"]),
        "service_level": st.sampled_from(["next-day", "standard"]),
        "origin_location": PLACES,
        "origin_group": GROUPS,
        "countries": st.sampled_from([(), ("GB", "IE")]),
        "distance_max_km": st.sampled_from([0, 100, 300]),
        "transit": BANDS,
        "parcel_micros": st.sampled_from([0, 8_759_000]),
    }
).map(lambda fields: t.Lane(**fields))  # type: ignore[arg-type]  # they are of many types
PROFILES = st.fixed_dictionaries(
    {
        "profile": st.sampled_from(["p1", "p2"]),
        "cost": st.sampled_from([0.0, 1.0]),
        "lateness": st.sampled_from([0.0, 0.5, -1.0]),
        "splits_max": st.sampled_from([1, 10]),
    }
).map(lambda fields: t.Profile(**fields))  # type: ignore[arg-type]  # as above
LANE_FIELDS = st.sets(st.sampled_from(t.Lane._fields[1:])).map(lambda names: tuple(sorted(names)))
PROFILE_FIELDS = st.sets(st.sampled_from(t.Profile._fields[1:])).map(lambda names: tuple(sorted(names)))


class Network(RuleBasedStateMachine):
    """The ledger beside plain dictionaries, and its twin that only sees the journal."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger, self.twin, self.count = NetworkLedger(), NetworkLedger(), 0
        self.locations, self.groups = {"dc", "shop"}, {"north"}
        self.lanes: dict[str, dict[str, Any]] = {}
        self.profiles: dict[str, dict[str, Any]] = {}

    @initialize()
    def begin(self) -> None:
        """Two locations, one of them in a group."""
        rows = (t.Location("dc"), t.Location("shop"))
        assert self.do(t.LoadNetwork, rows, (t.Group("north", "", ("shop",)),)) is None

    def do(self, command: type, *facts: object) -> int | None:
        """Execute and journal; the reason of a refusal."""
        self.count += 1
        result, events = self.ledger.execute(command(f"request-{self.count}", *facts), NOW_NS + self.count)
        if isinstance(result, Rejected):
            assert events == []
            return result.reason
        journaled = [codec.untagged(codec.unpack(codec.pack(codec.tagged(event)))) for event in events]
        self.twin.replay(self.ledger.close_batch(), journaled)
        return None

    def lane_problem(self, row: dict[str, Any]) -> int | None:
        """Why a lane cannot be as `row` says, in the order it is checked."""
        ends = [km for km, _ in row["transit"]]
        inner = ends[:-1] if ends and ends[-1] == 0 else ends
        short = bool(inner) and inner == ends and (row["distance_max_km"] == 0 or row["distance_max_km"] > ends[-1])
        both = bool(row["origin_location"] and row["origin_group"])
        if both or short or inner != sorted(set(inner)):
            return Reason.INVALID
        if row["origin_location"] and row["origin_location"] not in self.locations:
            return Reason.LOCATION_UNKNOWN
        return Reason.GROUP_UNKNOWN if row["origin_group"] not in self.groups | {""} else None

    @staticmethod
    def profile_problem(row: dict[str, Any]) -> int | None:
        """Whether weights are weights."""
        weights = [row[name] for name in WEIGHTS]
        return Reason.INVALID if min(weights) < 0 or max(weights) == 0 else None

    @rule(row=LANES)
    def create_lane(self, row: t.Lane) -> None:
        """A lane is new and fits, or is refused."""
        expected = Reason.EXISTS if row.lane in self.lanes else self.lane_problem(row._asdict())
        assert self.do(t.CreateLane, row) == expected
        if expected is None:
            self.lanes[row.lane] = row._asdict()

    @rule(row=LANES, fields=LANE_FIELDS)
    def update_lane(self, row: t.Lane, fields: tuple[str, ...]) -> None:
        """Named fields change when the lane is right with them."""
        now = self.lanes.get(row.lane)
        after = {**(now or {}), **{name: getattr(row, name) for name in fields}}
        expected = Reason.LANE_UNKNOWN if now is None else self.lane_problem(after)
        assert self.do(t.UpdateLane, row, fields) == expected
        if expected is None:
            self.lanes[row.lane] = after

    @rule(name=st.sampled_from(["l1", "l2", "l3"]))
    def delete_lane(self, name: str) -> None:
        """A lane goes."""
        assert self.do(t.DeleteLane, name) == (None if name in self.lanes else Reason.LANE_UNKNOWN)
        self.lanes.pop(name, None)

    @rule(row=PROFILES, fields=PROFILE_FIELDS)
    def set_profile(self, row: t.Profile, fields: tuple[str, ...]) -> None:
        """A profile is made when it is new, and changed when it is not."""
        now = self.profiles.get(row.profile)
        after = row._asdict() if now is None else {**now, **{name: getattr(row, name) for name in fields}}
        expected = self.profile_problem(after)
        command, facts = (t.CreateProfile, (row,)) if now is None else (t.UpdateProfile, (row, fields))
        assert self.do(command, *facts) == expected
        if expected is None:
            self.profiles[row.profile] = after

    @rule(name=st.sampled_from(["p1", "p2"]))
    def delete_profile(self, name: str) -> None:
        """A profile goes."""
        assert self.do(t.DeleteProfile, name) == (None if name in self.profiles else Reason.PROFILE_UNKNOWN)
        self.profiles.pop(name, None)

    @rule(name=PLACES)
    def delete_location(self, name: str) -> None:
        """Not while a lane begins there."""
        used = any(row["origin_location"] == name for row in self.lanes.values())
        expected = (Reason.IN_USE if used else None) if name in self.locations else Reason.LOCATION_UNKNOWN
        assert self.do(t.DeleteLocation, name) == expected
        self.locations -= set() if used else {name}

    @rule(name=GROUPS)
    def delete_group(self, name: str) -> None:
        """Not while a lane begins there."""
        used = any(row["origin_group"] == name for row in self.lanes.values())
        expected = (Reason.IN_USE if used else None) if name in self.groups else Reason.GROUP_UNKNOWN
        assert self.do(t.DeleteGroup, name) == expected
        self.groups -= set() if used else {name}

    @rule(lanes=st.lists(LANES, max_size=2, unique_by=lambda row: row.lane), profile=PROFILES)
    def load(self, lanes: list[t.Lane], profile: t.Profile) -> None:
        """A network file adds and replaces all of its rows, or none when one of them is wrong."""
        problems = [*(self.lane_problem(row._asdict()) for row in lanes), self.profile_problem(profile._asdict())]
        expected = next(filter(None, problems), None)
        assert self.do(t.LoadNetwork, (), (), tuple(lanes), (profile,)) == expected
        if expected is None:
            self.lanes |= {row.lane: row._asdict() for row in lanes}
            self.profiles[profile.profile] = profile._asdict()

    @rule()
    def snapshot(self) -> None:
        """The ledger goes on from its own bytes."""
        data = self.ledger.snapshot()
        self.ledger = NetworkLedger.restore(data)
        assert self.ledger.snapshot() == data

    @invariant()
    def is_what_the_dictionaries_say(self) -> None:
        """Rows with all their fields, in the ledger and in a gateway's view of it."""
        view = NetworkView()
        view.apply([Change(self.ledger.version, True, codec.pack(self.ledger.state()))])  # noqa: FBT003  # a row
        for found in (self.ledger, view):
            assert {name: row._asdict() for name, row in found.lanes.items()} == self.lanes
            assert {name: row._asdict() for name, row in found.profiles.items()} == self.profiles

    @invariant()
    def replays_to_the_same_bytes(self) -> None:
        """The twin that only ever saw the journal is the same, byte for byte."""
        assert self.twin.snapshot() == self.ledger.snapshot()


TestNetwork = Network.TestCase


def test_a_refusal_names_what_is_in_the_way() -> None:
    """The field of a lane, the lane at a location, the place in a file."""
    network = NetworkLedger()
    network.execute(t.LoadNetwork("r1", (t.Location("dc"),), (), (t.Lane("l1", "fast", origin_location="dc"),)), NOW_NS)
    cases: tuple[tuple[t.NetworkCommand, str], ...] = (
        (t.CreateLane("r2", t.Lane("l2", "fast", origin_location="mars")), "lane.origin_location"),
        (t.CreateLane("r2", t.Lane("l2", "fast", transit=((9, 1), (9, 2)))), "lane.transit[1].distance_max_km"),
        (t.DeleteLocation("r2", "dc"), "lanes/l1"),
        (t.CreateProfile("r2", t.Profile("p", cost=0.0)), "sourcing_profile.cost"),
        (t.LoadNetwork("r2", (), (), (), (t.Profile("p"), t.Profile("q", capacity=-1.0))), "profiles[1].capacity"),
    )
    for command, field in cases:
        result, _ = network.execute(command, NOW_NS)
        assert isinstance(result, Rejected)
        assert result.field == field


def test_lanes_and_profiles_have_a_named_maximum(monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone and in a file; what is there already does not count twice."""
    monkeypatch.setattr(t, "LANES_MAX", 1)
    monkeypatch.setattr(t, "PROFILES_MAX", 1)
    network = NetworkLedger()
    first = t.LoadNetwork("r1", (), (), (t.Lane("l1", "fast"),), (t.Profile("p1"),))
    for command in (first, first._replace(request_id="r2")):
        assert network.execute(command, NOW_NS)[0] == t.NetworkDone()
    for refused in (
        t.CreateLane("r3", t.Lane("l2", "fast")),
        t.CreateProfile("r3", t.Profile("p2")),
        t.LoadNetwork("r3", (), (), (t.Lane("l2", "fast"),)),
        t.LoadNetwork("r3", (), (), (), (t.Profile("p2"),)),
    ):
        result, events = network.execute(refused, NOW_NS)
        assert isinstance(result, Rejected)
        assert (result.reason, events) == (Reason.TABLE_FULL, [])


def test_what_was_written_before_there_were_lanes_is_read() -> None:
    """Snapshots without the new tables, journals and snapshots with the shorter rows."""
    network = NetworkLedger()
    network.execute(t.LoadNetwork("r1", (t.Location("dc", "Hub"),)), NOW_NS)
    state = codec.unpack(network.snapshot())
    old = {name: value for name, value in state.items() if name not in {"lanes", "profiles"}}
    old["locations"] = [row[:13] for row in state["locations"]]
    restored = NetworkLedger.restore(codec.pack(old))
    assert (restored.locations, restored.lanes, restored.profiles) == (network.locations, {}, {})
    tag, request_id, locations, groups, *_ = codec.tagged(t.LoadNetwork("r1", (t.Location("dc", "Hub"),)))
    event = (codec.KIND[t.NetworkChanged], NOW_NS, (request_id, [row[:13] for row in locations], groups), tag)
    network = NetworkLedger()
    network.apply(codec.untagged(codec.unpack(codec.pack(event))))
    assert network.locations == restored.locations


@given(st.lists(st.tuples(st.sampled_from([0, 1, 50, 100]), st.integers(0, 9)), max_size=4), st.sampled_from([0, 60]))
def test_bands_of_a_right_lane_cover_every_distance_it_goes(bands: list[tuple[int, int]], reach: int) -> None:
    """For each distance up to the lane's there is one first band; otherwise the lane is refused."""
    fault = lane_fault(t.Lane("l", "fast", distance_max_km=reach, transit=tuple(bands)))
    ends = [km or 10**9 for km, _ in bands]
    covered = not bands or ends[-1] >= (reach or 10**9)
    assert (fault is None) == (covered and ends == sorted(set(ends)))


@pytest.mark.parametrize("weight", [float("nan"), float("inf"), -0.001, 1.1e9])
@pytest.mark.parametrize("name", WEIGHTS)
def test_what_is_no_weight_is_named(name: str, weight: float) -> None:
    """Negative, infinite, too large or not a number."""
    fault = profile_fault(t.Profile("p")._replace(**{name: weight}))  # type: ignore[arg-type]  # all are floats
    assert fault is not None
    assert fault[0] == (name,)
