"""A real service to measure: `allocator serve` in a process of its own, in a folder of its own, on a free port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import grpc
import psutil
import yaml
from grpc_health.v1 import health_pb2 as pb
from grpc_health.v1.health_pb2_grpc import HealthStub

from allocator.gateway.fronts import choose
from bench import processes
from bench.errors import BenchError
from bench.machine import ROOT
from bench.ports import free_port

START_S: Final = 180.0
STOP_S: Final = 120.0
LOOK_S: Final = 0.05
ASK_S: Final = 2.0
LOG_LINES: Final = 20
IMPATIENT: Final = (
    # By itself a channel that found nobody waits ever longer, which would count as the time of the start.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 100),
)
SERVICES: Final = (
    "",
    "allocator.v1.AvailabilityService",
    "allocator.v1.InventoryService",
    "allocator.v1.NetworkService",
    "allocator.v1.ReservationService",
    "allocator.v1.SourcingService",
)


Settings = Mapping[str, Mapping[str, str | float | bool]]
"""Settings by section, as `docs/settings.md` names them."""


class Service:
    """`allocator serve` with a network of its own; ends with the `with` block.

    Args:
        folder: for its data, its network file and its log.
        locations: ids of the locations, all open.
        front: `envoy` or `grpcio`; None leaves it to the service.
        gateways: processes that answer calls; None leaves it to the service.
        settings: sections of the settings file, like `{"runtime": {"actors": 2}}`.

    Attributes:
        address: where it answers.
        front: on which; what it chooses when None was given.
        started_s: how long the last start took, until health said SERVING for every service.
    """

    def __init__(
        self,
        folder: Path,
        locations: Sequence[str],
        front: str | None = None,
        gateways: int | None = None,
        settings: Settings | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._asked_front = front
        self.front = choose(front or "auto").front
        self._gateways = gateways
        self._port = free_port()
        self.address = f"127.0.0.1:{self._port}"
        self.started_s = 0.0
        self._process: subprocess.Popen[bytes] | None = None
        write_network(self._network_file, locations)
        self._settings_file.write_text(toml(settings or {}), encoding="utf-8")

    def start(self) -> None:
        """Start it and wait until all of it serves.

        Raises:
            BenchError: it ended or took too long; with the end of its log.
        """
        began_s = time.monotonic()
        self._launch()
        with grpc.insecure_channel(self.address, IMPATIENT) as channel:
            while not all(_serves(channel, service) for service in SERVICES):
                self._check(began_s)
                time.sleep(LOOK_S)
        self.started_s = time.monotonic() - began_s

    def stop(self) -> None:
        """End it as its users do, with SIGTERM; what is left of its session after that is killed."""
        if self._process is None:
            return
        process, self._process = self._process, None
        processes.ended(self.address)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_S)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def cpu_s(self) -> float:
        """CPU time that it and the processes it has now have used so far, seconds."""
        assert self._process is not None
        return processes.cpu_s(self._process.pid)

    def processes(self) -> list[psutil.Process]:
        """It and the processes it has now."""
        assert self._process is not None
        return processes.tree(self._process.pid)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:  # also Ctrl-C: nobody else would end it, as it has a session of its own
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def _network_file(self) -> Path:
        return self._folder / "network.yaml"

    @property
    def _settings_file(self) -> Path:
        return self._folder / "settings.toml"

    @property
    def _log(self) -> Path:
        return self._folder / "service.log"

    def _launch(self) -> None:
        # Settings of whoever runs the benchmark are not those of the benchmark.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ALLOCATOR_")}
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "allocator.cli", "serve", *self._options()],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for us, and then we end it
            )
        processes.started(self.address, self._process.pid)

    def _options(self) -> Iterator[str]:
        yield from ("--settings", str(self._settings_file), "--network", str(self._network_file))
        yield from ("--data", str(self._folder / "data"), "--port", str(self._port))
        if self._asked_front is not None:
            yield from ("--front", self._asked_front)
        if self._gateways is not None:
            yield from ("--gateways", str(self._gateways))

    def _check(self, began_s: float) -> None:
        assert self._process is not None
        code = self._process.poll()
        if code is None and time.monotonic() - began_s < START_S:
            return
        what = f"is not up after {START_S:g} s" if code is None else f"ended with code {code}"
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-LOG_LINES:]
        self.stop()
        raise BenchError("\n".join((f"the service {what}; its log ends:", *lines)))


def write_network(path: Path, locations: Sequence[str]) -> None:
    """Write a network file of open stores with nothing but their ids."""
    rows = [{"id": location, "kind": "store"} for location in locations]
    path.write_text(yaml.safe_dump({"locations": rows}), encoding="utf-8")


def toml(settings: Settings) -> str:
    """Sections of plain values as TOML; JSON writes strings, numbers and booleans as TOML does."""
    lines: list[str] = []
    for section, values in settings.items():
        lines += (f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in values.items()), "")
    return "\n".join(lines)


def _serves(channel: grpc.Channel, service: str) -> bool:
    check = HealthStub(channel).Check  # type: ignore[attr-defined]  # the stub makes it when it is made
    try:
        answer = check(pb.HealthCheckRequest(service=service), timeout=ASK_S)
    except grpc.RpcError:
        return False
    return bool(answer.status == pb.HealthCheckResponse.SERVING)
