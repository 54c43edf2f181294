"""Many independent reserves in one call or on one stream: each has its own outcome, those of a location go together."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, NamedTuple
from uuid import uuid4

from allocator.core.limits import LINES_MAX
from allocator.core.results import Rejected
from allocator.gateway import translate_reservation as t
from allocator.gateway.errors import ApiError, fault, too_many
from allocator.gateway.limits import BATCH_RESERVES_MAX, STREAM_GROUPS_MAX
from allocator.gateway.pipeline import Pipeline
from allocator.gateway.wire_reserve import held_bytes
from allocator.v1.reservation_pb2 import BatchReserveResponse, StreamReserveResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence

    from allocator.core import commands as c
    from allocator.gateway.call import Call
    from allocator.gateway.calls import Calls
    from allocator.runtime.router import Router
    from allocator.v1.reservation_pb2 import (
        BatchReserveRequest,
        BatchReserveResult,
        ReserveRequest,
        ReserveResponse,
        StreamReserveRequest,
    )

    _Result = BatchReserveResult | StreamReserveResponse
    Alone = Callable[[ReserveRequest, ReserveResponse, Call], Awaitable[None]]


class ManyReserves:
    """Reserves that come together.

    Args:
        router: the way to the ledgers.
        calls: how errors are told.
        alone: has one decided as if it came alone, and its answer written.
    """

    def __init__(self, router: Router, calls: Calls, alone: Alone) -> None:
        self._router = router
        self._calls = calls
        self._alone = alone

    async def batch(self, request: BatchReserveRequest, call: Call) -> BatchReserveResponse:
        """Hold for many orders."""
        _check_batch(request)
        response = BatchReserveResponse()
        await self._all([(reserve, response.results.add()) for reserve in request.reserves], call)
        return response

    async def stream(
        self, incoming: AsyncIterator[StreamReserveRequest], call: Call
    ) -> AsyncGenerator[StreamReserveResponse]:
        """Hold for many orders, each answered as soon as those before it are."""

        async def reserve(group: Sequence[StreamReserveRequest]) -> Sequence[StreamReserveResponse]:
            parts = [(part.reserve, StreamReserveResponse()) for part in group]
            await self._all(parts, call)
            return [response for _, response in parts]

        pipeline = Pipeline(self._calls.requests(incoming), reserve, BATCH_RESERVES_MAX, STREAM_GROUPS_MAX)
        async with aclosing(pipeline.answers()) as answers:
            async for answer in answers:
                yield answer

    async def _all(self, parts: Sequence[tuple[ReserveRequest, _Result]], call: Call) -> None:
        """Many independent reserves, each with its own outcome; those of one location go to it together."""
        groups: dict[str, list[_Plain]] = {}
        apart = []
        for request, result in parts:
            told = self._plain(request)
            if told is None:
                apart.append(self._part(request, result, call.part()))
            else:
                groups.setdefault(told[0], []).append(_Plain(request, result, told[1]))
        await asyncio.gather(*apart, *(self._group(*group, call) for group in groups.items()))

    async def _part(self, request: ReserveRequest, result: _Result, call: Call) -> None:
        """One reserve of a batch or stream; its error is its result and does not touch the others."""
        try:
            await self._alone(request, result.reserve, call)
        except Exception as error:  # noqa: BLE001  # whatever it was becomes a status
            result.error.CopyFrom(self._calls.told_inside(call, error))

    def _plain(self, request: ReserveRequest) -> tuple[str, c.Reserve] | None:
        """The command of a reserve that needs one location known here and nothing else; None for all others."""
        if request.HasField("promise_by"):
            return None
        try:
            told = t.to_reserve(request, request.request_id or uuid4().hex)
        except ApiError:  # which is told where parts are dealt with one by one
            return None
        return told if told is not None and told[0] in self._router.network.locations else None

    async def _group(self, location: str, parts: Sequence[_Plain], call: Call) -> None:
        """Reserves of a batch at one location, which go to its ledger and back together."""
        try:
            answers = await self._router.submit_in_order(location, [part.command for part in parts], call.trail)
        except Exception as error:  # noqa: BLE001  # whatever it was becomes a status of each
            for part in parts:
                own = call.part()
                own.named(part.command.request_id)
                part.result.error.CopyFrom(self._calls.told_inside(own, error))
            return
        rejected = []
        for part, (result, version) in zip(parts, answers, strict=True):
            if isinstance(result, Rejected):  # nothing was done: it is tried, or told, like one that comes alone
                rejected.append(self._part(part.request, part.result, call.part()))
                continue
            ready = held_bytes(location, part.command, result, version)
            if ready is None:
                t.fill_reserve(part.result.reserve, location, part.command, result, version)
            else:
                part.result.reserve.MergeFromString(ready)  # with the making of it half the time of filling
        await asyncio.gather(*rejected)


class _Plain(NamedTuple):
    """A reserve of a batch that needs nothing but its ledger: request, place of its answer, command."""

    request: ReserveRequest
    result: _Result
    command: c.Reserve


def _check_batch(request: BatchReserveRequest) -> None:
    count = len(request.reserves)
    if not count:
        raise fault("reserves", f"none; 1 to {BATCH_RESERVES_MAX} are needed")
    if count > BATCH_RESERVES_MAX:
        raise too_many("reserves", count, BATCH_RESERVES_MAX)
    lines = sum(len(reserve.lines) for reserve in request.reserves)
    if lines > LINES_MAX:
        raise too_many("reserves.lines", lines, LINES_MAX)
