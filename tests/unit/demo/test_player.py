from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from allocator.client import ReservationState
from allocator.core.network.types import Lane, Location, Mode
from allocator.network_file import NetworkFile
from demo.acks import Ack, Grant, Parcel, Played, Return, Turn
from demo.asks import LINES_MAX
from demo.errors import DemoError
from demo.facts import StockFact
from demo.orders import GivenBack
from demo.places import CAPITALS, Place
from demo.plan import Fate, PlannedOrder
from demo.player import Player
from tests.unit.demo.ledger_shop import LedgerShop

PLACE = Place("Leeds", "GB", 53.8, -1.55)
ORDER = PlannedOrder("1", {"A": 5, "B": 1}, "", Fate.SHIPPED, PLACE)
NETWORK = NetworkFile(
    locations=(
        Location("leeds", position=(53.8, -1.55), time_zone="Europe/London", modes=(Mode.SHIP,)),
        Location("york", position=(53.96, -1.08), time_zone="Europe/London", modes=(Mode.SHIP,)),
    ),
    groups=(),
    capacities={},
    lanes=(Lane("van", "standard", countries=("GB",), transit=((0, 2),), parcel_micros=4_000_000),),
)


class Stage:
    """A shop with 10 A and 1 B in Leeds and 3 C in York, and a player."""

    def __init__(self) -> None:
        self.shop = LedgerShop(NETWORK)
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
        """What reservations went through, with units by SKU."""
        return [(ack.turn, by_sku(ack)) for ack in self.acks if isinstance(ack, Turn)]

    def states(self) -> list[ReservationState]:
        """How the reservations stand."""
        return [self.shop.reservation(ack.reservation).state for ack in self.acks if isinstance(ack, Grant)]


def by_sku(ack: Turn) -> dict[str, int]:
    """Units of a turn over all locations."""
    return dict(sum((Counter({sku: units}) for sku, _, units in ack.lines), Counter[str]()))


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
    (grant,) = [ack for ack in stage.acks if isinstance(ack, Grant)]
    assert grant.lines == (("A", "leeds", 5), ("C", "york", 3))
    assert grant.parcels == (Parcel("leeds", 5, 4_000_000, 2), Parcel("york", 3, 4_000_000, 2))
    assert stage.turns() == [("commit", {}), ("fulfil", {"A": 5, "C": 3})]
    assert played(stage) == [(2, 2, 1)]


async def test_an_order_over_several_locations_is_shipped_in_two_parts(stage: Stage) -> None:
    """Half of what each location has of it first, then the rest."""
    await stage.play(replace(ORDER, lines={"A": 5, "C": 3}, fate=Fate.SHIPPED_IN_PARTS))
    assert stage.turns()[1:] == [("fulfil", {"A": 3, "C": 2}), ("fulfil", {"A": 2, "C": 1})]
    assert stage.states() == [ReservationState.FULFILLED]


async def test_what_comes_back_goes_to_each_place_it_was_shipped_from(stage: Stage) -> None:
    """No location gets more back than it sent."""
    stage.shop.stock([StockFact("york", "A", "receipt", 10, "")])
    await stage.play(replace(ORDER, lines={"A": 15}, returns=(GivenBack("C2", "A", 15, "1"),)))
    returned = {ack.location: dict(ack.lines)["A"] for ack in stage.acks if isinstance(ack, Return)}
    sent = {ack.location: ack.units for grant in stage.acks if isinstance(grant, Grant) for ack in grant.parcels}
    assert returned == sent
    assert sum(returned.values()) == 15


async def test_an_order_that_is_too_long_goes_in_several_reservations(stage: Stage) -> None:
    """Each is as long as can be sourced at once, and all are shipped."""
    lines = {f"S{n}": 1 for n in range(LINES_MAX + 1)}
    stage.shop.stock([StockFact("leeds", sku, "receipt", 1, "") for sku in lines])
    await stage.play(replace(ORDER, lines=lines))
    assert played(stage) == [(LINES_MAX + 1, LINES_MAX + 1, 2)]
    assert stage.states() == [ReservationState.FULFILLED] * 2


async def test_an_order_that_nobody_serves_is_refused(stage: Stage) -> None:
    """It is told without a reservation, and nothing follows."""
    await stage.play(replace(ORDER, place=CAPITALS["Japan"]))
    assert [ack.reservation for ack in stage.acks if isinstance(ack, Grant)] == [""]
    assert (played(stage), stage.turns()) == ([(2, 0, 1)], [])


async def test_a_short_line_is_told_as_short(stage: Stage) -> None:
    """A line that is held in part, or not at all, is not held whole."""
    await stage.play(replace(ORDER, lines={"A": 5, "B": 4, "D": 1}))
    assert played(stage) == [(3, 1, 1)]


def played(stage: Stage) -> list[tuple[int, int, int]]:
    """Lines, lines held whole and calls of each order."""
    return [(ack.lines, ack.whole, ack.allocates) for ack in stage.acks if isinstance(ack, Played)]
