"""What a gateway does for one call over several locations: hold, have the home conclude, carry the first news.

Conversations are generators: they yield rounds of calls `(location, command)` to be made at once and are sent the
answers in the same order, `None` for one that was lost on the way (it may have happened). The shell does the I/O; so
does the simulator.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.core.commands import Lines, Policy, Reserve
from allocator.core.protocol.answers import AmendResult, Heard, OpenResult, OpenStatus
from allocator.core.protocol.types import (
    DROPPED,
    Amend,
    Ask,
    Confirm,
    Follow,
    Open,
    PartSpec,
    hold_id,
    reservation_of,
)
from allocator.core.results import Reason, Rejected, ReserveResult, State, TransitionResult

if TYPE_CHECKING:
    from allocator.core.commands import PlacedLines, Transition

Round = Sequence[tuple[str, Any]]
Answers = Sequence[Any]

ATTEMPTS_MAX: Final = 8
"""Plans that one call tries at most."""


_OF_LOCATIONS: Final = frozenset(
    (Reason.RECOVERING, Reason.TABLE_FULL, Reason.LOCATION_UNKNOWN, Reason.JOURNAL_DAMAGED, Reason.SKU_UNKNOWN)
)


class Wanted(NamedTuple):
    """Units to hold at one location."""

    location: str
    lines: Lines


class Terms(NamedTuple):
    """What all parts of one reservation have in common.

    `sourced`: the caller leaves the locations to us, so one that is away is passed over like one that says no.
    """

    reservation: str
    home: str
    ttl_ns: int
    channel: str = ""
    order: str = ""
    policy: int = Policy.ALL_OR_NOTHING
    pick_at_ns: int = 0
    promise_by_ns: int = 0
    sourced: bool = False


class Holds(NamedTuple):
    """One attempt to hold: each call with its answer."""

    calls: tuple[tuple[str, Reserve], ...] = ()
    answers: tuple[ReserveResult | Rejected | None, ...] = ()

    @property
    def lost(self) -> bool:
        """Whether an answer was lost on the way."""
        return any(answer is None for answer in self.answers)

    @property
    def error(self) -> tuple[str, Rejected] | None:
        """The first error, which is not a refusal, and where."""
        for (location, _), answer in zip(self.calls, self.answers, strict=True):
            if isinstance(answer, Rejected):
                return location, answer
        return None

    @property
    def whole(self) -> bool:
        """Whether every location held all it was asked for."""
        return all(isinstance(answer, ReserveResult) and _whole(answer) for answer in self.answers)

    @property
    def parts(self) -> tuple[PartSpec, ...]:
        """The parts that are held."""
        found = (_part(*call, answer) for call, answer in zip(self.calls, self.answers, strict=True))
        return tuple(part for part in found if part is not None)


class Concluded(NamedTuple):
    """The end of a conversation: the home's result, or `error` (and where), or neither when an answer was lost.

    `holds` is the attempt that the result is about, if it is about one of ours and not of an earlier call.
    """

    result: OpenResult | AmendResult | None = None
    holds: Holds | None = None
    error: tuple[str, Rejected] | None = None


Planner = Callable[[Sequence[Holds]], Sequence[Wanted]]
"""The units to hold next, given the attempts refused so far; none when there is nothing left to try."""
Conclusion = Callable[[Holds | None], "Open | Amend"]
"""What the home is to decide about an attempt that is held, or about none: then the call is refused."""


def settle(terms: Terms, plan: Planner, conclude: Conclusion, token: str) -> Generator[Round, Answers, Concluded]:
    """Hold by one plan after the other until one is held, then have the home conclude it.

    All or nothing: what a refused attempt held is given back before the next begins. A call that finds nothing to hold
    is concluded by the home as well, so that a repeat gets the first answer. `token` is new for each call.
    """
    refused: list[Holds] = []
    void = False
    for attempt in range(ATTEMPTS_MAX):
        wanted = plan(refused)
        if not wanted:
            break
        holds = yield from _hold(terms, wanted, f"{token}{attempt}")
        failed = holds.lost or holds.error is not None
        if failed and not (terms.sourced and _elsewhere(holds)):
            yield from _drop(holds)
            return Concluded(error=None if holds.lost else holds.error)
        if failed or not (holds.whole or (terms.policy == Policy.PARTIAL and holds.parts)):
            yield from _drop(holds)
            refused.append(holds)
            continue
        concluded = yield from _conclude(terms.home, conclude(holds), holds)
        if concluded is not None:
            return concluded
        void = True
    if void and not refused:  # nobody said no: whoever asks again may have it
        return Concluded()
    return (yield from _refuse(terms.home, conclude(None)))


def transition(home: str, command: Transition) -> Generator[Round, Answers, TransitionResult | Rejected | None]:
    """Have the home decide a commit, extend, release or fulfil."""
    (answer,) = yield [(home, command)]
    result: TransitionResult | Rejected | None = answer
    return result


def carry(owed: Sequence[tuple[str, Follow]]) -> Generator[Round, Answers, tuple[Confirm, ...]]:
    """Bring the home's decision to the participants; returns what to tell the home of those that followed.

    This is only the first attempt: the home repeats what is not confirmed.
    """
    if not owed:
        return ()
    answers = yield list(owed)
    followed = (follow for (_, follow), answer in zip(owed, answers, strict=True) if _followed(answer))
    return tuple(Confirm(reservation_of(follow.hold), follow.hold, follow.seq) for follow in followed)


def placed(parts: Sequence[PartSpec]) -> PlacedLines:
    """The units of parts with their locations."""
    return tuple((sku, units, part.location) for part in parts for sku, units in part.lines)


def _hold(terms: Terms, wanted: Sequence[Wanted], token: str) -> Generator[Round, Answers, Holds]:
    """Hold at every location at once."""
    calls = [(want.location, _reserve(terms, want, f"{token}.{n}")) for n, want in enumerate(wanted)]
    answers = yield calls
    return Holds(tuple(calls), tuple(answers))


def _drop(holds: Holds) -> Generator[Round, Answers, None]:
    """Give back what was held and will not be opened. A part that does not hear of it asks its home and learns."""
    yield [(location, Follow(command.reservation, DROPPED, State.RELEASED)) for location, command in holds.calls]


def _conclude(home: str, command: Open | Amend, holds: Holds) -> Generator[Round, Answers, Concluded | None]:
    """Have the home conclude an attempt; None when it gave a part up meanwhile, so that it has to be held anew."""
    (result,) = yield [(home, command)]
    if result is None:  # it may have been concluded, so nothing is given back here
        return Concluded()
    if isinstance(result, (OpenResult, AmendResult)) and result.parts == command.parts:
        return Concluded(result, holds)
    if _void(result):
        yield from _drop(holds)
        return None
    if isinstance(result, Rejected):
        yield from _give_up(home, command.reservation, holds)
        return Concluded(error=(home, result))
    yield from _drop(holds)
    return Concluded(result)


def _give_up(home: str, reservation: str, holds: Holds) -> Generator[Round, Answers, None]:
    """Give back what was held unless the home has concluded it all the same.

    An error is not remembered, so the same message may have come twice and been taken the other time: only the home
    can tell. A home that is away is asked by the parts themselves.
    """
    answers = yield [(home, Ask(reservation, part.reservation, location)) for location, part in holds.calls]
    pairs = zip(holds.calls, answers, strict=True)
    told = [(call[0], answer.follow) for call, answer in pairs if isinstance(answer, Heard) and answer.follow]
    if told:
        yield told


def _refuse(home: str, command: Open | Amend) -> Generator[Round, Answers, Concluded]:
    (result,) = yield [(home, command)]
    return Concluded(error=(home, result)) if isinstance(result, Rejected) else Concluded(result)


def _elsewhere(holds: Holds) -> bool:
    """Whether what went wrong is of the locations, so that others may do."""
    rejected = (answer for answer in holds.answers if isinstance(answer, Rejected))
    return all(answer.reason in _OF_LOCATIONS for answer in rejected)


def _void(result: OpenResult | AmendResult | Rejected) -> bool:
    if isinstance(result, Rejected):
        return result.reason == Reason.VOID
    return isinstance(result, OpenResult) and result.status == OpenStatus.VOID


def _reserve(terms: Terms, want: Wanted, token: str) -> Reserve:
    name = hold_id(terms.reservation, token)
    return Reserve(
        request_id=name,
        reservation=name,
        lines=want.lines,
        ttl_ns=terms.ttl_ns,
        channel=terms.channel,
        policy=terms.policy,
        order=terms.order,
        pick_at_ns=terms.pick_at_ns,
        home=terms.home,
        elsewhere=True,
        promise_by_ns=terms.promise_by_ns,
    )


def _part(location: str, command: Reserve, answer: object) -> PartSpec | None:
    if not isinstance(answer, ReserveResult):
        return None
    lines = tuple((line.sku, line.held) for line in answer.lines if line.held)
    waiting = tuple((line.sku, line.waiting) for line in answer.lines if line.waiting)
    return PartSpec(command.reservation, location, lines, waiting) if lines else None


def _whole(answer: ReserveResult) -> bool:
    return all(line.held == line.requested for line in answer.lines)


def _followed(answer: object) -> bool:
    return answer is not None and not isinstance(answer, Rejected)
