"""What happened at a location: the journal's vocabulary. Applying the same events gives the same ledger.

An event carries the command that asked for it, so the idempotency table is nothing but events: the first result is
read back from them, and a reused request id is compared with them field by field.
"""

from __future__ import annotations

from typing import NamedTuple

from allocator.core.commands import (
    Commit,
    Configure,
    Extend,
    Fulfil,
    Lines,
    Movement,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
    SetSupply,
)
from allocator.core.limits import LedgerLimits
from allocator.core.protocol import types as t
from allocator.core.results import CountResult, Shortage


class Reserved(NamedTuple):
    """Units are held until `at_ns + command.ttl_ns`; `granted` is empty when all lines were granted whole.

    `waiting` of the units granted are held of what is expected.
    """

    at_ns: int
    command: Reserve
    granted: Lines = ()
    waiting: Lines = ()


class Refused(NamedTuple):
    """A business refusal, remembered so that a repeat gets the same answer. `kind` is the command's wire tag."""

    at_ns: int
    command: tuple  # type: ignore[type-arg]  # any writing command, see `kind`
    kind: int
    result: tuple  # type: ignore[type-arg]  # the result of that command


class Committed(NamedTuple):
    """Held units became committed."""

    at_ns: int
    command: Commit


class Extended(NamedTuple):
    """The hold now ends at `at_ns + command.ttl_ns`."""

    at_ns: int
    command: Extend


class Released(NamedTuple):
    """The units in `lines` are available again."""

    at_ns: int
    command: Release
    lines: Lines


class Fulfilled(NamedTuple):
    """The units in `lines` left: on_hand and committed went down."""

    at_ns: int
    command: Fulfil
    lines: Lines


class Expired(NamedTuple):
    """A hold ran out; the units in `lines` are available again."""

    at_ns: int
    reservation: str
    lines: Lines


class Moved(NamedTuple):
    """A movement was recorded: on_hand changed by `delta` (0 when a later count has it already).

    `fulfilled` of its units belong to the movement's reservation.
    """

    at_ns: int
    movement: Movement
    delta: int
    fulfilled: int = 0


class Counted(NamedTuple):
    """Counts were set; the result tells on_hand of each line before and after."""

    at_ns: int
    command: SetCount
    result: CountResult


class PolicySet(NamedTuple):
    """Stock policy changed; disposition moves may have left shortages."""

    at_ns: int
    command: SetStockPolicy
    shortages: tuple[Shortage, ...] = ()


class Configured(NamedTuple):
    """Settings of the location changed."""

    at_ns: int
    command: Configure


class ShortageFound(NamedTuple):
    """A movement left less than is promised; names the newest reservations at risk. Changes no counter."""

    at_ns: int
    sku: str
    missing: int
    reservations: tuple[str, ...]
    at_risk: int


class Limited(NamedTuple):
    """The bounds of the location's tables changed: journaled, so that a replay forgets what the live ledger forgot."""

    at_ns: int
    limits: LedgerLimits


class SupplySet(NamedTuple):
    """Supplies were announced, or what was announced of them replaced."""

    at_ns: int
    command: SetSupply


class Filled(NamedTuple):
    """Waiting units of `sku` are held in stock now: (reservation, or hold of a part, units)."""

    at_ns: int
    sku: str
    parts: tuple[tuple[str, int], ...]


class SupplyShort(NamedTuple):
    """What is expected of `sku` does not cover what was promised of it on some date.

    Attributes:
        at_ns: when that was noticed.
        sku: which.
        supply: what came late, short or not at all; "" when it was something else, such as a loss of stock. After a
            restart it may be one that was late before.
        missing: units missing on the worst date; 0: what was told before is over.
        reservations: the newest of those promised until then, as many as cover `missing`.
        at_risk: how many reservations are promised until then.
    """

    at_ns: int
    sku: str
    supply: str
    missing: int
    reservations: tuple[str, ...]
    at_risk: int


Event = (
    Reserved
    | Refused
    | Committed
    | Extended
    | Released
    | Fulfilled
    | Expired
    | Moved
    | Counted
    | PolicySet
    | Configured
    | ShortageFound
    | Limited
    | SupplySet
    | Filled
    | SupplyShort
    | t.Opened
    | t.Amended
    | t.Decided
    | t.PickupMissed
    | t.Followed
    | t.Confirmed
    | t.Told
    | t.Voided
)
Remembered = (
    Reserved
    | Refused
    | Committed
    | Extended
    | Released
    | Fulfilled
    | Counted
    | PolicySet
    | Configured
    | SupplySet
    | t.Opened
    | t.Amended
    | t.Decided
)
"""Events that answer a command with a request id."""
