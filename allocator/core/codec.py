"""Wire form of commands, results and events: msgpack arrays `[tag, field, ...]`, the same in calls and in the journal.

Named tuples pack as plain arrays, so only decoding has work to do. A field added at the end of a type keeps old
bytes readable, because missing trailing fields take their defaults.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import msgpack

from allocator.core import commands as c
from allocator.core import events as e
from allocator.core import results as r
from allocator.core.limits import LedgerLimits
from allocator.core.network import types as n
from allocator.core.protocol import answers as a
from allocator.core.protocol import types as t

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    Decoder = Callable[[Sequence[Any]], Any]

KIND: dict[type, int] = {
    c.Reserve: 1,
    c.Commit: 2,
    c.Extend: 3,
    c.Release: 4,
    c.Fulfil: 5,
    c.Movement: 6,
    c.SetCount: 7,
    c.SetStockPolicy: 8,
    c.Configure: 9,
    c.SetSupply: 10,
    c.GetStock: 20,
    c.ListStock: 21,
    c.GetReservation: 22,
    c.ListReservations: 23,
    c.Summarise: 24,
    c.ListSupply: 25,
    t.Open: 30,
    t.Amend: 31,
    t.Follow: 32,
    t.Confirm: 33,
    t.Ask: 34,
    e.Reserved: 40,
    e.Refused: 41,
    e.Committed: 42,
    e.Extended: 43,
    e.Released: 44,
    e.Fulfilled: 45,
    e.Expired: 46,
    e.Moved: 47,
    e.Counted: 48,
    e.PolicySet: 49,
    e.Configured: 50,
    e.ShortageFound: 51,
    e.Limited: 52,
    e.SupplySet: 53,
    e.Filled: 54,
    e.SupplyShort: 55,
    t.Opened: 60,
    t.Amended: 61,
    t.Decided: 62,
    t.PickupMissed: 63,
    t.Followed: 64,
    t.Confirmed: 65,
    t.Told: 66,
    t.Voided: 67,
    r.Rejected: 70,
    r.ReserveResult: 71,
    r.TransitionResult: 72,
    r.MovementResult: 73,
    r.CountResult: 74,
    r.Done: 75,
    r.StockPage: 76,
    r.ReservationPage: 77,
    r.LedgerSummary: 78,
    r.SupplyPage: 79,
    a.OpenResult: 85,
    a.AmendResult: 86,
    a.Heard: 87,
    n.CreateLocation: 100,
    n.UpdateLocation: 101,
    n.DeleteLocation: 102,
    n.CreateGroup: 103,
    n.UpdateGroup: 104,
    n.DeleteGroup: 105,
    n.LoadNetwork: 106,
    n.Place: 107,
    n.CreateLane: 108,
    n.UpdateLane: 109,
    n.DeleteLane: 110,
    n.CreateProfile: 111,
    n.UpdateProfile: 112,
    n.DeleteProfile: 113,
    n.NetworkChanged: 120,
    n.NetworkDone: 121,
}
"""Tag of each type on the wire. Never reused: a removed type's number stays vacant."""


def _plain(cls: type) -> Decoder:
    make, whole = partial(tuple.__new__, cls), len(cls._fields)  # type: ignore[attr-defined]  # a NamedTuple

    def decode(fields: Sequence[Any]) -> object:
        return make(fields) if len(fields) == whole else cls(*fields)  # the first is three times as fast

    return decode


def _nested(cls: type, **parts: Decoder) -> Decoder:
    """Decode fields of `cls` named in `parts` by their own decoders, the others as they are."""
    names: tuple[str, ...] = cls._fields  # type: ignore[attr-defined]  # a NamedTuple
    places = [(names.index(name), decode) for name, decode in parts.items()]
    make, whole = partial(tuple.__new__, cls), len(names)

    def decode(fields: Sequence[Any]) -> object:
        values = list(fields)
        for place, decoder in places:
            if place < len(values):
                values[place] = decoder(values[place])
        return make(values) if len(values) == whole else cls(*values)

    return decode


def _each(decoder: Decoder) -> Decoder:
    return lambda items: tuple([decoder(item) for item in items])


def _optional(decoder: Callable[[Any], Any]) -> Decoder:
    def decode(item: Any) -> object:  # noqa: ANN401  # None, or what the decoder takes
        return None if item is None else decoder(item)

    return decode


_PARTS = _each(_plain(t.PartSpec))
_DONE = _each(_plain(t.Done))
_FOLLOW = _nested(t.Follow, done=_DONE)


def _owed(rows: Sequence[Sequence[Any]]) -> tuple[tuple[str, t.Follow], ...]:
    return tuple((location, cast("t.Follow", _FOLLOW(fields))) for location, fields in rows)


