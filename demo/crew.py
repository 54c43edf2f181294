"""The client processes of the play, and what they tell."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from demo.acks import Ack, read_ack
from demo.errors import DemoError
from demo.service import ROOT

LINE_BYTES_MAX: Final = 4 * 2**20
"""Longest acknowledgement, bytes."""
END_TIMEOUT_S: Final = 5.0


async def run_crew(address: str, *, processes: int, clients: int, seed: int, tell: Callable[[Ack], None]) -> None:
    """Have the orders played by `clients` clients spread over so many processes; `tell` hears all they are told.

    Raises:
        DemoError: a process failed.
    """
    crew: list[asyncio.subprocess.Process] = []
    try:
        for index in range(processes):
            share = clients // processes + (index < clients % processes)
            arguments = (address, *map(str, (index, processes, share, seed)))
            crew.append(
                await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "demo.worker", *arguments),
                    cwd=ROOT,
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    limit=LINE_BYTES_MAX,
                )
            )
        async with asyncio.TaskGroup() as group:
            for process in crew:
                group.create_task(_listen(process, tell))
    except ExceptionGroup as errors:
        # One is enough to end the play.
        raise errors.exceptions[0] from None
    finally:
        await _end(crew)


async def _listen(process: asyncio.subprocess.Process, tell: Callable[[Ack], None]) -> None:
    assert process.stdout is not None  # asked for
    assert process.stderr is not None  # asked for
    said = asyncio.create_task(process.stderr.read())
    async for line in process.stdout:
        tell(read_ack(line))
    code = await process.wait()
    if code:
        raise DemoError(f"a client process ended with code {code}: {(await said).decode(errors='replace').strip()}")


async def _end(crew: list[asyncio.subprocess.Process]) -> None:
    for process in crew:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
    for process in crew:
        try:
            await asyncio.wait_for(process.wait(), END_TIMEOUT_S)
        except TimeoutError:
            process.kill()
            await process.wait()
