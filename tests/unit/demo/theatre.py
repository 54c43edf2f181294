"""A whole play on ledgers in memory, for tests that look at what it left."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from demo.acks import Ack, Finished
from demo.audit import Found
from demo.book import Book, Position
from demo.erp import COLUMNS, ErpTables
from demo.plan import PlannedOrder
from demo.player import Player, Shipment
from demo.scene import Scene
from demo.score import Score
from demo.stock import facts_of
from tests.unit.demo.ledger_shop import LedgerShop

SHIP_AFTER = 100
STEP_S = 0.01


@dataclass(frozen=True)
class Theatre:
    """What a play left."""

    scene: Scene
    shop: LedgerShop
    book: Book
    score: Score
    acks: list[Ack]

    @cached_property
    def found(self) -> Found:
        """What an honest service and an honest ERP tell, as of the first time it is asked for."""
        self.shop.tick()
        stock, parts = self.shop.list_stock(), self.shop.parts()
        return Found(stock, stock, parts, parts, honest_erp(self.book.positions(self.shop.now_s)))

    def now_s(self) -> float:
        """The time of the audit."""
        return self.shop.now_s


def honest_erp(positions: dict[tuple[str, str], Position]) -> ErpTables:
    """The tables of an ERP that has what the book has."""
    return ErpTables(
        positions={key: {name: getattr(row, name) for name in COLUMNS} for key, row in positions.items()},
        postings={key: {"on_hand": row.on_hand, "unsellable": row.unsellable} for key, row in positions.items()},
    )


async def perform(scene: Scene, orders: Sequence[PlannedOrder]) -> Theatre:
    """Play these orders of the scene, with everything else that happens."""
    shop, book, score = LedgerShop(scene.network), Book(), Score(processes=1)
    acks: list[Ack] = []
    theatre = Theatre(scene, shop, book, score, acks)

    def tell(ack: Ack) -> None:
        acks.append(ack)
        book.acknowledge(ack)
        score.count(ack)

    _open(theatre)
    player = Player(shop, tell, shop.wait_until)
    shipments: deque[Shipment] = deque()
    for n, order in enumerate(orders):
        if n == len(orders) // 2:
            _bring_in_the_rest(theatre)
        shipment = await player.play(order)
        if shipment is not None:
            shipments.append(shipment)
        if len(shipments) > SHIP_AFTER:
            await player.ship(shipments.popleft())
        shop.now_s += STEP_S
    for shipment in shipments:
        await player.ship(shipment)
    tell(Finished(retries=0))
    await player.lapse()
    return theatre


def _open(theatre: Theatre) -> None:
    stocking = theatre.scene.stocking
    theatre.shop.stock(facts_of(stocking.opening))
    theatre.shop.set_policies(stocking.policies)
    theatre.book.move(facts_of(stocking.opening), "opening")
    theatre.book.set_policies(stocking.policies)


def _bring_in_the_rest(theatre: Theatre) -> None:
    stocking = theatre.scene.stocking
    for files in (stocking.receipts, *stocking.batches):
        theatre.shop.stock(facts_of(files))
        theatre.book.move(facts_of(files))
