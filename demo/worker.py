"""One client process of the play: many clients side by side on one event loop.

`python -m demo.worker ADDRESS INDEX OF CLIENTS SEED` plays its share of the orders and writes every acknowledgement
to stdout, one JSON object per line.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import deque
from typing import Final

from allocator.client import AsyncClient
from allocator.core.errors import AllocatorError
from demo.acks import Ack, Finished, write_ack
from demo.orders import read_orders
from demo.plan import PlannedOrder, make_plan
from demo.player import Player, Shipment
from demo.sites import read_sites

TIMEOUT_S: Final = 60.0
"""For a call as a whole: an actor that was killed is back long before."""
ATTEMPT_TIMEOUT_S: Final = 5.0
RETRIES_MAX: Final = 200
SHIP_AFTER: Final = 4
"""Orders a client plays before it ships an earlier one."""


async def work(address: str, orders: list[PlannedOrder], clients: int) -> None:
    """Play `orders` with so many clients side by side, then see to the carts that were left to expire."""
    async with AsyncClient(
        address, timeout_s=TIMEOUT_S, attempt_timeout_s=ATTEMPT_TIMEOUT_S, retries_max=RETRIES_MAX
    ) as client:
        player = Player(client, tell)
        waiting = deque(orders)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(clients):
                    group.create_task(_serve(player, waiting))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from None
        tell(Finished(retries=client.retries))
        await player.lapse()


async def _serve(player: Player, waiting: deque[PlannedOrder]) -> None:
    """One client: plays the next order, and ships an earlier one."""
    shipments: deque[Shipment] = deque()
    while waiting:
        shipment = await player.play(waiting.popleft())
        if shipment is not None:
            shipments.append(shipment)
        if len(shipments) > SHIP_AFTER:
            await player.ship(shipments.popleft())
    for shipment in shipments:
        await player.ship(shipment)


def tell(ack: Ack) -> None:
    """Write an acknowledgement, at once."""
    sys.stdout.buffer.write(write_ack(ack))
    sys.stdout.buffer.flush()


def main() -> None:
    """Play this process's share."""
    # Ctrl-C reaches everybody on the terminal; the demo itself ends its clients.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    address, index, of, clients, seed = sys.argv[1], *map(int, sys.argv[2:])
    plan = make_plan(read_orders(), read_sites().stores, seed)
    try:
        asyncio.run(work(address, list(plan.orders[index::of]), clients))
    except AllocatorError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
