"""Runs every adapter of the settings in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import suppress
from typing import Final

import structlog

from adapters.errors import AdapterSettingsError
from adapters.registry import check_names, make_erp, make_source
from adapters.sources.core import ClientCore
from adapters.supervised import Supervised, SupervisedErp, SupervisedSource
from allocator.client import AsyncClient
from allocator.config import Settings

PARENT_S: Final = 1.0
"""How often the process looks whether its parent is still there."""
EXIT_SETTINGS: Final = 2

log = structlog.get_logger("adapters")


def run(settings: Settings, address: str, *, parent_pid: int = 0) -> int:
    """Run the sources and ERP targets of the settings until SIGTERM or SIGINT, then finish what is under way.

    Args:
        settings: of the service.
        address: of the service, `host:port`.
        parent_pid: stop when this process, our parent, is gone; 0: do not look.

    Returns:
        The exit code: 0, or 2 when the settings of an adapter cannot be used.
    """
    try:
        _check(settings)
    except AdapterSettingsError as error:
        log.error("settings", error=str(error))  # noqa: TRY400  # it says all
        return EXIT_SETTINGS
    asyncio.run(_run(settings, address, parent_pid))
    return 0


def _check(settings: Settings) -> None:
    check_names([*settings.sources, *settings.erps])
    for adapter in settings.sources:
        make_source(adapter, settings.data_dir)
    for adapter in settings.erps:
        make_erp(adapter, settings.data_dir)


async def _run(settings: Settings, address: str, parent_pid: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncClient(address) as client, asyncio.TaskGroup() as group:
        core = ClientCore(client)
        kept: list[Supervised] = [SupervisedSource(source, settings, core) for source in settings.sources]
        kept += [SupervisedErp(erp, settings) for erp in settings.erps]
        for adapter in kept:
            group.create_task(adapter.keep(stop))
        if parent_pid:
            group.create_task(_outlive_not(parent_pid, stop))


async def _outlive_not(parent_pid: int, stop: asyncio.Event) -> None:
    """Stop when the parent is gone: a folder or a cursor must not be held by a process nobody knows of."""
    while not stop.is_set():
        if os.getppid() != parent_pid:
            log.warning("the service is gone", parent_pid=parent_pid)
            stop.set()
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), PARENT_S)
