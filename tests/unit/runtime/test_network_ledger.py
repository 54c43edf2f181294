from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from allocator.core import codec
from allocator.core.errors import BrokenInvariantError
from allocator.core.ids import reservation_id
from allocator.core.limits import LedgerLimits
from allocator.core.network import types
from allocator.core.network.ledger import NetworkLedger
from allocator.core.network.types import (
    CreateGroup,
    CreateLocation,
    DeleteGroup,
    DeleteLocation,
    Group,
    Kind,
    LoadNetwork,
    Location,
    NetworkChanged,
    NetworkCommand,
    NetworkDone,
    Place,
    UpdateGroup,
    UpdateLocation,
)
from allocator.core.results import Reason, Rejected
from allocator.runtime.feed import Change
from allocator.runtime.network_view import NetworkView
from tests.unit.runtime.hosts import NOW_NS

NAMES = st.sampled_from(["dc", "shop", "annex", "kiosk", "stall"])
GROUPS = st.sampled_from(["north", "south"])
ROWS = st.fixed_dictionaries(
    {
        "location": NAMES,
        "display_name": st.sampled_from(["", "A name"]),
        "kind": st.sampled_from([int(kind) for kind in Kind]),
        "open": st.booleans(),
        "position": st.sampled_from([None, (51.5, -0.1)]),
        "hours": st.sampled_from([(), ((1, 480, 1200), (2, 480, 1200))]),
        "exceptions": st.sampled_from([(), (("2026-12-25", True, 0, 0, "Christmas"),)]),
        "labels": st.sampled_from([(), (("region", "north"),)]),
        "channels": st.sampled_from([(), ("web",)]),
        "modes": st.sampled_from([(), (2, 3)]),
        "cut_offs": st.sampled_from([(), (("", 720), ("next-day", 1_020))]),
        "handling_days": st.integers(0, 2),
    }
).map(lambda fields: Location(**fields))  # type: ignore[arg-type]  # they are of many types
FIELDS = st.sets(st.sampled_from(["display_name", "kind", "open", "position", "labels", "cut_offs"])).map(
    lambda names: tuple(sorted(names))
)
MEMBERS = st.lists(NAMES, max_size=3, unique=True).map(tuple)


