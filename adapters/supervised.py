"""An adapter that is kept running: started again when it fails, with a status file that tells how far it is."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final, Literal

import structlog

from adapters.erp.exporter import Exporter
from adapters.erp.follower import LocationState
from adapters.erp.port import ErpOptions, ErpTarget
from adapters.registry import make_erp, make_source
from adapters.sources.core import Core
from adapters.sources.port import MovementSource
from adapters.sources.pump import Pump, PumpCounts
from adapters.status import AdapterStatus, State, write_status
from allocator.config import AdapterSettings, Settings
from allocator.core.errors import AllocatorError
from allocator.journal import JournalStore

RETRY_MIN_S: Final = 1.0
RETRY_MAX_S: Final = 60.0
STATUS_S: Final = 0.5
"""How often the status file is written."""

log = structlog.get_logger("adapters")

Figures = dict[str, Any]
"""Fields of `AdapterStatus` that tell how far an adapter is."""


class Supervised(ABC):
    """Keeps one adapter running.

    Args:
        settings: of the adapter.
        service: settings of the service.
    """

    role: Literal["source", "erp"]

    def __init__(self, settings: AdapterSettings, service: Settings) -> None:
        self.settings, self.service = settings, service
        self._figures: Figures = {}

    @abstractmethod
    async def run_once(self, stop: asyncio.Event) -> None:
        """Make the adapter, run it until `stop` is set, and close it."""

    async def keep(self, stop: asyncio.Event) -> None:
        """Run until `stop` is set, and start again after a failure."""
        structlog.contextvars.bind_contextvars(adapter=self.settings.name)
        self._write(State.STARTING)
        delay_s = RETRY_MIN_S
        while not stop.is_set():
            began_s = time.monotonic()
            try:
                await self.run_once(stop)
            except Exception as error:  # noqa: BLE001  # whatever it is, the others go on and this one starts again
                if time.monotonic() - began_s > RETRY_MAX_S:
                    delay_s = RETRY_MIN_S
                self._failed(error, delay_s)
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), delay_s)
                delay_s = min(2 * delay_s, RETRY_MAX_S)
        self._write(State.STOPPED)
        log.info("adapter stopped")

    @asynccontextmanager
    async def reported(self, measure: Callable[[], Awaitable[Figures]]) -> AsyncIterator[None]:
        """Write the status file while the block runs, and once more at its end."""

        async def report() -> None:
            while True:
                try:
                    self._figures = await measure()
                except (AllocatorError, OSError) as error:
                    log.warning("how far the adapter is cannot be told", error=str(error))
                else:
                    self._write(State.RUNNING)
                await asyncio.sleep(STATUS_S)

        log.info("adapter runs", role=self.role, kind=self.settings.kind)
        reporting = asyncio.create_task(report())
        try:
            yield
        finally:
            reporting.cancel()
            with suppress(asyncio.CancelledError):
                await reporting
        self._figures = await measure()

    def _failed(self, error: Exception, delay_s: float) -> None:
        known = isinstance(error, AllocatorError | OSError)
        told = str(error) or type(error).__name__
        log.error("adapter failed; it will start again", wait_s=delay_s, error=told, exc_info=not known)
        self._write(State.RETRYING, told)

    def _write(self, state: State, error: str = "") -> None:
        figures = {**self._figures, "error": error} if error else self._figures
        status = AdapterStatus(
            name=self.settings.name,
            kind=self.settings.kind,
            role=self.role,
            state=state,
            updated_at=datetime.now(UTC),
            **figures,
        )
        try:
            write_status(self.service.data_dir, status)
        except OSError as problem:
            log.warning("the status file cannot be written", error=str(problem))


class SupervisedSource(Supervised):
    """Keeps a source and its pump running.

    Args:
        settings: of the source.
        service: settings of the service.
        core: records the movements.
    """

    role = "source"

    def __init__(self, settings: AdapterSettings, service: Settings, core: Core) -> None:
        super().__init__(settings, service)
        self._core = core
        self._counts = PumpCounts()

    async def run_once(self, stop: asyncio.Event) -> None:
        """Open the source and pump."""
        source = make_source(self.settings, self.service.data_dir)
        try:
            await source.open()
            async with self.reported(lambda: self._measure(source)):
                await Pump(source, self._core, counts=self._counts).run(stop)
        finally:
            await source.close()

    async def _measure(self, source: MovementSource) -> Figures:
        waiting, detail = await source.progress()
        return {
            "caught_up": not waiting,
            "lag": waiting,
            "counts": asdict(self._counts),
            "detail": dict(detail),
        }


class SupervisedErp(Supervised):
    """Keeps an ERP target and its exporter running, in a thread of its own."""

    role = "erp"

    async def run_once(self, stop: asyncio.Event) -> None:
        """Open the target and export."""
        target, options = make_erp(self.settings, self.service.data_dir)
        journal = self.service.journal
        with JournalStore(self.service.journal_url, journal.schema_name) as store:
            exporter = Exporter(
                self.settings.name,
                target,
                store,
                options=options,
                limits=self.service.limits.ledger_limits(),
                clock_ns=time.time_ns,
            )
            async with self.reported(lambda: _measured(exporter, options)):
                await _in_thread(target, exporter, stop)


async def _in_thread(target: ErpTarget, exporter: Exporter, stop: asyncio.Event) -> None:
    halt = threading.Event()

    def work() -> None:
        with target:
            exporter.run(halt)

    loop = asyncio.get_running_loop()
    # The loop's own threads are for short work; this one is busy as long as the adapter runs.
    with ThreadPoolExecutor(1) as threads:
        working = loop.run_in_executor(threads, contextvars.copy_context().run, work)
        stopping = asyncio.create_task(stop.wait())
        either: set[asyncio.Future[Any]] = {working, stopping}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            halt.set()
            stopping.cancel()
        await working


async def _measured(exporter: Exporter, options: ErpOptions) -> Figures:
    states: Mapping[str, LocationState] = exporter.states
    lag = sum(max(0, state.head - state.cursor) for state in states.values())
    stopped = [location for location, state in states.items() if state.error]
    behind = options.positions and any(state.positions < state.cursor for state in states.values())
    return {
        "caught_up": exporter.looked and not (lag or stopped or behind),
        "lag": lag,
        "locations": {location: state._asdict() for location, state in states.items()},
        "error": f"{len(stopped)} locations stand still: {', '.join(stopped[:10])}" if stopped else "",
    }