_COMMANDS: dict[type, Decoder] = {
    cls: _plain(cls)
    for cls in (
        c.Reserve,
        c.Commit,
        c.Extend,
        c.Release,
        c.Fulfil,
        c.Movement,
        c.SetCount,
        c.GetStock,
        c.ListStock,
        c.GetReservation,
        c.ListReservations,
        c.Summarise,
        t.Confirm,
        c.ListSupply,
        n.DeleteLocation,
        n.DeleteGroup,
        n.DeleteLane,
        n.DeleteProfile,
        n.Place,
    )
} | {
    c.SetStockPolicy: _nested(c.SetStockPolicy, lines=_each(_plain(c.PolicyLine))),
    c.Configure: _nested(c.Configure, capacity=_optional(_plain(c.Capacity))),
    t.Open: _nested(t.Open, parts=_PARTS),
    t.Amend: _nested(t.Amend, moves=_each(_plain(t.Move)), parts=_PARTS),
    t.Follow: _FOLLOW,
    t.Ask: _nested(t.Ask, told=_DONE),
    c.SetSupply: _nested(c.SetSupply, lines=_each(_plain(c.SupplyLine))),
    n.CreateLocation: _nested(n.CreateLocation, location=_plain(n.Location)),
    n.UpdateLocation: _nested(n.UpdateLocation, location=_plain(n.Location)),
    n.CreateGroup: _nested(n.CreateGroup, group=_plain(n.Group)),
    n.UpdateGroup: _nested(n.UpdateGroup, group=_plain(n.Group)),
    n.CreateLane: _nested(n.CreateLane, lane=_plain(n.Lane)),
    n.UpdateLane: _nested(n.UpdateLane, lane=_plain(n.Lane)),
    n.CreateProfile: _nested(n.CreateProfile, profile=_plain(n.Profile)),
    n.UpdateProfile: _nested(n.UpdateProfile, profile=_plain(n.Profile)),
    n.LoadNetwork: _nested(
        n.LoadNetwork,
        locations=_each(_plain(n.Location)),
        groups=_each(_plain(n.Group)),
        lanes=_each(_plain(n.Lane)),
        profiles=_each(_plain(n.Profile)),
    ),
}

_SHORTAGE = _plain(r.Shortage)
_VIEW = _nested(r.ReservationView, lines=_each(_plain(r.ReservationLine)))
_SUPPLY = _plain(r.SupplyView)
_STOCK = _nested(r.StockView, quotas=_each(_plain(r.Quota)), supplies=_each(_SUPPLY))

_RESULTS: dict[type, Decoder] = {
    r.Rejected: _plain(r.Rejected),
    r.ReserveResult: _nested(r.ReserveResult, lines=_each(_plain(r.HeldLine))),
    r.TransitionResult: _nested(r.TransitionResult, view=_optional(_VIEW), owed=_owed),
    r.MovementResult: _nested(r.MovementResult, shortage=_optional(_SHORTAGE), supply_shortage=_optional(_SHORTAGE)),
    r.CountResult: _nested(r.CountResult, lines=_each(_plain(r.CountLine)), shortages=_each(_SHORTAGE)),
    r.Done: _nested(r.Done, shortages=_each(_SHORTAGE), supply_shortages=_each(_SHORTAGE)),
    r.LedgerSummary: _plain(r.LedgerSummary),
    n.NetworkDone: _plain(n.NetworkDone),
    r.StockPage: _nested(r.StockPage, rows=_each(_STOCK)),
    r.ReservationPage: _nested(r.ReservationPage, rows=_each(_VIEW)),
    a.OpenResult: _nested(a.OpenResult, parts=_PARTS),
    a.AmendResult: _nested(a.AmendResult, parts=_PARTS, view=_optional(_VIEW), owed=_owed),
    a.Heard: _nested(a.Heard, follow=_optional(_FOLLOW)),
    r.SupplyPage: _nested(r.SupplyPage, rows=_each(_SUPPLY)),
}

_RESULT_OF: dict[type, type] = {
    c.Reserve: r.ReserveResult,
    c.Commit: r.TransitionResult,
    c.Extend: r.TransitionResult,
    c.Release: r.TransitionResult,
    c.Fulfil: r.TransitionResult,
    c.SetCount: r.CountResult,
    t.Amend: a.AmendResult,
}


def _refused(fields: Sequence[Any]) -> e.Refused:
    at_ns, command, kind, result = fields
    cls = _CLASS[kind]
    return e.Refused(at_ns, _COMMANDS[cls](command), kind, _RESULTS[_RESULT_OF[cls]](result))


def _network_changed(fields: Sequence[Any]) -> n.NetworkChanged:
    at_ns, command, kind = fields
    return n.NetworkChanged(at_ns, _COMMANDS[_CLASS[kind]](command), kind)


def _decided(fields: Sequence[Any]) -> t.Decided:
    at_ns, command, kind, lines = fields
    return t.Decided(at_ns, _COMMANDS[_CLASS[kind]](command), kind, lines)


