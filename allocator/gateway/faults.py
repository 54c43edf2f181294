"""What is wrong with a request, field by field, collected so that callers see several faults at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allocator.core.ids import ID_PATTERN, is_id, is_request_id
from allocator.core.limits import REQUEST_ID_LENGTH_MAX
from allocator.gateway.errors import Violation, invalid
from allocator.gateway.names import LOCATIONS, id_in
from allocator.gateway.times import length_ns_of, ns_of

if TYPE_CHECKING:
    from collections.abc import Collection

    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.timestamp_pb2 import Timestamp

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SHOWN_MAX: Final = 40


def has_control(text: str) -> bool:
    """Whether `text` has a control character."""
    return _CONTROL.search(text) is not None


class Faults:
    """Collects faults; `check` raises them all.

    The methods named after a kind of field check one value and return what it means, or something harmless when it
    is wrong.
    """

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Violation] = []

    def add(self, field: str, description: str) -> None:
        """Note a fault."""
        self.found.append(Violation(field, description))

    def check(self) -> None:
        """Raise an INVALID `ApiError` when there are faults."""
        if self.found:
            raise invalid(*self.found)

    def id(self, field: str, value: str) -> str:
        """An id that must be there."""
        if not is_id(value):
            self.add(field, f"{_shown(value)} is not an id; it must match {ID_PATTERN}")
        return value

    def optional_id(self, field: str, value: str) -> str:
        """An id that may be empty."""
        return self.id(field, value) if value else value

    def request_id(self, value: str) -> str:
        """A request id, which may be empty."""
        if value and not is_request_id(value):
            self.add("request_id", f"{_shown(value)} is not an id of up to {REQUEST_ID_LENGTH_MAX} characters")
        return value

    def name(self, field: str, value: str, collection: str = LOCATIONS) -> str:
        """The id in the name of a resource that must be there."""
        found = id_in(value, collection)
        if found is None:
            self.add(field, f"{_shown(value)} is not a name; it must be {collection} and an id ({ID_PATTERN})")
        return found or ""

    def text(self, field: str, value: str, most: int) -> str:
        """Free text of up to `most` characters; may be empty."""
        if len(value) > most:
            self.add(field, f"{len(value)} characters; at most {most} are allowed")
        elif has_control(value):
            self.add(field, "control characters are not allowed")
        return value

    def units(self, field: str, value: int, least: int, most: int) -> int:
        """A whole number within bounds."""
        if not least <= value <= most:
            self.add(field, f"{value}; {least} to {most} are allowed")
        return value

    def choice(self, field: str, value: int, allowed: Collection[int]) -> int:
        """A value of an enum."""
        if value not in allowed:
            self.add(field, f"{value} is not one of the values it may have")
        return value

    def time(self, field: str, stamp: Timestamp) -> int:
        """A time between 1970 and 2200, ns since 1970 UTC."""
        at_ns = ns_of(stamp)
        if at_ns is None:
            self.add(field, "it must be between 1970 and 2200")
        return at_ns or 0

    def length(self, field: str, length: Duration, least_s: int, most_s: int) -> int:
        """A length of time within bounds, ns."""
        length_ns = length_ns_of(length)
        if length_ns is None or not least_s * 10**9 <= length_ns <= most_s * 10**9:
            told = f"{length_ns / 1e9:g} s" if length_ns is not None else "malformed"
            self.add(field, f"{told}; {least_s} s to {most_s} s are allowed")
        return length_ns or 0


def _shown(value: str) -> str:
    return repr(value if len(value) <= _SHOWN_MAX else value[:_SHOWN_MAX] + "...")
