from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from allocator.client import Stock
from demo.acks import Grant, Turn
from demo.audit import Found, audit, compare
from demo.book import Book, oversold
from demo.erp import ErpTables
from demo.facts import StockFact
from demo.scene import Scene
from demo.stock import Policy
from tests.unit.demo.theatre import Theatre, perform

CHECKS = ("ListStock", "GetStock", "ListReservations", "held at locations", "ERP positions", "ERP postings")


def drifts(played: Theatre, **doctored: Any) -> dict[str, int]:  # noqa: ANN401  # fields of Found
    """What the audit finds when something is told that is not so; only where there is drift."""
    verdict = audit(played.book, replace(played.found, **doctored), played.now_s())
    assert verdict.clean == (not verdict.drift)
    return {check.where: check.drift for check in verdict.checks if check.drift}


def test_an_honest_play_is_clean(played: Theatre) -> None:
    """Every number agrees, and there were numbers to compare in every check."""
    verdict = audit(played.book, played.found, played.now_s())
    assert (verdict.oversold, verdict.drift, verdict.clean) == (0, 0, True)
    assert tuple(check.where for check in verdict.checks) == CHECKS
    assert all(check.numbers for check in verdict.checks)
    assert {type(ack).__name__ for ack in played.acks} == {"Grant", "Turn", "Return", "Played", "Finished"}


@pytest.mark.parametrize("field", ["on_hand", "held", "committed", "safety_stock", "available"])
@pytest.mark.parametrize("where", ["listed", "got"])
def test_one_unit_more_at_the_service_is_drift(played: Theatre, where: str, field: str) -> None:
    """Whatever column it is in, and whichever call tells it."""
    first, *rest = played.found.listed
    doctored = replace(first, **{field: getattr(first, field) + 1})
    name = {"listed": "ListStock", "got": "GetStock"}[where]
    assert drifts(played, **{where: [doctored, *rest]}) == {name: 1}


def test_stock_that_the_service_does_not_tell_is_drift(played: Theatre) -> None:
    """A lost row counts with all that should be in it."""
    rows = list(played.found.listed)
    lost = max(rows, key=lambda row: row.on_hand)
    assert drifts(played, listed=[row for row in rows if row is not lost])["ListStock"] >= lost.on_hand > 0


def test_stock_that_nobody_brought_is_drift(played: Theatre) -> None:
    """A row too many counts as well."""
    ghost = Stock("GHOST", "leeds-1", 3, {}, 0, 0, 0, (), 3, 1)
    assert drifts(played, listed=[*played.found.listed, ghost]) == {"ListStock": 6}


def test_a_lost_reservation_is_drift(played: Theatre) -> None:
    """An acknowledged hold that is not there any more is found by its open units."""
    first, *rest = played.found.reservations
    assert drifts(played, reservations=rest) == {"ListReservations": sum(line.open for line in first.lines)}


def test_a_location_that_holds_units_for_nobody_is_drift(played: Theatre) -> None:
    """A part that did not follow its home's decision is found where it is."""
    first, *_ = parts = list(played.found.parts)
    ghost = replace(first, name="GHOST")
    assert drifts(played, parts=[*parts, ghost]) == {"held at locations": sum(line.open for line in first.lines)}


def test_a_reservation_that_nobody_was_told_of_is_drift(played: Theatre) -> None:
    """A write that was refused, yet happened, is found too."""
    (first, *_), reservations = played.found.reservations, list(played.found.reservations)
    ghost = replace(first, name="GHOST")
    assert drifts(played, reservations=[*reservations, ghost]) == {
        "ListReservations": sum(line.open for line in first.lines)
    }


def test_a_wrong_position_in_the_erp_is_drift(played: Theatre) -> None:
    """Each column of each row is looked at."""
    erp = played.found.erp
    key, row = next(iter(erp.positions.items()))
    positions = {**erp.positions, key: {**row, "held": row["held"] + 2}}
    assert drifts(played, erp=replace(erp, positions=positions)) == {"ERP positions": 2}


