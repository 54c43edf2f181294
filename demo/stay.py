"""`make run`: the demo's network with its opening stock, up until somebody ends it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Final

from rich.console import Console

from allocator.client import AsyncClient
from demo.facts import WatchedFolder
from demo.scene import Scene, bring_in_opening_stock, make_scene, set_policies
from demo.screen import Screen
from demo.service import Service

LOOK_S: Final = 0.5
CART: Final = 2
"""SKUs in the commands to try."""


async def stay_up(service: Service, screen: Screen, console: Console, seed: int) -> None:
    """Start the service, stock it, tell what to try, and stay until cancelled.

    Raises:
        AllocatorError: it cannot start, or ended by itself.
    """
    scene = make_scene(seed)
    try:
        with screen.stage("Starting the service"):
            address = await service.start()
        async with AsyncClient(address) as client:
            with screen.stage("Opening stock, through the watched folder"):
                await bring_in_opening_stock(WatchedFolder(service.watched), scene.stocking)
                await set_policies(client, scene.stocking)
        # Not through rich: it would wrap what is to be copied.
        console.file.write(invitation(scene, address, service))
        console.file.flush()
        while True:
            service.check()
            await asyncio.sleep(LOOK_S)
    finally:
        with screen.stage("Stopping the service"):
            await service.stop()


def invitation(scene: Scene, address: str, service: Service) -> str:
    """What to tell once it is up: three commands to try, ready to copy."""
    facts = sorted(scene.stocking.opening[0].facts, key=lambda fact: -fact.quantity)[:CART]
    skus = [fact.sku for fact in facts]
    request = json.dumps(
        {
            "lines": [{"sku": sku, "quantity": 6} for sku in skus],
            "location_group": "locationGroups/all",
        }
    )
    programs = Path(sys.executable).parent
    programs = programs.relative_to(Path.cwd()) if programs.is_relative_to(Path.cwd()) else programs
    cart = " ".join(f"{sku}=6" for sku in skus)
    return f"""
{len(scene.sites.dcs)} distribution centres and {len(scene.sites.stores)} stores serve at {address}, all made up.
Files dropped into {service.watched / "inbox"} are taken in as movements;
postings and positions go to {service.books};
the log is {service.log}.

Try, in another terminal:

  # What is available of a cart, and where
  grpcurl -plaintext -d '{request}' {address} allocator.v1.AvailabilityService/CheckAvailability

  # From where it would go to Leeds, and why
  {programs}/allocator --address {address} explain {cart} --service standard --to 53.80,-1.55 --country GB

  # Hold it in the best places for an order and place the order
  {programs}/python -c '
from allocator.client import Client, Position, SourcingOrder
with Client("{address}") as client:
    order = SourcingOrder({{"{skus[0]}": 6, "{skus[1]}": 6}}, "standard", Position(53.80, -1.55), "GB")
    held = client.allocate(order, order_reference="A-1001")
    print(held.status, held.reservation.name, *[parcel.location for parcel in held.plan.parcels])
    print(client.commit(held.reservation.name).status)
'

Stop with Ctrl-C.
"""
