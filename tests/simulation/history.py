"""When calls were made and answered, in true time: what the linearizability check goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allocator.core.commands import Movement
from allocator.core.protocol.types import Ask, Confirm, Follow

if TYPE_CHECKING:
    from tests.simulation.world import World

Key = tuple[str, str]
"""(location, what tells a call from others and its repeats from nothing)."""

_TOLD = (Follow, Confirm, Ask)


def key_of(location: str, command: Any) -> Key | None:  # noqa: ANN401  # any command
    """What a call and its repeats have in common; None for messages, which nobody waits for."""
    if isinstance(command, _TOLD):
        return None
    return location, f"{command.source}/{command.movement_id}" if isinstance(command, Movement) else command[0]


class History:
    """Invocations and responses as callers saw them, and when each batch was executed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.first_call_ns: dict[Key, int] = {}
        self.first_answer_ns: dict[Key, int] = {}
        self.executed_ns: dict[tuple[str, int, int], int] = {}

    def invoked(self, location: str, command: Any) -> None:  # noqa: ANN401
        """A call leaves its caller."""
        key = key_of(location, command)
        if key is not None:
            self.first_call_ns.setdefault(key, self._world.now_ns)

    def responded(self, location: str, command: Any) -> None:  # noqa: ANN401
        """Its answer arrives."""
        key = key_of(location, command)
        if key is not None:
            self.first_answer_ns.setdefault(key, self._world.now_ns)

    def executed(self, location: str, epoch: int, version: int) -> None:
        """A batch was executed, and is not durable yet."""
        self.executed_ns[location, epoch, version] = self._world.now_ns
