"""One timer for the deadlines of all calls."""

from __future__ import annotations

import asyncio

import pytest

from allocator.gateway.deadlines import Deadlines


async def slow(outcome: str) -> str:
    """Wait several times, once with a deadline of its own."""
    await asyncio.sleep(0)
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.001)
    except TimeoutError:
        await asyncio.sleep(0)
    if outcome == "error":
        raise KeyError(outcome)
    return outcome


async def test_what_is_over_in_time_comes_out_as_it_is() -> None:
    """Answers and errors, of what waits for something and of what does not."""
    deadlines = Deadlines(60)

    async def at_once() -> str:
        return "at once"

    assert await deadlines.within(at_once()) == "at once"
    assert await deadlines.within(slow("answer")) == "answer"
    with pytest.raises(KeyError):
        await deadlines.within(slow("error"))


async def test_each_is_ended_when_its_own_time_is_over() -> None:
    """In the order they began in; what ended before does not keep others from their end, and the task goes on."""
    deadlines = Deadlines(0.02)
    never, order = asyncio.Event(), []

    async def waits(number: int) -> int:
        try:
            await deadlines.within(never.wait() if number % 2 else slow("answer"))
        except TimeoutError:
            order.append(number)
        task = asyncio.current_task()
        assert task is not None
        await asyncio.sleep(0)  # would raise if it were still being cancelled
        return task.cancelling()

    tasks = []
    for number in range(6):
        tasks.append(asyncio.ensure_future(waits(number)))
        await asyncio.sleep(0)
    assert await asyncio.gather(*tasks) == [0] * 6
    assert order == [1, 3, 5]
    with pytest.raises(TimeoutError):  # a timer is there again
        await deadlines.within(never.wait())


async def test_a_cancellation_by_somebody_else_stays_one() -> None:
    """Also when the deadline is over at the same moment; an error that the end of the work raises comes out."""
    deadlines = Deadlines(0.001)

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError("while it was ended") from None

    with pytest.raises(KeyError):
        await deadlines.within(stubborn())
    task = asyncio.ensure_future(Deadlines(60).within(asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    async def both() -> None:
        own = asyncio.current_task()
        assert own is not None
        asyncio.get_running_loop().call_later(0.005, own.cancel)
        await deadlines.within(patient())

    async def patient() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()  # cleans up until somebody else has enough

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(both())
