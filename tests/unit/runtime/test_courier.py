from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allocator.core.commands import Commit, GetReservation, GetStock, Movement, MovementType, Reserve
from allocator.core.ids import reservation_id
from allocator.core.limits import NS_PER_S, LedgerLimits
from allocator.core.network.types import Location
from allocator.core.protocol.types import Open, PartSpec, hold_id
from allocator.core.results import StockView
from tests.support.local_links import LocalLinks

HOME, SHOP = "dc", "shop"
R = reservation_id(HOME, "r1")
HOLD = hold_id(R, "token")
MINUTE_NS = 60 * NS_PER_S
WAIT_S = 15.0


@pytest.fixture
def links(tmp_path: Path) -> Iterator[LocalLinks]:
    """Two locations in two actors; the shop has ten figs, and parts ask after a second."""
    placed = {"actor-0000": (Location(HOME),), "actor-0001": (Location(SHOP),)}
    links = LocalLinks(tmp_path, placed, limits=LedgerLimits(open_grace_ns=NS_PER_S))
    links.actors["actor-0001"].ask(SHOP, [Movement("erp", "m1", 0, "fig", MovementType.RECEIPT, 10)])
    yield links
    links.stop()


def figs(links: LocalLinks) -> StockView:
    """The figs of the shop."""
    (page,) = links.actors["actor-0001"].ask(SHOP, [GetStock(("fig",))])
    view: StockView = page.rows[0]
    return view


def hold(links: LocalLinks) -> None:
    """Hold four figs at the shop as a part of a reservation of the warehouse."""
    command = Reserve(HOLD, HOLD, (("fig", 4),), MINUTE_NS, home=HOME, elsewhere=True)
    links.actors["actor-0001"].ask(SHOP, [command])


def becomes(true: Callable[[], bool]) -> bool:
    """Whether it becomes true in time."""
    deadline_s = time.monotonic() + WAIT_S
    while not true() and time.monotonic() < deadline_s:
        pass
    return true()


def test_a_decision_reaches_the_participant_without_a_gateway(links: LocalLinks) -> None:
    """The home repeats what it decided until the part has followed: a dead gateway leaves nothing half done."""
    hold(links)
    opened = Open("r1", R, (PartSpec(HOLD, SHOP, (("fig", 4),)),), MINUTE_NS)
    links.actors["actor-0000"].ask(HOME, [opened, Commit("c1", R)])
    assert becomes(lambda: figs(links).committed == 4)
    assert figs(links).held == 0


def test_a_part_without_a_header_is_given_back(links: LocalLinks) -> None:
    """A gateway died after it held: the part asks its home, which does not know it, and lets go."""
    hold(links)
    assert figs(links).held == 4
    assert becomes(lambda: figs(links).held == 0)
    opened = Open("r1", R, (PartSpec(HOLD, SHOP, (("fig", 4),)),), MINUTE_NS)
    (late,) = links.actors["actor-0000"].ask(HOME, [opened])
    assert (late.status, late.parts) == (3, ())


def test_an_actor_that_is_away_is_told_when_it_is_back(links: LocalLinks) -> None:
    """The home keeps its decision until the participant has recovered and followed."""
    hold(links)
    opened = Open("r1", R, (PartSpec(HOLD, SHOP, (("fig", 4),)),), MINUTE_NS)
    with links.actors["actor-0001"].recovering():
        links.actors["actor-0000"].ask(HOME, [opened, Commit("c1", R)])
    assert becomes(lambda: figs(links).committed == 4)


def test_what_left_by_a_movement_is_told_to_the_home(links: LocalLinks) -> None:
    """A shipment that the shop's system records fulfils the part, and the home's reservation says so."""
    hold(links)
    opened = Open("r1", R, (PartSpec(HOLD, SHOP, (("fig", 4),)),), MINUTE_NS)
    links.actors["actor-0000"].ask(HOME, [opened, Commit("c1", R)])
    assert becomes(lambda: figs(links).committed == 4)
    shipment = Movement("wms", "s1", 0, "fig", MovementType.SHIPMENT, 4, reservation=R)
    links.actors["actor-0001"].ask(SHOP, [shipment])

    def fulfilled() -> int:
        (page,) = links.actors["actor-0000"].ask(HOME, [GetReservation(R)])
        return int(page.rows[0].lines[0].fulfilled)

    assert becomes(lambda: fulfilled() == 4)
    assert figs(links).on_hand == 6
