"""Bugs to plant on purpose: each is a plausible mistake, and the simulator has to find it.

They replace functions of the core, or of the simulated host and disk, while one simulation runs.
"""
# ruff: noqa: SLF001  # a bug sits inside of things

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from allocator.core import ledger as ledgers
from allocator.core import snapshot
from allocator.core.commands import Commit, GetReservation
from allocator.core.events import Expired
from allocator.core.ledger import StockLedger
from allocator.core.protocol import coordinator, home, participant
from allocator.core.protocol import types as t
from allocator.core.protocol.answers import Heard
from allocator.core.protocol.headers import Header, HeaderBook
from allocator.core.results import ReservationPage, State
from allocator.core.stock import StockColumns
from tests.simulation import scripts
from tests.simulation.gateway import Gateway
from tests.simulation.node import Process
from tests.simulation.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Plant = Callable[[ExitStack], None]


class Bug(NamedTuple):
    """A bug: how to plant it, and how many seeds at most it takes to find it."""

    plant: Plant
    seeds_max: int


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Have a bug while the context lasts; "" is none."""
    with ExitStack() as stack:
        if name:
            BUGS[name].plant(stack)
        yield


def commit_at_participants_first(stack: ExitStack) -> None:
    """A gateway commits the parts, and has the home decide afterwards."""

    def transition(home_name: str, command: Any) -> Any:  # noqa: ANN401
        if isinstance(command, Commit):
            (page,) = yield [(home_name, GetReservation(command.reservation))]
            lines = page.rows[0].lines if isinstance(page, ReservationPage) else ()
            parts = {line.hold: line.location for line in lines if line.location}
            if parts:
                yield [(where, t.Follow(hold, t.OPENED + 1, State.COMMITTED)) for hold, where in parts.items()]
        (answer,) = yield [(home_name, command)]
        return answer

    _replace(stack, scripts, "transition", transition)


def dedupe_lost_on_restart(stack: ExitStack) -> None:
    """A snapshot leaves the answered request ids out."""
    _forget_in_snapshot(stack, requests=[])


def reply_before_fsync(stack: ExitStack) -> None:
    """A location answers what it has executed, and writes afterwards."""

    def at_once(process: Process, act: Callable[[], None]) -> None:
        act()
        process._sync()

    _replace(stack, Process, "once_durable", at_once)


def expire_without_asking(stack: ExitStack) -> None:
    """A participant gives its part back when its time seems to be over, and does not ask the home."""
    tick = StockLedger.tick

    def hasty(ledger: StockLedger, now_ns: int) -> list[Any]:
        events = tick(ledger, now_ns)
        for part in ledger.reservations.asking(now_ns):
            event = Expired(max(now_ns, ledger.clock_ns), part.id, part.open_lines())
            ledger.apply(event)
            events.append(event)
        return events

    _replace(stack, StockLedger, "tick", hasty)


def owing_lost_on_restart(stack: ExitStack) -> None:
    """A home forgets on restart whom it has to tell."""
    _forget_in_snapshot(stack, owing=[])
    add = HeaderBook.add

    def forgetful(book: HeaderBook, header: Header) -> None:
        before = dict(book.owing)
        add(book, header)
        book.owing = before

    def owed_by(book: HeaderBook, header: Header) -> Any:  # noqa: ANN401
        owing = (part for part in header.parts.values() if part.hold in book.owing)
        return tuple((part.location, header.follow(part)) for part in owing)

    _replace(stack, HeaderBook, "add", forgetful)
    _replace(stack, HeaderBook, "owed_by", owed_by)


def void_not_journaled(stack: ExitStack) -> None:
    """A home tells a part that it knows nothing of it, and does not remember that."""

    def decide_ask(ledger: StockLedger, command: t.Ask, now_ns: int) -> Any:  # noqa: ANN401
        part = home._part(ledger, command)
        return (Heard(), ()) if part is None else home.decide_ask(ledger, command, now_ns)

    _replace_entry(stack, ledgers._TOLD, t.Ask, decide_ask)


def drop_after_lost_open(stack: ExitStack) -> None:
    """A gateway that hears nothing from the home gives the parts back."""
    conclude = coordinator._conclude

    def hasty(home_name: str, command: Any, holds: Any) -> Any:  # noqa: ANN401
        concluded = yield from conclude(home_name, command, holds)
        if concluded is not None and concluded == coordinator.Concluded():
            yield from coordinator._drop(holds)
        return concluded

    _replace(stack, coordinator, "_conclude", hasty)


def token_reused(stack: ExitStack) -> None:
    """Every attempt to hold uses the same ids."""
    _replace(stack, Gateway, "token", lambda _: "same")


def follow_counts_again(stack: ExitStack) -> None:
    """A part takes what became of it in all for what became of it just now."""
    changes = participant._changes

    def again(part: Any, command: t.Follow) -> Any:  # noqa: ANN401
        with ExitStack() as inner:
            _replace(inner, type(part), "so_far", lambda _, sku: t.Done(sku, 0, 0))
            return changes(part, command)

    _replace(stack, participant, "_changes", again)


def zombie_without_fence(stack: ExitStack) -> None:
    """The disk takes entries of an epoch that is over."""
    _replace(stack, Storage, "check", lambda *_: None)


def snapshot_without_headers(stack: ExitStack) -> None:
    """A snapshot leaves the reservations over several locations out."""
    _forget_in_snapshot(stack, headers=[], headers_closed=[], owing=[])


def snapshot_without_telling(stack: ExitStack) -> None:
    """A snapshot leaves out what homes have to be told."""
    _forget_in_snapshot(stack, telling=[])


def fulfil_not_told(stack: ExitStack) -> None:
    """A home keeps for itself that units left."""
    finish = home._finish

    def silent(ledger: StockLedger, header: Header, moves: Any) -> None:  # noqa: ANN401
        moves = list(moves)
        with ExitStack() as inner:
            if any(fate == t.Fate.FULFILLED for *_, fate in moves):
                _replace(inner, HeaderBook, "changed", lambda *_: None)
            finish(ledger, header, moves)

    _replace(stack, home, "_finish", silent)


def committed_granted_again(stack: ExitStack) -> None:
    """What is committed does not count as reserved."""

    def free(stock: StockColumns, i: int) -> int:
        return stock.on_hand[i] - stock.unsellable[i] - stock.held[i] - stock.safety_stock[i]

    _replace(stack, StockColumns, "free", free)


def confirm_unheard(stack: ExitStack) -> None:
    """A gateway tells the home that all parts have followed, whether they answered or not."""
    _replace(stack, coordinator, "_followed", lambda _: True)


def unknown_part_heard(stack: ExitStack) -> None:
    """A location answers at once that it has followed when there is nothing to do for a part that it does not know."""

    def decide_follow(ledger: StockLedger, command: t.Follow, now_ns: int) -> Any:  # noqa: ANN401
        part = ledger.reservations.by_id.get(command.hold)
        known = part is not None and part.home
        return participant.decide_follow(ledger, command, now_ns) if known else (Heard(), ())

    _replace_entry(stack, ledgers._TOLD, t.Follow, decide_follow)


def _forget_in_snapshot(stack: ExitStack, **state: Any) -> None:  # noqa: ANN401  # parts of a snapshot
    dump = snapshot.dump
    _replace(stack, snapshot, "dump", lambda ledger: dump(ledger) | state)


def _replace(stack: ExitStack, owner: Any, name: str, value: Any) -> None:  # noqa: ANN401  # a module or class
    stack.callback(setattr, owner, name, getattr(owner, name))
    setattr(owner, name, value)


def _replace_entry(stack: ExitStack, table: Any, key: Any, value: Any) -> None:  # noqa: ANN401  # a dictionary
    stack.callback(table.__setitem__, key, table[key])
    table[key] = value


BUGS: Final = {
    plant.__name__: Bug(plant, seeds_max)
    for plant, seeds_max in (
        (commit_at_participants_first, 20),
        (dedupe_lost_on_restart, 60),
        (reply_before_fsync, 20),
        (expire_without_asking, 20),
        (owing_lost_on_restart, 250),
        (void_not_journaled, 40),
        (drop_after_lost_open, 60),
        (token_reused, 60),
        (follow_counts_again, 40),
        (zombie_without_fence, 40),
        (snapshot_without_headers, 60),
        (snapshot_without_telling, 250),
        (fulfil_not_told, 20),
        (committed_granted_again, 20),
        (confirm_unheard, 100),
        (unknown_part_heard, 100),
    )
}
"""Every bug by name."""
