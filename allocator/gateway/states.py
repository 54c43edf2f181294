"""What is told with each read: which versions it is based on, and how fresh they are."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from allocator.gateway.names import location_name
from allocator.gateway.times import age
from allocator.gateway.wire import bytes_field, bytes_tag, counted, varint

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.gateway.scope import Scope
    from allocator.runtime.read_model import AvailabilityModel

STATE_AGE_MAX_S: Final = 0.004
"""How long told ages are told again as they were: they are off by this at most. An actor is heard of each second."""
_SCOPES_MAX: Final = 256


class _State:
    """The state of one scope as it was told last; `versions` is empty when one has moved since."""

    __slots__ = ("ages", "at_s", "told", "versions")

    def __init__(self) -> None:
        self.versions = b""
        self.ages = b""
        self.told = b""
        self.at_s = float("-inf")


class StateTeller:
    """Tells versions and ages of a scope, serialised.

    That is as much work as the answer itself, and the same for all answers of a moment: it is kept until a version of
    the scope moves or `STATE_AGE_MAX_S` is over.

    Args:
        model: what is read.
        versions: number of the field of `LocationVersion` in the answer.
        ages: number of the field of `LocationAge`, the one behind it.
        monotonic_s: clock, seconds.
    """

    def __init__(
        self, model: AvailabilityModel, versions: int, ages: int, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._model = model
        self._monotonic_s = monotonic_s
        self._versions_field = versions
        self._ages_field = ages
        self._states: dict[Scope, _State] = {}
        self._by_location: dict[str, list[_State]] = {}
        self._versions: dict[str, bytes] = {}
        model.listeners.append(self._moved)

    def tell(self, scope: Scope) -> bytes:
        """Both fields, in the order of `scope`."""
        now_s = self._monotonic_s()
        state = self._states.get(scope) or self._add(scope)
        stale = now_s - state.at_s > STATE_AGE_MAX_S
        if stale or not state.versions:
            if stale:
                state.ages = self._ages(scope)
                state.at_s = now_s
            if not state.versions:
                known = self._versions
                state.versions = b"".join([known.get(name) or self._version(name) for name in scope.locations])
            state.told = state.versions + state.ages
        return state.told

    def _add(self, scope: Scope) -> _State:
        if len(self._states) >= _SCOPES_MAX:
            self._states.clear()
            self._by_location.clear()
        state = self._states[scope] = _State()
        for location in scope.locations:
            self._by_location.setdefault(location, []).append(state)
        return state

    def _version(self, location: str) -> bytes:
        version = self._model.version(location) or 0
        told = self._versions[location] = counted(self._versions_field, location_name(location)).field(version)
        return told

    def _ages(self, scope: Scope) -> bytes:
        seconds = self._model.ages_s(scope.columns).tolist()
        told = {length_s: bytes_field(2, age(length_s).SerializeToString()) for length_s in set(seconds)}
        parts: list[bytes] = []
        tag = bytes_tag(self._ages_field)
        for name, length_s in zip(scope.name_fields, seconds, strict=True):
            told_age = told[length_s]
            parts += (tag, varint(len(name) + len(told_age)), name, told_age)
        return b"".join(parts)

    def _moved(self, location: str, rows: object) -> None:  # noqa: ARG002  # a listener of the model
        self._versions.pop(location, None)
        for state in self._by_location.get(location, ()):
            state.versions = b""
