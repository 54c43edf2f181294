"""What stands on the stage before anything is played: the order book, the plan and the stock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from allocator.client import AsyncClient, StockPolicy
from allocator.network_file import NetworkFile, read_network
from demo.facts import WatchedFolder
from demo.orders import OrderBook, read_orders
from demo.plan import MARKETPLACE, SEED, Plan, make_plan
from demo.sites import NETWORK_FILE, Sites, read_sites
from demo.stock import Policy, Stocking, make_stock

INTAKE_TIMEOUT_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Where, what is ordered, what becomes of it, and what there is."""

    network: NetworkFile
    sites: Sites
    orders: OrderBook
    plan: Plan
    stocking: Stocking


def make_scene(seed: int = SEED) -> Scene:
    """Make the scene; the same seed makes the same."""
    sites, orders = read_sites(), read_orders()
    plan = make_plan(orders, sites.stores, seed)
    return Scene(read_network(NETWORK_FILE), sites, orders, plan, make_stock(orders, plan, sites, seed))


async def bring_in_opening_stock(folder: WatchedFolder, stocking: Stocking) -> None:
    """Drop the opening stock into the watched folder and wait until it is taken in.

    Raises:
        DemoError: it was not in time, or something was refused.
    """
    for file in stocking.opening:
        folder.drop(file)
    await folder.taken_in(INTAKE_TIMEOUT_S)


async def set_policies(client: AsyncClient, stocking: Stocking) -> None:
    """Set safety stock and quotas."""
    for location, policies in stocking.policies.items():
        await client.set_policy(location, [_policy(sku, policy) for sku, policy in policies.items()])


def _policy(sku: str, policy: Policy) -> StockPolicy:
    quotas = {MARKETPLACE: policy.quota} if policy.quota else {}
    return StockPolicy(sku, safety_stock=policy.safety_stock, quotas=quotas)
