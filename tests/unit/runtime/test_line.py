"""Lines: bytes straight from a gateway to an actor on the same machine."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import pytest
import uvloop

from allocator.runtime.line import CHANGES, EXECUTE, Line, LineEnd
from tests.unit.runtime.journals import PATIENCE_S

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="abstract Unix sockets are Linux's")


@contextmanager
def line_end(served: Mapping[int, Callable[[bytes], bytes]]) -> Iterator[LineEnd]:
    """An actor's end that serves these functions."""
    end = LineEnd(served)
    try:
        yield end
    finally:
        end.close()


async def opened(end: LineEnd) -> Line:
    """A gateway's end, connected."""
    line = Line(end.name)
    await line.open()
    return line


def broken(data: bytes) -> bytes:
    """An actor with a defect."""
    raise ValueError(data)


@pytest.mark.parametrize("make_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_calls_are_answered_by_their_method_whatever_their_size(
    make_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """An empty call, a small one and one that comes in many pieces get the answers of the method they name."""

    async def story(end: LineEnd) -> None:
        line = await opened(end)
        for data in (b"", b"fig", bytes(range(256)) * 20_000):
            assert await line.call(EXECUTE, data) == data[::-1]
            assert await line.call(CHANGES, data) == data
        line.close()

    served: dict[int, Callable[[bytes], bytes]] = {EXECUTE: lambda data: data[::-1], CHANGES: lambda data: data}
    with line_end(served) as end, asyncio.Runner(loop_factory=make_loop) as runner:
        runner.run(story(end))


async def test_calls_under_way_at_once_do_not_wait_for_each_other() -> None:
    """A call that waits at the actor holds up no other."""
    waiting, go_on = threading.Event(), threading.Event()

    def wait(data: bytes) -> bytes:
        waiting.set()
        assert go_on.wait(PATIENCE_S)
        return data

    with line_end({EXECUTE: lambda data: data, CHANGES: wait}) as end:
        line = await opened(end)
        poll = asyncio.ensure_future(line.call(CHANGES, b"news"))
        await asyncio.to_thread(waiting.wait, PATIENCE_S)
        assert await line.call(EXECUTE, b"work") == b"work"
        go_on.set()
        assert await poll == b"news"
        line.close()


async def test_a_call_that_fails_breaks_the_line() -> None:
    """What an actor could not answer ends as if the actor had gone, and the line says that it is broken."""
    with line_end({EXECUTE: broken}) as end:
        line = await opened(end)
        with pytest.raises(ConnectionResetError):
            await line.call(EXECUTE, b"fig")
        assert line.broken
        line.close()


async def test_a_call_given_up_takes_no_later_answer() -> None:
    """The connection of a cancelled call is not used again; the next call gets its own answer."""
    waiting, go_on = threading.Event(), threading.Event()

    def wait(data: bytes) -> bytes:
        waiting.set()
        assert go_on.wait(PATIENCE_S)
        return data

    with line_end({EXECUTE: lambda data: data, CHANGES: wait}) as end:
        line = await opened(end)
        poll = asyncio.ensure_future(line.call(CHANGES, b"old"))
        await asyncio.to_thread(waiting.wait, PATIENCE_S)
        poll.cancel()
        with pytest.raises(asyncio.CancelledError):
            await poll
        go_on.set()
        assert await line.call(EXECUTE, b"new") == b"new"
        assert not line.broken
        line.close()


async def test_nobody_answers_on_a_line_that_was_closed() -> None:
    """Who comes after the actor's end was closed is told so at once."""
    with line_end({EXECUTE: lambda data: data}) as end:
        name = end.name
    line = Line(name)
    with pytest.raises(OSError, match="refused"):
        await line.open()
    assert line.broken