class Network(RuleBasedStateMachine):
    """The ledger beside plain dictionaries, its replayed twin, and a gateway's view of it."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = NetworkLedger()
        self.twin = NetworkLedger()
        self.view = NetworkView()
        self.locations: dict[str, dict[str, Any]] = {}
        self.groups: dict[str, list[str]] = {}
        self.placement: dict[str, str] = {}
        self.actors: list[str] = []
        self.answered: list[Any] = []

    def do(self, command: NetworkCommand) -> NetworkDone | Rejected:
        """Execute and journal; the twin replays what the journal would have."""
        result, events = self.ledger.execute(command, NOW_NS + len(self.answered))
        if events:
            version = self.ledger.close_batch()
            journaled = [codec.untagged(codec.unpack(codec.pack(codec.tagged(event)))) for event in events]
            assert all(type(event) is NetworkChanged for event in journaled)
            self.twin.replay(version, journaled)
        if isinstance(result, NetworkDone):
            self.answered.append(command)
        return result

    def id(self) -> str:
        """A fresh request id."""
        return f"request-{len(self.answered)}"

    def put(self, row: Location) -> None:
        """What the plain model makes of a location that is there now."""
        self.locations[row.location] = row._asdict()
        if row.location not in self.placement and self.actors:
            loads = {actor: list(self.placement.values()).count(actor) for actor in self.actors}
            self.placement[row.location] = min(self.actors, key=lambda actor: (loads[actor], actor))

    @rule(row=ROWS)
    def create(self, row: Location) -> None:
        """A location is new, or there already."""
        result = self.do(CreateLocation(self.id(), row))
        if row.location in self.locations:
            assert isinstance(result, Rejected)
            assert (result.reason, result.field) == (Reason.EXISTS, "location_id")
        else:
            assert result == NetworkDone()
            self.put(row)

    @rule(row=ROWS, fields=FIELDS)
    def update(self, row: Location, fields: tuple[str, ...]) -> None:
        """Named fields change, the others stay."""
        result = self.do(UpdateLocation(self.id(), row, fields))
        if row.location in self.locations:
            assert result == NetworkDone()
            self.locations[row.location] |= {name: getattr(row, name) for name in fields}
        else:
            assert isinstance(result, Rejected)
            assert result.reason == Reason.LOCATION_UNKNOWN

    @rule(name=NAMES)
    def delete(self, name: str) -> None:
        """A location goes, also out of its groups; made anew it will be where it was."""
        result = self.do(DeleteLocation(self.id(), name))
        if name in self.locations:
            assert result == NetworkDone()
            del self.locations[name]
            self.groups = {group: [n for n in members if n != name] for group, members in self.groups.items()}
        else:
            assert isinstance(result, Rejected)
            assert result.reason == Reason.LOCATION_UNKNOWN

    @rule(group=GROUPS, members=MEMBERS, new=st.booleans())
    def set_group(self, group: str, members: tuple[str, ...], new: bool) -> None:  # noqa: FBT001  # from hypothesis
        """A group is made or changed; each of its members has to be there."""
        row = Group(group, "", members)
        result = self.do(CreateGroup(self.id(), row) if new else UpdateGroup(self.id(), row, ("locations",)))
        missing = [n for n, name in enumerate(members) if name not in self.locations]
        if new == (group in self.groups):
            assert isinstance(result, Rejected)
            assert result.reason == (Reason.EXISTS if new else Reason.GROUP_UNKNOWN)
        elif missing:
            assert isinstance(result, Rejected)
            field = f"location_group.locations[{missing[0]}]"
            assert (result.reason, result.field) == (Reason.LOCATION_UNKNOWN, field)
        else:
            assert result == NetworkDone()
            self.groups[group] = list(members)

    @rule(group=GROUPS)
    def delete_group(self, group: str) -> None:
        """A group goes; its locations stay."""
        result = self.do(DeleteGroup(self.id(), group))
        assert isinstance(result, NetworkDone) == (group in self.groups)
        self.groups.pop(group, None)

    @rule(rows=st.lists(ROWS, max_size=3, unique_by=lambda row: row.location), group=GROUPS)
    def load(self, rows: list[Location], group: str) -> None:
        """A network file adds and replaces, and takes nothing away."""
        members = tuple(row.location for row in rows)
        assert self.do(LoadNetwork(self.id(), tuple(rows), (Group(group, "", members),))) == NetworkDone()
        for row in rows:
            self.put(row)
        self.groups[group] = list(members)

    @rule(count=st.integers(1, 3))
    def restart(self, count: int) -> None:
        """The service starts with another packing."""
        self.actors = [f"actor-{n}" for n in range(count)]
        self.placement = {name: self.actors[n % count] for n, name in enumerate(self.locations)}
        assert self.do(Place(self.id(), tuple(self.actors), tuple(self.placement.items()))) == NetworkDone()

    @rule(nth=st.integers(0, 100))
    def repeat(self, nth: int) -> None:
        """The same request again is answered as done, and does nothing."""
        if self.answered:
            command = self.answered[nth % len(self.answered)]
            before = self.ledger.version
            assert self.do(command) == NetworkDone(repeated=True)
            self.answered.pop()
            assert self.ledger.version == before

    @rule(nth=st.integers(0, 100))
    def reuse(self, nth: int) -> None:
        """The same request id for something else is an error."""
        if self.answered:
            command = self.answered[nth % len(self.answered)]
            other = DeleteGroup(command.request_id, "another")
            result = self.do(other)
            assert isinstance(result, Rejected)
            assert result.reason == Reason.REQUEST_ID_REUSED
            assert result.field in {"method", "group"}

    @rule()
    def snapshot(self) -> None:
        """The ledger goes on from its own bytes."""
        data = self.ledger.snapshot()
        self.ledger = NetworkLedger.restore(data)
        assert self.ledger.snapshot() == data

    @rule()
    def look(self) -> None:
        """A gateway takes over the newest picture."""
        state = codec.pack(self.ledger.state())
        self.view.apply([Change(self.ledger.version, True, state)])  # noqa: FBT003  # a row
        assert list(self.view.locations) == list(self.locations)
        for name in (*self.locations, "nowhere"):
            assert self.view.actor_of(name) == (self.placement.get(name) if name in self.locations else None)
        for group in ("north", "south"):
            assert self.view.members(group) == (tuple(self.groups[group]) if group in self.groups else None)

    @invariant()
    def is_what_the_dictionaries_say(self) -> None:
        """Locations with all their fields, groups, actors and placement."""
        assert {name: row._asdict() for name, row in self.ledger.locations.items()} == self.locations
        assert {name: list(group.locations) for name, group in self.ledger.groups.items()} == self.groups
        assert list(self.ledger.actors) == self.actors
        assert self.ledger.placement == self.placement

    @invariant()
    def replays_to_the_same_bytes(self) -> None:
        """The twin that only ever saw the journal is the same, byte for byte."""
        assert self.twin.snapshot() == self.ledger.snapshot()


TestNetwork = Network.TestCase


def test_a_decision_changes_nothing() -> None:
    """Only applying does."""
    network = NetworkLedger()
    network.execute(CreateLocation("c1", Location("dc")), NOW_NS)
    before = copy.deepcopy(network.state())
    network.decide(DeleteLocation("d1", "dc"), NOW_NS)
    assert network.state() == before


def test_a_network_has_a_named_maximum_also_for_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there already and comes again does not count twice."""
    monkeypatch.setattr(types, "LOCATIONS_MAX", 2)
    monkeypatch.setattr(types, "GROUPS_MAX", 1)
    network = NetworkLedger()
    network.execute(LoadNetwork("l1", (Location("dc"), Location("shop"))), NOW_NS)
    assert network.execute(LoadNetwork("l2", (Location("dc"), Location("shop"))), NOW_NS)[0] == NetworkDone()
    for command in (
        CreateLocation("c1", Location("kiosk")),
        LoadNetwork("l3", (Location("dc"), Location("kiosk"))),
        LoadNetwork("l4", (), (Group("north"), Group("south"))),
    ):
        result, events = network.execute(command, NOW_NS)
        assert isinstance(result, Rejected)
        assert result.reason == Reason.TABLE_FULL
        assert events == []


