"""Callers: they retry under the same request id, through another gateway, and sometimes give up."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from allocator.core.results import Reason, Rejected
from tests.simulation.world import MS, S

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.simulation.gateway import Gateway
    from tests.simulation.network import Network
    from tests.simulation.scripts import Script
    from tests.simulation.world import World

PATIENCE_NS = 8 * S
"""How long a caller waits before it tries another gateway."""
ATTEMPTS_MAX = 6


class Call(NamedTuple):
    """One call as its caller means it, however often it is made.

    `make` starts a conversation for it, given a token; `learn` takes its first answer.
    """

    name: str
    home: str
    make: Callable[[str], Script]
    learn: Callable[[Any], None]


class Judge(Protocol):
    """Who hears the answers that callers get: the oracle."""

    def answered(self, call: Call, result: Any) -> None:  # noqa: ANN401  # any result
        """A caller was answered."""


class Callers:
    """Everybody who calls."""

    def __init__(self, world: World, network: Network, gateways: Sequence[Gateway], judge: Judge) -> None:
        self._world = world
        self._network = network
        self._gateways = gateways
        self._judge = judge

    def submit(self, call: Call, attempt: int = 1) -> None:
        """Make a call through some gateway, and again until it is answered or its caller gives up."""
        world, gateway = self._world, self._world.random.choice(self._gateways)
        answers: list[Any] = []
        world.note("caller", "asks", gateway.name, call.name, "attempt", attempt)

        def answered(result: Any) -> None:  # noqa: ANN401  # any result
            self._network.send(gateway.name, "caller", lambda: got(result))

        def got(result: Any) -> None:  # noqa: ANN401  # any result
            if answers or result is None or self._in_vain(result):
                return
            answers.append(result)
            world.note("caller", "got", call.name, result)
            self._judge.answered(call, result)
            call.learn(result)
            if world.chance(0.05):  # it forgets that it knows
                world.after(world.between(10 * MS, 20 * S), lambda: self.submit(call, ATTEMPTS_MAX))

        def again() -> None:
            if not answers and attempt < ATTEMPTS_MAX and not world.chance(0.1):
                self.submit(call, attempt + 1)

        self._network.send("caller", gateway.name, lambda: gateway.serve(call.make(gateway.token()), answered))
        world.after(PATIENCE_NS if world.chance(0.8) else world.between(5 * MS, PATIENCE_NS), again)

    def _in_vain(self, result: Any) -> bool:  # noqa: ANN401  # any result
        return isinstance(result, Rejected) and result.reason in (Reason.RECOVERING, Reason.VOID)
