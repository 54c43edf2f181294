"""Conversations of `core.protocol.coordinator` through a router: rounds of calls out, answers back in order."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

import structlog

from allocator.core.protocol.coordinator import carry
from allocator.runtime.batcher import Context
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from allocator.core.protocol.coordinator import Answers, Round
    from allocator.core.protocol.types import Follow
    from allocator.runtime.batcher import Answer
    from allocator.runtime.router import Router

R = TypeVar("R")

log = structlog.get_logger("allocator.conversation")


class Talk:
    """One call's conversations with ledgers.

    Attributes:
        versions: location -> version of its ledger that an answer was durable in.
    """

    def __init__(self, router: Router, context: Context) -> None:
        self._router = router
        self._context = context
        self._begun = False
        self.versions: dict[str, int] = {}

    async def hold(self, conversation: Generator[Round, Answers, R]) -> R:
        """Have the conversation to its end.

        Raises:
            OverloadedError: before anything was done.
        """
        answers: Answers | None = None
        while True:
            try:
                calls = next(conversation) if answers is None else conversation.send(answers)
            except StopIteration as stop:
                result: R = stop.value
                return result
            answers = await self._round(calls)

    async def spread(self, home: str, owed: Sequence[tuple[str, Follow]]) -> None:
        """Bring a decision to its participants, and tell the home which of them followed, without waiting for it."""
        confirms = await self.hold(carry(owed))
        if confirms:
            try:
                futures = self._router.submit_all([(home, confirm) for confirm in confirms], self._context)
            except OverloadedError:  # the home asks them again
                log.debug("confirmations left to the home", home=home, count=len(confirms))
                return
            for future in futures:
                future.add_done_callback(_forget)

    async def _round(self, calls: Round) -> list[Any]:
        try:
            futures = self._router.submit_all(calls, self._context)
        except OverloadedError:
            if not self._begun:
                raise
            return [None] * len(calls)
        self._begun = True
        self._context = Context(*self._context)  # what has begun is not refused for being worth little
        told = await asyncio.gather(*futures, return_exceptions=True)
        return [self._heard(location, answer) for (location, _), answer in zip(calls, told, strict=True)]

    def _heard(self, location: str, answer: Answer | BaseException) -> Any:  # noqa: ANN401  # any result
        if isinstance(answer, OutcomeUnknownError):
            return None
        if isinstance(answer, BaseException):
            raise answer
        if answer.version:
            self.versions[location] = max(answer.version, self.versions.get(location, 0))
        return answer.result


def _forget(future: asyncio.Future[Any]) -> None:
    """Take note of how it ended, so that nobody complains that nobody did."""
    if not future.cancelled():
        future.exception()