_EVENTS: dict[type, Decoder] = {
    e.Reserved: _nested(e.Reserved, command=_COMMANDS[c.Reserve]),
    e.Refused: _refused,
    e.Committed: _nested(e.Committed, command=_COMMANDS[c.Commit]),
    e.Extended: _nested(e.Extended, command=_COMMANDS[c.Extend]),
    e.Released: _nested(e.Released, command=_COMMANDS[c.Release]),
    e.Fulfilled: _nested(e.Fulfilled, command=_COMMANDS[c.Fulfil]),
    e.Expired: _plain(e.Expired),
    e.Moved: _nested(e.Moved, movement=_COMMANDS[c.Movement]),
    e.Counted: _nested(e.Counted, command=_COMMANDS[c.SetCount], result=_RESULTS[r.CountResult]),
    e.PolicySet: _nested(e.PolicySet, command=_COMMANDS[c.SetStockPolicy], shortages=_each(_SHORTAGE)),
    e.Configured: _nested(e.Configured, command=_COMMANDS[c.Configure]),
    e.ShortageFound: _plain(e.ShortageFound),
    e.Limited: _nested(e.Limited, limits=_plain(LedgerLimits)),
    e.SupplySet: _nested(e.SupplySet, command=_COMMANDS[c.SetSupply]),
    e.Filled: _plain(e.Filled),
    e.SupplyShort: _plain(e.SupplyShort),
    t.Opened: _nested(t.Opened, command=_COMMANDS[t.Open]),
    t.Amended: _nested(t.Amended, command=_COMMANDS[t.Amend]),
    t.Decided: _decided,
    t.PickupMissed: _plain(t.PickupMissed),
    t.Followed: _nested(t.Followed, command=_COMMANDS[t.Follow]),
    t.Confirmed: _plain(t.Confirmed),
    t.Told: _nested(t.Told, rows=_DONE),
    t.Voided: _plain(t.Voided),
    n.NetworkChanged: _network_changed,
}

_CLASS: dict[int, type] = {kind: cls for cls, kind in KIND.items()}
_DECODE: dict[int, Decoder] = {KIND[cls]: d for cls, d in (_COMMANDS | _RESULTS | _EVENTS).items()}


def open_command(fields: Sequence[Any]) -> t.Open:
    """The Open that a header in a snapshot was made by."""
    return cast("t.Open", _COMMANDS[t.Open](fields))


def tagged(value: tuple[Any, ...]) -> tuple[Any, ...]:
    """A command, result or event as the array that goes on the wire."""
    return (KIND[type(value)], *value)


def untagged(array: Sequence[Any]) -> Any:  # noqa: ANN401  # a command, result or event, by its tag
    """The command, result or event that `tagged` made into `array`."""
    return _DECODE[array[0]](array[1:])


def packer() -> Callable[[object], bytes]:
    """A `pack` for one thread at a time: `pack` makes a buffer each time, which costs more than small values do."""
    return cast("Callable[[object], bytes]", msgpack.Packer().pack)


def pack(value: object) -> bytes:
    """Msgpack bytes of plain values and (untagged) tuples."""
    return cast("bytes", msgpack.packb(value))


def unpack(data: bytes) -> Any:  # noqa: ANN401  # whatever was packed, arrays as tuples
    """The values in msgpack bytes, arrays as tuples."""
    return msgpack.unpackb(data, use_list=False, strict_map_key=False)


def encode_command(command: c.Command) -> bytes:
    """A command as bytes."""
    return pack(tagged(command))


def decode_command(data: bytes) -> c.Command:
    """The command in `data`."""
    return cast("c.Command", untagged(unpack(data)))


def encode_result(result: r.Result) -> bytes:
    """A result as bytes."""
    return pack(tagged(result))


def decode_result(data: bytes) -> r.Result:
    """The result in `data`."""
    return cast("r.Result", untagged(unpack(data)))


def pack_events(events: Iterable[e.Event]) -> bytes:
    """Events as bytes, in order."""
    return pack([tagged(event) for event in events])


def unpack_events(data: bytes) -> list[e.Event]:
    """The events in `data`, in order."""
    return [untagged(array) for array in unpack(data)]


Record = tuple["e.Event", str, str]
"""An event with the correlation id and the W3C traceparent of the call that caused it ("" when none did)."""


def pack_record(record: Record, packed: Callable[[object], bytes] = pack) -> bytes:
    """One record, to be joined with others by `join_records`; `packed` is `pack`, or a `packer()`."""
    event, correlation_id, traceparent = record
    return packed(((KIND[type(event)], *event), correlation_id, traceparent))


def join_records(packed: Sequence[bytes]) -> bytes:
    """One journal entry from records that are packed already."""
    return cast("bytes", msgpack.Packer().pack_array_header(len(packed))) + b"".join(packed)


def pack_batch(records: Iterable[Record]) -> bytes:
    """One journal entry: the events of a batch, in order, with the call behind each."""
    return join_records([pack_record(record) for record in records])


def unpack_batch(data: bytes) -> list[Record]:
    """The records of a journal entry."""
    return [(untagged(array), correlation_id, traceparent) for array, correlation_id, traceparent in unpack(data)]
