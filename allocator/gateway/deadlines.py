"""A deadline that costs nothing where nothing has to be waited for."""

from __future__ import annotations

import asyncio
from types import coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Generator

A = TypeVar("A")


async def rest_within(deadline_s: float | None, work: Awaitable[A], waits_for: object) -> A:
    """The rest of a coroutine that was run up to where it waits for something, with a deadline if there is one.

    One that never has to wait, as most reads, needs none of this: whoever runs it sees it end at once.

    Raises:
        TimeoutError: the deadline is over.
    """
    rest: A
    if deadline_s is None:
        rest = await _rest(work, waits_for)
    else:
        async with asyncio.timeout(deadline_s):
            rest = await _rest(work, waits_for)
    return rest


@coroutine
def _rest(running: Any, waits_for: Any) -> Generator[Any, Any, Any]:  # noqa: ANN401  # what a coroutine yields
    """Go on with a coroutine that waits for something already."""
    try:
        while True:
            try:
                woken = yield waits_for
            except BaseException as error:  # noqa: BLE001  # a cancellation too is for the coroutine
                waits_for = running.throw(error)
            else:
                waits_for = running.send(woken)
    except StopIteration as done:
        return done.value
