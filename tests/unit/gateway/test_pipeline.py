from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.gateway.pipeline import Pipeline


class Answering:
    """Answers a group when it is let, and notes how large the groups were and how many were under way at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.under_way = 0
        self.most = 0

    async def answer(self, group: Sequence[int]) -> Sequence[int]:
        """Answer each number with its negative."""
        self.sizes.append(len(group))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        for _ in range(group[0] % 3):  # not all take as long
            await asyncio.sleep(0)
        self.under_way -= 1
        return [-number for number in group]


async def counted(upto: int, pauses: Sequence[int] = (), error: Exception | None = None) -> AsyncIterator[int]:
    """Numbers that come in bursts; some come after a turn of the loop."""
    for number in range(upto):
        if number in pauses:
            await asyncio.sleep(0)
        yield number
    if error is not None:
        raise error


@given(
    upto=st.integers(0, 60),
    pauses=st.lists(st.integers(0, 60), max_size=10),
    group_max=st.integers(1, 9),
    groups_max=st.integers(1, 4),
)
def test_every_request_is_answered_in_order_within_the_bounds(
    upto: int, pauses: list[int], group_max: int, groups_max: int
) -> None:
    """Whatever comes when, and whichever group is done first."""
    answering = Answering()

    async def run() -> list[int]:
        pipeline = Pipeline(counted(upto, pauses), answering.answer, group_max, groups_max)
        return [answer async for answer in pipeline.answers()]

    assert asyncio.run(run()) == [-number for number in range(upto)]
    assert max(answering.sizes, default=0) <= group_max
    assert answering.most <= groups_max


async def test_what_ends_the_requests_is_told_after_the_answers() -> None:
    """Those that came before it are answered."""
    pipeline = Pipeline(counted(5, error=ConnectionError("gone")), Answering().answer, 2, 2)
    answers = pipeline.answers()
    assert [await anext(answers) for _ in range(5)] == [0, -1, -2, -3, -4]
    with pytest.raises(ConnectionError, match="gone"):
        await anext(answers)


async def test_a_caller_that_leaves_leaves_nothing_behind() -> None:
    """What is under way for it is cancelled, and so is the wait for its next request."""
    begun, gone = asyncio.Event(), asyncio.Event()

    async def never(group: Sequence[int]) -> Sequence[int]:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            gone.set()
        return group

    answers = Pipeline(counted(1), never, 1, 1).answers()
    first = asyncio.ensure_future(anext(answers))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    await answers.aclose()
    await gone.wait()
