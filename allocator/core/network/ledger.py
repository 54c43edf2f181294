"""`NetworkLedger`: decides on and remembers what the network is made of. Same interface as a stock ledger."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from allocator.core import codec
from allocator.core.errors import BrokenInvariantError
from allocator.core.limits import LedgerLimits
from allocator.core.network import types as t
from allocator.core.network.checks import changed, problem
from allocator.core.repeats import differing_field
from allocator.core.requests import RequestTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.core.results import Rejected

    NetworkResult = t.NetworkDone | Rejected

FORMAT: Final = 1


class NetworkLedger:
    """Deterministic state of the network; one writer, no I/O, no clock.

    Attributes:
        locations: by id, in order of creation.
        groups: by id.
        lanes: by id.
        profiles: sourcing profiles by id.
        actors: names of the actors that host stock ledgers.
        placement: location -> actor.
        created_ns: location -> when it came into the network, ns since 1970 UTC.
        version: sequence number of the last closed batch.
    """

    def __init__(self, limits: LedgerLimits | None = None) -> None:
        self.limits = limits or LedgerLimits()
        self.version = 0
        self.clock_ns = 0
        self.locations: dict[str, t.Location] = {}
        self.groups: dict[str, t.Group] = {}
        self.lanes: dict[str, t.Lane] = {}
        self.profiles: dict[str, t.Profile] = {}
        self.actors: tuple[str, ...] = ()
        self.placement: dict[str, str] = {}
        self.created_ns: dict[str, int] = {}
        self.requests = RequestTable(self.limits)

    def execute(self, command: t.NetworkCommand, now_ns: int) -> tuple[NetworkResult, list[t.NetworkChanged]]:
        """Decide `command` and apply its events."""
        result, events = self.decide(command, now_ns)
        return self.enact(command, result, events), list(events)

    def enact(
        self,
        command: t.NetworkCommand,  # noqa: ARG002  # the interface of a ledger
        result: NetworkResult,
        events: Sequence[t.NetworkChanged],
    ) -> NetworkResult:
        """Apply what was decided; the answer stays."""
        for event in events:
            self.apply(event)
        return result

    def decide(self, command: t.NetworkCommand, now_ns: int) -> tuple[NetworkResult, tuple[t.NetworkChanged, ...]]:
        """Answer `command` and tell the event that makes it so; changes nothing."""
        now_ns = max(now_ns, self.clock_ns)
        first = self.requests.by_id.get(command.request_id)
        if first is not None:
            return differing_field(command, first.command) or t.NetworkDone(repeated=True), ()
        rejected = problem(self, command)
        if rejected is not None:
            return rejected, ()
        return t.NetworkDone(), (t.NetworkChanged(now_ns, command, codec.KIND[type(command)]),)

    def apply(self, event: t.NetworkChanged) -> None:
        """Make `event` so."""
        command = event.command
        match command:
            case t.CreateLocation():
                self._put(command.location, event.at_ns)
            case t.UpdateLocation():
                old = self.locations[command.location.location]
                self._put(changed(old, command.location, command.fields), event.at_ns)
            case t.DeleteLocation():
                self._delete(command.location)
            case t.LoadNetwork():
                self._load(command, event.at_ns)
            case t.Place():
                self.actors = command.actors
                self.placement = dict(command.placement)
            case t.CreateGroup() | t.UpdateGroup() | t.DeleteGroup():
                _change(self.groups, command)
            case t.CreateLane() | t.UpdateLane() | t.DeleteLane():
                _change(self.lanes, command)
            case t.CreateProfile() | t.UpdateProfile() | t.DeleteProfile():
                _change(self.profiles, command)
        self.clock_ns = max(self.clock_ns, event.at_ns)
        self.requests.remember(command.request_id, event)

    def tick(self, now_ns: int) -> list[t.NetworkChanged]:  # noqa: ARG002  # nothing runs out here
        """Nothing in the network expires."""
        return []

    def next_expiry_ns(self) -> int | None:
        """Nothing in the network expires."""
        return None

    def settle(self, now_ns: int) -> list[t.NetworkChanged]:  # noqa: ARG002  # one shape for all ledgers
        """Nothing follows from a change of the network."""
        return []

    def close_batch(self) -> int:
        """End a batch of applied events: the version grows by one and is returned."""
        self.version += 1
        return self.version

    def replay(self, version: int, events: Sequence[t.NetworkChanged]) -> None:
        """Apply one journaled batch."""
        for event in events:
            self.apply(event)
        if self.close_batch() != version:
            raise BrokenInvariantError(f"network: batch {version} was replayed where {self.version} was due")

    def state(self) -> dict[str, Any]:
        """What readers need of the network: locations, groups, lanes, profiles, actors, placement."""
        return {
            "locations": list(self.locations.values()),
            "groups": list(self.groups.values()),
            "lanes": list(self.lanes.values()),
            "profiles": list(self.profiles.values()),
            "actors": self.actors,
            "placement": self.placement,
            "created_ns": self.created_ns,
        }

    def snapshot(self) -> bytes:
        """The whole state as bytes; the same state gives the same bytes."""
        requests = [codec.tagged(event) for event in self.requests.by_id.values()]
        head = {"format": FORMAT, "limits": self.limits, "version": self.version, "clock_ns": self.clock_ns}
        return codec.pack(head | self.state() | {"requests": requests})

    @classmethod
    def restore(cls, data: bytes) -> NetworkLedger:
        """The network that `snapshot` wrote."""
        state = codec.unpack(data)
        if state.get("format") != FORMAT:
            raise BrokenInvariantError(f"network snapshot format {state.get('format')!r} is not known here")
        network = cls(LedgerLimits(*state["limits"]))
        network.version, network.clock_ns = state["version"], state["clock_ns"]
        network.load_state(state)
        for array in state["requests"]:
            event = codec.untagged(array)
            network.requests.by_id[event.command.request_id] = event
            network.requests.order.append((event.at_ns, event.command.request_id))
        return network

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what `state` told."""
        self.locations = {row[0]: t.Location(*row) for row in state["locations"]}
        self.groups = {row[0]: t.Group(*row) for row in state["groups"]}
        self.lanes = {row[0]: t.Lane(*row) for row in state.get("lanes", ())}
        self.profiles = {row[0]: t.Profile(*row) for row in state.get("profiles", ())}
        self.actors = state["actors"]
        self.placement = dict(state["placement"])
        self.created_ns = dict(state.get("created_ns", ()))  # builds before did not note it

    def _put(self, location: t.Location, at_ns: int) -> None:
        self.created_ns.setdefault(location.location, at_ns)
        self.locations[location.location] = location
        if location.location not in self.placement and self.actors:
            loads = Counter(self.placement.values())
            self.placement[location.location] = min(self.actors, key=lambda actor: (loads[actor], actor))

    def _delete(self, location: str) -> None:
        # Its journal stays where it is, so its placement does too: made anew, it has to meet its old log.
        del self.locations[location]
        for name, group in self.groups.items():
            if location in group.locations:
                left = tuple(member for member in group.locations if member != location)
                self.groups[name] = group._replace(locations=left)

    def _load(self, command: t.LoadNetwork, at_ns: int) -> None:
        for location in command.locations:
            self._put(location, at_ns)
        self.groups.update({row.group: row for row in command.groups})
        self.lanes.update({row.lane: row for row in command.lanes})
        self.profiles.update({row.profile: row for row in command.profiles})


def _change(table: dict[str, Any], command: tuple[Any, ...]) -> None:
    """Create, update or delete a row of a table; the command's fields tell which: (request id, row or name, fields)."""
    match command[1:]:
        case (str(name),):
            del table[name]
        case (row,):
            table[row[0]] = row
        case (row, fields):
            table[row[0]] = changed(table[row[0]], row, fields)