def test_old_request_ids_are_forgotten() -> None:
    """The table is bounded; then the id may be used again."""
    network = NetworkLedger(LedgerLimits(requests_max=1))
    network.execute(CreateLocation("c1", Location("dc")), NOW_NS)
    network.execute(CreateLocation("c2", Location("shop")), NOW_NS)
    result, _ = network.execute(DeleteLocation("c1", "dc"), NOW_NS)
    assert result == NetworkDone()


def test_a_replay_out_of_turn_is_an_error() -> None:
    """A missing batch is never skipped."""
    network = NetworkLedger()
    _, events = network.execute(CreateLocation("c1", Location("dc")), NOW_NS)
    with pytest.raises(BrokenInvariantError, match="batch 2 was replayed where 1 was due"):
        NetworkLedger().replay(2, events)


def test_a_view_never_goes_back() -> None:
    """News may overlap: an older picture changes nothing."""
    view, network = NetworkView(), NetworkLedger()
    pictures = []
    for name in ("dc", "shop"):
        network.execute(CreateLocation(f"c-{name}", Location(name)), NOW_NS)
        network.close_batch()
        pictures.append(Change(network.version, True, codec.pack(network.state())))  # noqa: FBT003  # a row
    view.apply(reversed(pictures))
    assert list(view.locations) == ["dc", "shop"]
    assert view.version == 2


def test_a_view_knows_a_reservations_home_by_its_name() -> None:
    """Any gateway finds the ledger that decides, without asking around."""
    view, network = NetworkView(), NetworkLedger()
    network.execute(LoadNetwork("l1", (Location("dc"), Location("shop"))), NOW_NS)
    view.apply([Change(1, True, codec.pack(network.state()))])  # noqa: FBT003  # a row
    assert view.home_of(reservation_id("shop", "r1")) == "shop"
    assert view.home_of(reservation_id("elsewhere", "r1")) is None
    assert view.home_of("no key") is None
