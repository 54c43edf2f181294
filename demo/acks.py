"""What the service acknowledged, as the clients tell it: one JSON object per line."""

from __future__ import annotations

from typing import Annotated, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

Units = tuple[tuple[str, int], ...]
"""Units by SKU, as pairs."""
PlacedUnits = tuple[tuple[str, str, int], ...]
"""SKU, location and units."""


class Parcel(NamedTuple):
    """What one location sends for an order.

    Attributes:
        location: where from.
        units: in it.
        cost_micros: of transport, in millionths of the network's currency.
        days: from the order to its delivery.
    """

    location: str
    units: int
    cost_micros: int
    days: int


class _Ack(BaseModel):
    model_config = ConfigDict(frozen=True)


class Grant(_Ack):
    """The answer to an allocate.

    Attributes:
        order: the order reference.
        reservation: its name; "" when it was refused.
        channel: that was asked on.
        lines: units held.
        parcels: they are planned to go in.
        expires_s: when the hold ends unless it is committed, seconds since 1970 UTC; 0 when it was refused.
        latency_ms: from the call to the answer, retries and waits included.
    """

    kind: Literal["grant"] = "grant"
    order: str
    reservation: str = ""
    channel: str = ""
    lines: PlacedUnits = ()
    parcels: tuple[Parcel, ...] = ()
    expires_s: float = 0.0
    latency_ms: float


class Turn(_Ack):
    """A reservation took a turn: `lines` are the units that were released or fulfilled."""

    kind: Literal["turn"] = "turn"
    turn: Literal["commit", "release", "fulfil", "expire"]
    reservation: str
    lines: PlacedUnits = ()


class Return(_Ack):
    """Returned units were recorded at a location."""

    kind: Literal["return"] = "return"
    location: str
    lines: Units


class Played(_Ack):
    """An order had its answers.

    Attributes:
        order: the order reference.
        lines: of the order.
        whole: of these, those that are held whole, be it at several locations.
        allocates: calls it took.
    """

    kind: Literal["played"] = "played"
    order: str
    lines: int
    whole: int
    allocates: int


class Finished(_Ack):
    """A client process has no order left to play or to ship; `retries` is how often it sent a call again."""

    kind: Literal["finished"] = "finished"
    retries: int


Ack = Grant | Turn | Return | Played | Finished
_ACK: Final[TypeAdapter[Ack]] = TypeAdapter(Annotated[Ack, Field(discriminator="kind")])


def read_ack(line: bytes) -> Ack:
    """Read one line."""
    return _ACK.validate_json(line)


def write_ack(ack: Ack) -> bytes:
    """Write one line."""
    return ack.model_dump_json().encode() + b"\n"
