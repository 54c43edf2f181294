"""A gateway: has the conversations of `core.protocol.coordinator`, and dies in the middle of them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, NamedTuple

from allocator.core import codec
from allocator.core.protocol.coordinator import carry
from tests.simulation.world import S

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from allocator.core.protocol.types import Follow
    from tests.simulation.history import History
    from tests.simulation.network import Network
    from tests.simulation.node import Place
    from tests.simulation.world import World

TIMEOUT_NS = 3 * S
"""How long a gateway waits for an answer of a ledger before it counts as lost."""


class Reply(NamedTuple):
    """What a call ends with: the result of the ledger that decided it, None when an answer was lost."""

    result: Any
    home: str = ""
    owed: Sequence[tuple[str, Follow]] = ()


class Gateway:
    """One process that speaks for callers.

    Attributes:
        life: which incarnation of it this is; conversations of an earlier one are gone.
        frail: probability that it dies at a step of a conversation.
    """

    def __init__(self, world: World, network: Network, history: History, name: str, places: dict[str, Place]) -> None:
        self._world = world
        self._network = network
        self._history = history
        self._places = places
        self._numbers = itertools.count()
        self.name = name
        self.life = 0
        self.frail = 0.0

    def token(self) -> str:
        """A token that no conversation had before."""
        return f"{self.name}.{next(self._numbers)}."

    def die(self) -> None:
        """Forget all conversations; calls under way go on by themselves."""
        self._world.note(self.name, "dies")
        self.life += 1

    def serve(self, script: Generator[Any, Any, Reply], answer: Callable[[Any], None]) -> None:
        """Have the conversation of a call, answer it, and carry what the decision owes to participants."""

        def done(reply: Reply) -> None:
            answer(reply.result)
            if reply.owed:
                self._advance(carry(reply.owed), None, lambda confirms: self._confirm(reply.home, confirms), self.life)

        self._advance(script, None, done, self.life)

    def _confirm(self, home: str, confirms: Sequence[Any]) -> None:
        for confirm in confirms:
            self._call(home, confirm, lambda _: None)

    def _advance(self, script: Generator[Any, Any, Any], answers: Any, done: Callable[[Any], None], life: int) -> None:  # noqa: ANN401
        """Take a conversation one round further."""
        if self._world.chance(self.frail):
            self.die()
        if life != self.life:
            return
        try:
            calls = script.send(answers)
        except StopIteration as end:
            done(end.value)
            return
        self._round(list(calls), lambda heard: self._advance(script, heard, done, life))

    def _round(self, calls: list[tuple[str, Any]], done: Callable[[list[Any]], None]) -> None:
        """Make calls at once; goes on when all are answered, or after the timeout."""
        answers: dict[int, Any] = {}
        over: list[bool] = []

        def finish() -> None:
            if not over:
                over.append(True)
                done([answers.get(n) for n in range(len(calls))])

        def answered(n: int, result: Any) -> None:  # noqa: ANN401  # any result
            answers.setdefault(n, result)
            if len(answers) == len(calls):
                finish()

        for n, (location, command) in enumerate(calls):
            self._call(location, command, lambda result, n=n: answered(n, result))  # type: ignore[misc]  # its own n
        self._world.after(TIMEOUT_NS, finish)

    def _call(self, location: str, command: Any, answered: Callable[[Any], None]) -> None:  # noqa: ANN401
        data = codec.pack(codec.tagged(command))
        place = self._places[location]
        self._world.note(self.name, "calls", location, command)
        self._history.invoked(location, command)

        def heard(answer: bytes) -> None:
            result = codec.decode_result(answer)
            self._history.responded(location, command)
            answered(result)

        self._network.call(self.name, location, lambda reply: place.handle(data, reply), heard)