def test_a_posting_made_twice_is_drift(played: Theatre) -> None:
    """Five units posted again are five units off."""
    erp = played.found.erp
    key, row = next(iter(erp.postings.items()))
    postings = {**erp.postings, key: {**row, "on_hand": row["on_hand"] - 5}}
    assert drifts(played, erp=replace(erp, postings=postings)) == {"ERP postings": 5}


def test_an_empty_erp_is_drift(played: Theatre) -> None:
    """An exporter that stands still does not pass."""
    assert set(drifts(played, erp=ErpTables({}, {}))) == {"ERP positions", "ERP postings"}


async def test_a_repeat_that_was_booked_twice_is_drift(scene: Scene) -> None:
    """Had the service taken the file that came again for new, the stock would be off by what is in it."""
    played = await perform(scene, scene.plan.orders[:5])
    again = played.scene.stocking.batches[0][0].facts
    played.shop.stock(again)
    assert drifts(played)["ListStock"] >= sum(fact.quantity for fact in again)


def test_granting_more_than_there_is_is_overselling() -> None:
    """Seven units promised of five are two too many, whatever the service says of it."""
    book = Book()
    book.move([StockFact("leeds", "A", "receipt", 5, "")])
    for name in ("R1", "R2"):
        lines = (("A", "leeds", 3 if name == "R1" else 4),)
        book.acknowledge(Grant(order="1", reservation=name, lines=lines, expires_s=900.0, latency_ms=1.0))
    book.acknowledge(Turn(turn="commit", reservation="R1"))
    assert oversold(book.positions(0.0)) == 2
    book.acknowledge(Turn(turn="fulfil", reservation="R1", lines=(("A", "leeds", 3),)))
    assert oversold(book.positions(0.0)) == 2
    verdict = audit(book, Found((), (), (), (), ErpTables({}, {})), 0.0)
    assert (verdict.oversold, verdict.clean) == (2, False)


def test_promising_damaged_goods_is_overselling() -> None:
    """Units that cannot be sold are not there to be promised."""
    book = Book()
    book.move([StockFact("leeds", "A", "receipt", 5, "", "damaged")])
    book.acknowledge(Grant(order="1", reservation="R1", lines=(("A", "leeds", 1),), expires_s=900.0, latency_ms=1.0))
    assert oversold(book.positions(0.0)) == 1


def test_a_hold_whose_time_is_over_holds_nothing() -> None:
    """The book knows when a hold ends, and needs nobody to tell it."""
    book = Book()
    book.move([StockFact("leeds", "A", "receipt", 5, "")])
    book.acknowledge(Grant(order="1", reservation="R1", lines=(("A", "leeds", 2),), expires_s=900.0, latency_ms=1.0))
    assert [book.positions(now_s)["leeds", "A"].held for now_s in (899.0, 900.0)] == [2, 0]


def test_a_quota_shrinks_with_what_its_channel_ships() -> None:
    """Sold units leave the ring-fence, reserved ones use it up."""
    book = Book()
    book.move([StockFact("leeds", "A", "receipt", 10, "")])
    book.set_policies({"leeds": {"A": Policy(safety_stock=1, quota=4)}})
    book.acknowledge(
        Grant(
            order="1",
            reservation="R1",
            channel="marketplace",
            lines=(("A", "leeds", 3),),
            expires_s=900.0,
            latency_ms=1.0,
        )
    )
    assert book.positions(0.0)["leeds", "A"]._asdict() == {
        "on_hand": 10,
        "unsellable": 0,
        "held": 3,
        "committed": 0,
        "safety_stock": 1,
        "quota": 4,
        "available": 5,
    }
    book.acknowledge(Turn(turn="commit", reservation="R1"))
    book.acknowledge(Turn(turn="fulfil", reservation="R1", lines=(("A", "leeds", 3),)))
    position = book.positions(0.0)["leeds", "A"]
    assert (position.quota, position.available) == (1, 5)


def test_a_difference_says_where_it_is() -> None:
    """People read it."""
    (difference,) = compare("X", {("leeds", "A"): {"held": 1}}, {("leeds", "A"): {"held": 3}}).differences
    assert str(difference) == "X: held of A at leeds is 3, expected 1"
