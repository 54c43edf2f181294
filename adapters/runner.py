"""Runs every adapter of the settings in one process, until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import Final

import structlog

from adapters.errors import AdapterSettingsError
from adapters.registry import check_names, make_erp, make_source
from adapters.secure import secured
from adapters.sources.core import ClientCore
from adapters.supervised import Supervised, SupervisedErp, SupervisedSource
from allocator.client import AsyncClient, Tls
from allocator.config import Settings

EXIT_SETTINGS: Final = 2

log = structlog.get_logger("adapters")


def run(settings: Settings, address: str, ready: Callable[[], None] = lambda: None, *, tls: Tls | None = None) -> int:
    """Run the sources and ERP targets of the settings until SIGTERM or SIGINT, then finish what is under way.

    Args:
        settings: of the service.
        address: of the service, `host:port`; it need not be up yet.
        ready: is called once the signals are heard and every adapter is on its way.
        tls: how to encrypt the connection to the service; None: as its settings tell.

    Returns:
        The exit code: 0, or 2 when the settings of an adapter cannot be used.
    """
    try:
        _check(settings)
        tls = secured(settings.tls, tls)
    except AdapterSettingsError as error:
        log.error("settings", error=str(error))  # noqa: TRY400  # it says all
        return EXIT_SETTINGS
    asyncio.run(_run(settings, address, ready, tls))
    return 0


def _check(settings: Settings) -> None:
    check_names([*settings.sources, *settings.erps])
    for adapter in settings.sources:
        make_source(adapter, settings.data_dir)
    for adapter in settings.erps:
        make_erp(adapter, settings.data_dir)


async def _run(settings: Settings, address: str, ready: Callable[[], None], tls: Tls | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncClient(address, tls=tls) as client, asyncio.TaskGroup() as group:
        core = ClientCore(client)
        kept: list[Supervised] = [SupervisedSource(source, settings, core) for source in settings.sources]
        kept += [SupervisedErp(erp, settings) for erp in settings.erps]
        for adapter in kept:
            group.create_task(adapter.keep(stop))
        ready()
        await stop.wait()
        log.info("stopping")
