"""SIGKILL under load: `make torture` runs 20 rounds, `make test` 3 (TORTURE_ROUNDS)."""

from __future__ import annotations

import asyncio
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest

from allocator.client import AsyncClient, Movement, MovementType, ReservationState
from tests.support.service import RunningService
from tests.torture.load import LEVEL, SOURCE, Books, Worker

ROUNDS = int(os.environ.get("TORTURE_ROUNDS", "3"))
SEED = int(os.environ.get("TORTURE_SEED", "1"))
LOCATIONS = ["north", "south", "west"]
SKUS = [f"sku-{n}" for n in range(12)]
WORKERS = 24
LOAD_S = 1.5
AFTER_S = 0.7
VICTIMS = ("actor", "gateway", "everything")
OPEN_GRACE_S = 3
SETTLE_S = 30.0
"""How long after the last answer everything agrees: `OPEN_GRACE_S`, a round of questions, and time to spare."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    """The service, up."""
    folder = tmp_path_factory.mktemp("torture")
    (folder / "settings.toml").write_text(f"[limits]\nopen_grace_s = {OPEN_GRACE_S}\n")
    options = ("--settings", str(folder / "settings.toml"), "--gateways", "2")
    lanes = {"lanes": [{"id": LEVEL, "service_level": LEVEL, "parcel": 5}]}
    with RunningService(folder, LOCATIONS, options, lanes) as running:
        yield running


@pytest.fixture(scope="module")
def books() -> Books:
    """What all rounds together were told."""
    return Books()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_nothing_acknowledged_is_lost_by_a_sigkill(service: RunningService, books: Books, number: int) -> None:
    """After SIGKILL of an actor, a gateway or everything all that was acknowledged is there: nothing twice or half."""
    victim = VICTIMS[number % len(VICTIMS)]
    before = books.acknowledged
    asyncio.run(_round(service, books, number, victim))
    print(f"seed {SEED} round {number}: {books.acknowledged - before} writes acknowledged, killed: {victim}")  # noqa: T201  # shown on failure
    assert books.acknowledged > before
    asyncio.run(_compare(service, books))
    _audit("--address", service.address)


def test_the_journal_agrees_when_all_is_over(service: RunningService, books: Books) -> None:
    """SIGTERM loses no accepted request: what had no answer had not happened. And the journal alone has no drift."""
    books.answers_lost.clear()
    stop = threading.Event()
    load = threading.Thread(target=lambda: asyncio.run(_load(service, books, 1_000, stop)))
    load.start()
    stop.wait(LOAD_S)
    assert service.terminate() == 0
    stop.set()
    load.join()
    _audit("--data", str(service.data))
    service.start()
    asyncio.run(_settle(service, books))
    assert books.answers_lost == set()
    asyncio.run(_compare(service, books))


async def _round(service: RunningService, books: Books, number: int, victim: str) -> None:
    stop = threading.Event()
    load = asyncio.create_task(_load(service, books, number, stop))
    await asyncio.sleep(LOAD_S)
    if victim == "everything":
        await asyncio.to_thread(service.kill)
        stop.set()
        await load
        await asyncio.to_thread(service.start)
    elif victim == "gateway":
        await asyncio.to_thread(service.kill_gateway)
        await asyncio.sleep(AFTER_S)
        stop.set()
        await load
    else:
        location = random.Random(SEED * 1_000 + number).choice(LOCATIONS)
        await asyncio.to_thread(service.kill_actor, location)
        await asyncio.sleep(AFTER_S)
        stop.set()
        await load
    await _settle(service, books)


async def _load(service: RunningService, books: Books, number: int, stop: threading.Event) -> None:
    """Many clients at once, from their first to their last word."""
    ended = asyncio.Event()
    async with AsyncClient(service.address, timeout_s=2, retries_max=1) as client:
        stock = [
            Movement(SOURCE, f"open-{number}-{where}-{sku}", where, sku, MovementType.RECEIPT, 400)
            for n, sku in enumerate(SKUS)
            for where in (LOCATIONS if n % 2 else [LOCATIONS[n // 2 % len(LOCATIONS)]])  # so that orders are split
        ]
        await client.with_options(timeout_s=30, retries_max=50).record(stock)
        books.on_hand.update({(m.location, m.sku): m.quantity for m in stock})
        workers = [Worker(books, LOCATIONS, SKUS, (SEED * 1_000 + number) * 1_000 + n) for n in range(WORKERS)]
        tasks = [asyncio.create_task(worker.run(client, ended)) for worker in workers]
        await asyncio.to_thread(stop.wait)
        ended.set()
        await asyncio.gather(*tasks)


async def _settle(service: RunningService, books: Books) -> None:
    """Ask every unanswered write again under the same id until it is answered."""
    async with AsyncClient(service.address, timeout_s=60, retries_max=100) as client:
        unanswered, books.unanswered = books.unanswered, []
        for write in unanswered:
            await write(client)


async def _compare(service: RunningService, books: Books) -> None:
    """Recount everything from the acknowledgements and compare with what the service says.

    Parts of reservations that were never made are given back once they have asked their homes; until then they may
    be held beside what was acknowledged.
    """
    deadline_s = time.monotonic() + SETTLE_S
    while True:
        try:
            await _compare_now(service, books)
        except AssertionError:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(0.5)
        else:
            return


async def _compare_now(service: RunningService, books: Books) -> None:
    async with AsyncClient(service.address, timeout_s=60, retries_max=100) as client:
        on_hand: Counter[tuple[str, str]] = Counter()
        held: Counter[tuple[str, str]] = Counter()
        committed: Counter[tuple[str, str]] = Counter()
        for where in LOCATIONS:
            async for row in client.list_stock(where):
                key = (where, row.sku)
                on_hand[key], held[key], committed[key] = row.on_hand, row.held, row.committed
        assert +on_hand == +books.on_hand
        assert +held == books.reserved(ReservationState.HELD)
        assert +committed == books.reserved(ReservationState.COMMITTED)
        states = {}
        for where in LOCATIONS:
            async for reservation in client.reservations(location=where):
                states[reservation.name] = reservation.state
        assert states == {order.name: order.state for order in books.orders.values()}


def _audit(*where: str) -> None:
    """`allocator audit` finds nothing."""
    options, command = (where, ["audit"]) if where[0] == "--address" else ((), ["audit", *where])
    result = subprocess.run(
        [sys.executable, "-m", "allocator.cli", *options, *command], capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
