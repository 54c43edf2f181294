from __future__ import annotations

from dataclasses import replace

import pytest

from allocator.client import ReservationState
from demo.acks import Ack, Grant, Played, Return, Turn
from demo.errors import DemoError
from demo.facts import StockFact
from demo.orders import GivenBack
from demo.plan import Fate, PlannedOrder
from demo.player import Player
from tests.unit.demo.ledger_shop import LedgerShop

ORDER = PlannedOrder("1", {"A": 5, "B": 1}, "", Fate.SHIPPED)


class Stage:
    """A shop with 10 A and 1 B in Leeds and 3 C in York, and a player."""

    def __init__(self) -> None:
        self.shop = LedgerShop(("leeds", "york"))
        for location, sku, units in (("leeds", "A", 10), ("leeds", "B", 1), ("york", "C", 3)):
            self.shop.stock([StockFact(location, sku, "receipt", units, "")])
        self.acks: list[Ack] = []
        self.player = Player(self.shop, self.acks.append, self.shop.wait_until)

    async def play(self, order: PlannedOrder) -> None:
        """Play and ship an order."""
        shipment = await self.player.play(order)
        if shipment is not None:
            await self.player.ship(shipment)

    def turns(self) -> list[tuple[str, dict[str, int]]]:
        """What reservations went through."""
        return [(ack.turn, dict(ack.lines)) for ack in self.acks if isinstance(ack, Turn)]

    def states(self) -> list[ReservationState]:
        """How the reservations stand."""
        return [self.shop.reservation(ack.reservation).state for ack in self.acks if isinstance(ack, Grant)]


@pytest.fixture
def stage() -> Stage:
    """A fresh one."""
    return Stage()


async def test_an_order_is_held_committed_and_shipped(stage: Stage) -> None:
    """Each step is told with the units it moved."""
    await stage.play(ORDER)
    assert stage.turns() == [("commit", {}), ("fulfil", {"A": 5, "B": 1})]
    assert stage.states() == [ReservationState.FULFILLED]


async def test_an_order_is_shipped_in_two_parts(stage: Stage) -> None:
    """Half of each line first, rounded up, then the rest."""
    await stage.play(replace(ORDER, fate=Fate.SHIPPED_IN_PARTS))
    assert stage.turns()[1:] == [("fulfil", {"A": 3, "B": 1}), ("fulfil", {"A": 2})]


async def test_an_order_shipped_in_part_stays_committed(stage: Stage) -> None:
    """What was not shipped yet is still promised."""
    await stage.play(replace(ORDER, fate=Fate.SHIPPED_IN_PART))
    assert stage.turns()[1:] == [("fulfil", {"A": 3, "B": 1})]
    assert stage.states() == [ReservationState.COMMITTED]


@pytest.mark.parametrize(
    ("fate", "turns", "state"),
    [
        (Fate.WAITING, ["commit"], ReservationState.COMMITTED),
        (Fate.OPEN, [], ReservationState.HELD),
        (Fate.RELEASED, ["release"], ReservationState.RELEASED),
    ],
)
async def test_an_order_may_end_sooner(stage: Stage, fate: Fate, turns: list[str], state: ReservationState) -> None:
    """Some wait to be shipped, some carts stay open, some are given up."""
    await stage.play(replace(ORDER, fate=fate))
    assert [turn for turn, _ in stage.turns()] == turns
    assert stage.states() == [state]


async def test_a_cart_left_to_expire_cannot_be_committed(stage: Stage) -> None:
    """The player looks whether it can, and tells that it has expired."""
    await stage.play(replace(ORDER, fate=Fate.EXPIRED))
    assert stage.states() == [ReservationState.HELD]
    await stage.player.lapse()
    assert stage.turns() == [("expire", {})]


async def test_a_hold_that_outlives_its_expiry_ends_the_play(stage: Stage) -> None:
    """A clock that stands still keeps the hold alive; the player does not pass over that."""

    async def never(_: float) -> None:
        return None

    player = Player(stage.shop, stage.acks.append, never)
    await player.play(replace(ORDER, fate=Fate.EXPIRED))
    with pytest.raises(DemoError, match="DONE after it expired"):
        await player.lapse()


async def test_a_quick_cancellation_releases_its_units(stage: Stage) -> None:
    """What is cancelled before it is shipped is not shipped."""
    await stage.play(replace(ORDER, releases=(GivenBack("C2", "A", 2, "1"),)))
    assert stage.turns() == [("commit", {}), ("release", {"A": 2}), ("fulfil", {"A": 3, "B": 1})]


async def test_a_late_cancellation_comes_back(stage: Stage) -> None:
    """What is cancelled after it was shipped is returned to where it was shipped from."""
    await stage.play(replace(ORDER, returns=(GivenBack("C2", "A", 2, "1"),)))
    assert [ack for ack in stage.acks if isinstance(ack, Return)] == [Return(location="leeds", lines=(("A", 2),))]
    on_hand = {stock.sku: stock.on_hand for stock in stage.shop.list_stock()}
    assert on_hand == {"A": 7, "B": 0, "C": 3}


async def test_what_was_never_held_cannot_be_cancelled(stage: Stage) -> None:
    """A cancellation takes back as much as there was, at most."""
    await stage.play(replace(ORDER, lines={"B": 4}, releases=(GivenBack("C2", "B", 4, "1"),)))
    assert stage.turns() == [("commit", {}), ("release", {"B": 1})]


async def test_an_order_may_take_several_locations(stage: Stage) -> None:
    """What one location does not have another may."""
    await stage.play(replace(ORDER, lines={"A": 5, "C": 3}))
    assert {ack.location for ack in stage.acks if isinstance(ack, Grant)} == {"leeds", "york"}
    assert played(stage) == [(2, 2, 2)]


async def test_a_short_line_is_told_as_short(stage: Stage) -> None:
    """A line that is held in part, or not at all, is not held whole."""
    await stage.play(replace(ORDER, lines={"A": 5, "B": 4, "D": 1}))
    assert played(stage) == [(3, 1, 2)]


def played(stage: Stage) -> list[tuple[int, int, int]]:
    """Lines, lines held whole and reserves of each order."""
    return [(ack.lines, ack.whole, ack.reserves) for ack in stage.acks if isinstance(ack, Played)]
