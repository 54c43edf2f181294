"""The messages of the protocol, what happened because of them, and what is answered.

A reservation over several locations is a *header* at its home and one *part* at each participant: a hold under an id
of its own, `{reservation}~{token}`. Locations speak to each other in states, not steps: `Follow` tells a part all that
became of it so far, so it may come late, twice or out of order.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple

from allocator.core.commands import Lines
from allocator.core.limits import NS_PER_S

ASK_GRACE_NS: Final = 10 * NS_PER_S
"""How long after the expiry it was told a part asks whether that still holds: what clocks may differ by."""
PARTS_MAX: Final = 1_000
"""Parts of one reservation, those that ended included."""
VOIDED_MAX: Final = 100_000
"""Parts remembered as given up before their header was opened."""
DROPPED: Final = 0
"""`Follow.seq` of the gateway that made a part and will not open its header."""
OPENED: Final = 1
"""`Follow.seq` of a part whose header was opened and not changed since."""
VOID: Final = 1 << 40
"""`Follow.seq` of a part whose home does not know it."""

Asked = tuple[tuple[str, str], ...]
"""The call as the caller made it, (field, value as text): a repeat must ask for the same."""


Taken = tuple[tuple[str, str, int, str], ...]
"""Units of parts: (hold, SKU, units, location)."""


class Fate(IntEnum):
    """What became of units of a part: places in `Done`."""

    FULFILLED = 0
    RELEASED = 1
    LOST = 2
    DAMAGED = 3


class Done(NamedTuple):
    """Units of one SKU of a part that are not open any more, by what became of them since the beginning.

    Lost and damaged ones were given back because the location did not have them, or not in a state to sell. `moved`
    of the fulfilled ones left by movements of the location, not because the home decided so.
    """

    sku: str
    fulfilled: int
    released: int
    lost: int = 0
    damaged: int = 0
    moved: int = 0


class PartSpec(NamedTuple):
    """Units that a participant holds. `waiting` of them wait for supply."""

    hold: str
    location: str
    lines: Lines
    waiting: Lines = ()


class Move(NamedTuple):
    """Open units of a part that leave it: to another location, or given back because of `fate`."""

    hold: str
    sku: str
    quantity: int
    fate: int = Fate.RELEASED


class Open(NamedTuple):
    """Gateway to home: all parts are held, so the reservation is made. Without parts: it was refused, remember that.

    `pick_until_ns` > 0 is the end of a pickup window: what is not fulfilled by then is given back. `answer` is
    what the caller is told, packed by the gateway; the home keeps it to answer a repeat.
    """

    request_id: str
    reservation: str
    parts: tuple[PartSpec, ...]
    ttl_ns: int
    channel: str = ""
    order: str = ""
    pick_until_ns: int = 0
    asked: Asked = ()
    answer: bytes = b""


class Amend(NamedTuple):
    """Gateway to home: move units out of parts and take in parts that are held already. Without either: refused.

    `full` names parts whose location said that it cannot pick any more in the part's capacity window.
    """

    request_id: str
    reservation: str
    moves: tuple[Move, ...] = ()
    parts: tuple[PartSpec, ...] = ()
    full: tuple[str, ...] = ()
    asked: Asked = ()
    answer: bytes = b""


class Follow(NamedTuple):
    """Home to participant: what became of a part so far. Greater `seq` is newer.

    `state` is HELD (until `expires_ns`), COMMITTED, or an end: then all that is still open goes back. `filled` are the
    units of which the home knows that they do not wait any longer.
    """

    hold: str
    seq: int
    state: int
    expires_ns: int = 0
    done: tuple[Done, ...] = ()
    full: bool = False
    filled: Lines = ()


class Confirm(NamedTuple):
    """To the home: the part has followed up to `seq`."""

    reservation: str
    hold: str
    seq: int


class Ask(NamedTuple):
    """Participant to home: what became of this part?

    `told` is what became of SKUs that movements of its own took, `filled` the units that waited and are in stock now.
    """

    reservation: str
    hold: str
    location: str
    told: tuple[Done, ...] = ()
    filled: Lines = ()


Message = Follow | Confirm | Ask


class Opened(NamedTuple):
    """The header was made; its reservation is held until `at_ns + command.ttl_ns`, or refused when it has no parts."""

    at_ns: int
    command: Open


class Amended(NamedTuple):
    """Units moved out of parts, and parts came in."""

    at_ns: int
    command: Amend


class Decided(NamedTuple):
    """The home decided a commit, extend, release or fulfil; `kind` is its wire tag."""

    at_ns: int
    command: tuple[Any, ...]
    kind: int
    lines: Taken = ()


class PickupMissed(NamedTuple):
    """A pickup window ended with units unpicked; they were given back."""

    at_ns: int
    reservation: str
    order: str
    lines: Taken


class Followed(NamedTuple):
    """A part followed its home; the units that changed because of it, by what became of them.

    `missed` are units of `released` that were declined as lost or damaged, (SKU, lost, damaged), but only waited for
    supply: there is no stock to correct for them.
    """

    at_ns: int
    command: Follow
    fulfilled: Lines = ()
    released: Lines = ()
    lost: Lines = ()
    damaged: Lines = ()
    missed: tuple[tuple[str, int, int], ...] = ()


class Confirmed(NamedTuple):
    """A part has followed up to `seq`."""

    at_ns: int
    reservation: str
    hold: str
    seq: int


class Told(NamedTuple):
    """A participant told its home what it did not know: see `Ask`."""

    at_ns: int
    reservation: str
    hold: str
    rows: tuple[Done, ...]
    filled: Lines = ()


class Voided(NamedTuple):
    """A part was given up that no header names; one that names it cannot be opened any more."""

    at_ns: int
    hold: str


def reservation_of(hold: str) -> str:
    """The reservation that a part belongs to. No id that callers choose has a tilde."""
    return hold.partition("~")[0]


def hold_id(reservation: str, token: str) -> str:
    """The id of a part; `token` is new for each attempt, so that a late message of an older one cannot touch it."""
    return f"{reservation}~{token}"
