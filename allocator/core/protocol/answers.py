"""What a home answers to the messages of the protocol."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from allocator.core.protocol.types import Follow, PartSpec
from allocator.core.results import ReservationView


class OpenStatus(IntEnum):
    """Outcome of an Open."""

    OPENED = 1
    REFUSED = 2
    VOID = 3


class OpenResult(NamedTuple):
    """Answer to Open. With `repeated`, status, parts and answer are the first ones.

    VOID: a part was given up meanwhile and nothing was remembered; hold anew under another token.
    """

    status: int
    reservation: str
    created_ns: int = 0
    expires_ns: int = 0
    parts: tuple[PartSpec, ...] = ()
    answer: bytes = b""
    repeated: bool = False
    pick_until_ns: int = 0


class AmendResult(NamedTuple):
    """Answer to Amend: DONE or a refusal by the reservation's state; `owed` is to be told to participants."""

    status: int
    parts: tuple[PartSpec, ...] = ()
    answer: bytes = b""
    view: ReservationView | None = None
    owed: tuple[tuple[str, Follow], ...] = ()
    repeated: bool = False


class Heard(NamedTuple):
    """Answer to Follow, Confirm and Ask: what the part should follow, if that was asked."""

    follow: Follow | None = None


Outcome = OpenResult | AmendResult | Heard
"""Answers of the protocol."""
