"""Groups, lanes and sourcing profiles: rows of the network that differ in what they say, not in how they change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from allocator.core.network import types as n
from allocator.core.results import Rejected
from allocator.gateway import pages
from allocator.gateway import translate_lanes as tl
from allocator.gateway import translate_network as tn
from allocator.gateway.errors import ApiError, group_unknown, lane_unknown, profile_unknown
from allocator.gateway.faults import Faults
from allocator.gateway.names import GROUPS, LANES, PROFILES
from allocator.gateway.translate_location import fields_to_change
from allocator.runtime.hosted import NETWORK

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from google.protobuf.message import Message

    from allocator.gateway.call import Call
    from allocator.runtime.router import Router

A = TypeVar("A", bound="Message")


class Sort(NamedTuple):
    """What tells the rows of one table from those of another.

    Attributes:
        field: of a row in requests and answers; lists add an s.
        collection: how names begin.
        table: attribute of the network's view.
        fields: those of the contract that can be changed, with the core's names.
        read: (id, message, fields, faults) -> row.
        fill: writes a row into a message.
        create: the command, and so `update` and `delete`.
        unknown: the error for an id that no row has.
        refused: (answer of the ledger, row) -> error.
    """

    field: str
    collection: str
    table: str
    fields: Mapping[str, str]
    read: Callable[[str, Any, Collection[str], Faults], Any]
    fill: Callable[[Any, Any], None]
    create: type
    update: type
    delete: type
    unknown: Callable[[str], ApiError]
    refused: Callable[[Rejected, Any], ApiError]


GROUP: Final = Sort(
    "location_group", GROUPS, "groups", {name: name for name in tn.GROUP_FIELDS}, tn.to_group, tn.fill_group,
    n.CreateGroup, n.UpdateGroup, n.DeleteGroup, group_unknown, tn.from_group_rejected,
)  # fmt: skip
LANE: Final = Sort(
    "lane", LANES, "lanes", tl.LANE_FIELDS, tl.to_lane, tl.fill_lane,
    n.CreateLane, n.UpdateLane, n.DeleteLane, lane_unknown, tl.from_lane_rejected,
)  # fmt: skip
PROFILE: Final = Sort(
    "sourcing_profile", PROFILES, "profiles", tl.PROFILE_FIELDS, tl.to_profile, tl.fill_profile,
    n.CreateProfile, n.UpdateProfile, n.DeleteProfile, profile_unknown, tl.from_profile_rejected,
)  # fmt: skip


async def change(
    router: Router, command: tuple[Any, ...], call: Call, refused: Callable[[Rejected], ApiError]
) -> n.NetworkDone:
    """Have the network's ledger take a change over; this gateway's copy has it when this returns.

    Raises:
        ApiError: what `refused` makes of the ledger's refusal.
    """
    result, _ = await router.submit(NETWORK, command, call.trail)
    if isinstance(result, Rejected):
        raise refused(result)
    done: n.NetworkDone = result
    return done


class Rows:
    """The five calls on one sort of rows; `answer` is the empty response to fill."""

    def __init__(self, sort: Sort, router: Router) -> None:
        self._sort = sort
        self._router = router
        self._network = router.network

    async def create(self, request: Any, answer: A, call: Call) -> A:  # noqa: ANN401  # CreateLaneRequest and so on
        """Create a row."""
        sort, faults = self._sort, Faults()
        name = faults.id(f"{sort.field}_id", getattr(request, f"{sort.field}_id"))
        request_id = faults.request_id(call.named(request.request_id))
        self._set(request, faults)
        row = sort.read(name, getattr(request, sort.field), sort.fields, faults)
        faults.check()
        return await self._changed(sort.create(request_id, row), row, answer, call)

    async def get(self, request: Any, answer: A) -> A:  # noqa: ANN401  # as above
        """Read a row."""
        faults = Faults()
        name = faults.name("name", request.name, self._sort.collection)
        faults.check()
        self._fill(getattr(answer, self._sort.field), name)
        return answer

    async def list(self, request: Any, answer: A) -> A:  # noqa: ANN401  # as above
        """Read a page of rows."""
        names, token = page(self._table(), request, self._sort.table)
        answer.next_page_token = token  # type: ignore[attr-defined]  # of every list
        for name in names:
            self._fill(getattr(answer, f"{self._sort.field}s").add(), name)
        return answer

    async def update(self, request: Any, answer: A, call: Call) -> A:  # noqa: ANN401  # as above
        """Change the fields of a row."""
        sort, faults = self._sort, Faults()
        message = getattr(request, sort.field)
        self._set(request, faults)
        name = faults.name(f"{sort.field}.name", message.name, sort.collection)
        request_id = faults.request_id(call.named(request.request_id))
        mask = request.update_mask if request.HasField("update_mask") else None
        fields = fields_to_change(message, mask, sort.fields, ("name",), faults)
        row = sort.read(name, message, fields, faults)
        faults.check()
        command = sort.update(request_id, row, tuple(sort.fields[field] for field in fields))
        return await self._changed(command, row, answer, call)

    async def delete(self, request: Any, answer: A, call: Call) -> A:  # noqa: ANN401  # as above
        """Delete a row."""
        sort, faults = self._sort, Faults()
        name = faults.name("name", request.name, sort.collection)
        request_id = faults.request_id(call.named(request.request_id))
        faults.check()
        row = sort.read(name, None, (), faults)
        done = await change(self._router, sort.delete(request_id, name), call, lambda told: sort.refused(told, row))
        answer.repeated_request = done.repeated  # type: ignore[attr-defined]  # of every write
        return answer

    async def _changed(self, command: tuple[Any, ...], row: Any, answer: A, call: Call) -> A:  # noqa: ANN401  # a row
        done = await change(self._router, command, call, lambda told: self._sort.refused(told, row))
        answer.repeated_request = done.repeated  # type: ignore[attr-defined]  # of every write
        self._fill(getattr(answer, self._sort.field), row[0])
        return answer

    def _set(self, request: Message, faults: Faults) -> None:
        if not request.HasField(self._sort.field):
            faults.add(self._sort.field, "it must be set")

    def _table(self) -> Mapping[str, Any]:
        table: Mapping[str, Any] = getattr(self._network, self._sort.table)
        return table

    def _fill(self, message: Message, name: str) -> None:
        found = self._table().get(name)
        if found is None:
            raise self._sort.unknown(name)
        self._sort.fill(message, found)


def page(names: Iterable[str], request: Any, what: str) -> tuple[list[str], str]:  # noqa: ANN401  # any List request
    """A page of names in their order, and the token of the next one."""
    room = pages.size(request.page_size)
    after = pages.read_token(request.page_token, what)[0] if request.page_token else ""
    rest = sorted(name for name in names if name > after)
    more = len(rest) > room
    return rest[:room], pages.make_token((rest[room - 1],), what) if more else ""
