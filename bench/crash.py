"""How long calls wait when an actor is killed under load."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from bench.errors import BenchError
from bench.load import Load
from bench.load import run as run_load
from bench.measured import Measured
from bench.pace import OpenLoop
from bench.registry import Bench, Figures
from bench.reserving import Reserves, Shop, held, recount
from bench.service import Service
from bench.stock import receive

NOTICE: Final = "service.json"
"""What a service tells of itself, in its folder of data: its actors' process ids, by their own word."""
NOTED_S: Final = 30.0
LOOK_S: Final = 0.05


class Size(NamedTuple):
    """How big the location and the load are, and when within it the actor is killed."""

    skus: int = 10_000
    rate_per_s: float = 500
    before_s: float = 2
    after_s: float = 13

    @property
    def shop(self) -> Shop:
        """One location, so every call needs the actor."""
        return Shop(1, self.skus, "crash", scarce_every=0)


def measure(bench: Bench) -> Figures:
    """On a service of its own."""
    folder = bench.folder / "crash"
    with Service(folder, Size().shop.names(), bench.front) as service:
        return run(bench, service.address, folder / "data" / NOTICE, Size())


def run(bench: Bench, address: str, notice: Path, size: Size) -> Figures:
    """Reserve on schedule, kill the actor meanwhile, and look for the longest time without an answer."""
    shop = size.shop
    receive(address, shop.opening(), bench.tell)
    seconds = size.before_s + size.after_s
    load = Load(address, partial(Reserves, shop), OpenLoop(size.rate_per_s), 1, 0, seconds)
    pid = _actor(notice, shop.names()[0])
    timer = threading.Timer(size.before_s, partial(os.kill, pid, signal.SIGKILL))

    def hear(text: str) -> None:
        """The load tells when it begins: from then on time counts."""
        bench.tell(text)
        if not timer.ident:
            timer.start()

    measured = run_load(load, hear)
    timer.join()
    return {
        "back_s": _longest_s(measured),
        "crash_lost": recount(address, shop, held([measured]))["lost"],
        "crash_errors": measured.errors,
    }


def _actor(notice: Path, location: str) -> int:
    """Process id of the actor of a location; the service notes it a moment after it serves.

    Raises:
        BenchError: it does not.
    """
    until_s = time.monotonic() + NOTED_S
    while time.monotonic() < until_s:
        for actor in json.loads(notice.read_text(encoding="utf-8"))["actors"].values():
            if location in actor["ledgers"]:
                return int(actor["pid"])
        time.sleep(LOOK_S)
    raise BenchError(f"{notice} names no actor of {location}")


def _longest_s(measured: Measured) -> float:
    """Without an answer, between two of them."""
    done_ns = [times.done_ns for report in measured.reports for key, times in report.times.items() if key[1]]
    if not done_ns:
        raise BenchError(f"no call was answered: {dict(measured.outcomes)}")
    return float(np.diff(np.sort(np.concatenate(done_ns))).max() / 1e9)
