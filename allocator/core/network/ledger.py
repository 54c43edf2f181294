"""`NetworkLedger`: decides on and remembers locations, groups and placement. Same interface as a stock ledger."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from allocator.core import codec
from allocator.core.errors import BrokenInvariantError
from allocator.core.limits import LedgerLimits
from allocator.core.network import types as t
from allocator.core.repeats import differing_field
from allocator.core.requests import RequestTable
from allocator.core.results import Reason, Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    NetworkResult = t.NetworkDone | Rejected

FORMAT: Final = 1


class NetworkLedger:
    """Deterministic state of the network; one writer, no I/O, no clock.

    Attributes:
        locations: by id, in order of creation.
        groups: by id.
        actors: names of the actors that host stock ledgers.
        placement: location -> actor.
        version: sequence number of the last closed batch.
    """

    def __init__(self, limits: LedgerLimits | None = None) -> None:
        self.limits = limits or LedgerLimits()
        self.version = 0
        self.clock_ns = 0
        self.locations: dict[str, t.Location] = {}
        self.groups: dict[str, t.Group] = {}
        self.actors: tuple[str, ...] = ()
        self.placement: dict[str, str] = {}
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
        problem = self._problem(command)
        if problem is not None:
            return problem, ()
        return t.NetworkDone(), (t.NetworkChanged(now_ns, command, codec.KIND[type(command)]),)

    def apply(self, event: t.NetworkChanged) -> None:
        """Make `event` so."""
        command = event.command
        match command:
            case t.CreateLocation():
                self._put(command.location)
            case t.UpdateLocation():
                old = self.locations[command.location.location]
                self._put(old._replace(**{name: getattr(command.location, name) for name in command.fields}))
            case t.DeleteLocation():
                self._delete(command.location)
            case t.CreateGroup():
                self.groups[command.group.group] = command.group
            case t.UpdateGroup():
                group = self.groups[command.group.group]
                changes = {name: getattr(command.group, name) for name in command.fields}
                self.groups[group.group] = group._replace(**changes)
            case t.DeleteGroup():
                del self.groups[command.group]
            case t.LoadNetwork():
                for location in command.locations:
                    self._put(location)
                self.groups.update({group.group: group for group in command.groups})
            case t.Place():
                self.actors = command.actors
                self.placement = dict(command.placement)
        self.clock_ns = max(self.clock_ns, event.at_ns)
        self.requests.remember(command.request_id, event)

    def tick(self, now_ns: int) -> list[t.NetworkChanged]:  # noqa: ARG002  # nothing runs out here
        """Nothing in the network expires."""
        return []

    def next_expiry_ns(self) -> int | None:
        """Nothing in the network expires."""
        return None

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
        """What readers need of the network: locations, groups, actors, placement."""
        return {
            "locations": list(self.locations.values()),
            "groups": list(self.groups.values()),
            "actors": self.actors,
            "placement": self.placement,
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
        self.actors = state["actors"]
        self.placement = dict(state["placement"])

    def _put(self, location: t.Location) -> None:
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

    def _problem(self, command: t.NetworkCommand) -> Rejected | None:
        match command:
            case t.CreateLocation():
                return self._no_room(self.locations, command.location.location, t.LOCATIONS_MAX, "location")
            case t.UpdateLocation():
                return self._missing_location(command.location.location)
            case t.DeleteLocation():
                return self._missing_location(command.location)
            case t.CreateGroup():
                full = self._no_room(self.groups, command.group.group, t.GROUPS_MAX, "location_group")
                return full or self._missing_members(command.group)
            case t.UpdateGroup():
                return self._missing_group(command.group.group) or self._missing_members(command.group)
            case t.DeleteGroup():
                return self._missing_group(command.group)
            case t.LoadNetwork():
                locations, groups = [row[0] for row in command.locations], [row[0] for row in command.groups]
                full = _overfull(self.locations, locations, t.LOCATIONS_MAX, "locations")
                return full or _overfull(self.groups, groups, t.GROUPS_MAX, "groups")
            case _:
                return None

    def _no_room(self, table: dict[str, Any], name: str, most: int, what: str) -> Rejected | None:
        if name in table:
            return Rejected(Reason.EXISTS, f"{what}_id", f"{what} {name!r} is there already")
        if len(table) >= most:
            return Rejected(Reason.TABLE_FULL, what, f"{most} are the most there may be")
        return None

    def _missing_location(self, name: str) -> Rejected | None:
        if name in self.locations:
            return None
        return Rejected(Reason.LOCATION_UNKNOWN, "name", f"location {name!r} is not in the network")

    def _missing_group(self, name: str) -> Rejected | None:
        if name in self.groups:
            return None
        return Rejected(Reason.GROUP_UNKNOWN, "name", f"location group {name!r} is not in the network")

    def _missing_members(self, group: t.Group) -> Rejected | None:
        for i, name in enumerate(group.locations):
            if name not in self.locations:
                detail = f"location {name!r} is not in the network"
                return Rejected(Reason.LOCATION_UNKNOWN, f"location_group.locations[{i}]", detail)
        return None


def _overfull(table: dict[str, Any], names: Sequence[str], most: int, what: str) -> Rejected | None:
    count = len(table.keys() | set(names))
    if count > most:
        return Rejected(Reason.TABLE_FULL, what, f"{count} {what}; {most} are the most there may be")
    return None
