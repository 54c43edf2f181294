"""What a gateway does for each kind of call: the conversations of `core.protocol.coordinator`, ending in a reply."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

from allocator.core.commands import Transition
from allocator.core.protocol.coordinator import Concluded, Holds, Terms, Wanted, settle, transition
from allocator.core.protocol.types import Amend, Asked, Move, Open
from allocator.core.results import TransitionResult
from tests.simulation.gateway import Reply

Script = Generator[Any, Any, Reply]
Plans = Sequence[Sequence[Wanted]]


def plain(location: str, command: Any) -> Script:  # noqa: ANN401  # any command
    """One call to one location."""
    (answer,) = yield [(location, command)]
    return Reply(answer)


def decide(home: str, command: Transition) -> Script:
    """A commit, extend, release or fulfil."""
    answer = yield from transition(home, command)
    return Reply(answer, home, answer.owed if isinstance(answer, TransitionResult) else ())


def reserve(terms: Terms, plans: Plans, request_id: str, pick_until_ns: int, token: str) -> Script:
    """Hold by the first plan that can be held, and open the reservation over it."""
    asked: Asked = (("plans", repr(plans)),)

    def conclude(holds: Holds | None) -> Open:
        parts = holds.parts if holds is not None else ()
        return Open(
            request_id, terms.reservation, parts, terms.ttl_ns, terms.channel, terms.order, pick_until_ns, asked
        )

    return _reply(terms.home, (yield from settle(terms, by_turns(plans), conclude, token)))


def move(terms: Terms, plans: Plans, amend: Amend, token: str, *, whatever: bool) -> Script:
    """Take units out of parts, and in at other locations; `whatever` has them taken out even if no other has them."""

    def conclude(holds: Holds | None) -> Amend:
        if holds is not None:
            return amend._replace(parts=holds.parts)
        return amend if whatever else amend._replace(moves=(), full=())

    return _reply(terms.home, (yield from settle(terms, by_turns(plans), conclude, token)))


def by_turns(plans: Plans) -> Callable[[Sequence[Holds]], Sequence[Wanted]]:
    """Try one plan after the other."""
    return lambda refused: plans[len(refused)] if len(refused) < len(plans) else ()


def taken(moves: Sequence[Move]) -> dict[str, int]:
    """Units of each SKU that moves are about."""
    units: dict[str, int] = {}
    for one in moves:
        units[one.sku] = units.get(one.sku, 0) + one.quantity
    return units


def _reply(home: str, concluded: Concluded) -> Reply:
    if concluded.error is not None:
        return Reply(concluded.error[1], home)
    return Reply(concluded.result, home, getattr(concluded.result, "owed", ()))
