"""Stock for a service that is measured, and what it says of it afterwards; over gRPC as anybody would."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import grpc

from allocator.v1 import inventory_pb2 as pb
from allocator.v1.inventory_pb2_grpc import InventoryServiceStub
from bench.errors import BenchError

BATCH: Final = 5_000
PAGE: Final = 1_000
TIMEOUT_S: Final = 60.0
CHANNEL: Final = (("grpc.max_receive_message_length", 16 * 2**20),)

Cell = tuple[str, str, int]
"""Location, SKU and units."""


def receive(address: str, cells: Iterator[Cell], tell: Callable[[str], None]) -> int:
    """Record a receipt for each cell, once for each of them however often it is called; returns how many.

    Raises:
        BenchError: one of them was not taken.
    """
    done = 0
    with grpc.insecure_channel(address, CHANNEL) as channel:
        stub = InventoryServiceStub(channel)
        while batch := list(itertools.islice(cells, BATCH)):
            answer = stub.RecordMovements(pb.RecordMovementsRequest(movements=map(_receipt, batch)), timeout=TIMEOUT_S)
            for result in answer.results:
                if result.status not in (pb.MOVEMENT_STATUS_APPLIED, pb.MOVEMENT_STATUS_DUPLICATE):
                    raise BenchError(f"a receipt was not taken: {result}")
            done += len(batch)
            tell(f"{done:,} receipts recorded")
    return done


def held_units(address: str, location: str, skus: Sequence[str]) -> tuple[list[int], list[int]]:
    """Units on hand and units held of each SKU at a location, from its ledger."""
    on_hand: list[int] = []
    held: list[int] = []
    with grpc.insecure_channel(address, CHANNEL) as channel:
        stub = InventoryServiceStub(channel)
        for start in range(0, len(skus), PAGE):
            request = pb.GetStockRequest(location=f"locations/{location}", skus=skus[start : start + PAGE])
            for stock in stub.GetStock(request, timeout=TIMEOUT_S).stocks:
                on_hand.append(stock.on_hand)
                held.append(stock.held)
    return on_hand, held


def _receipt(cell: Cell) -> pb.StockMovement:
    location, sku, units = cell
    return pb.StockMovement(
        source="bench",
        movement_id=f"opening-{location}-{sku}",
        location=f"locations/{location}",
        sku=sku,
        type=pb.MOVEMENT_TYPE_RECEIPT,
        quantity=units,
    )
