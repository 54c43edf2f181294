from __future__ import annotations

import asyncio
import io
from collections import Counter

import pytest

from adapters.formats import StockMovement, format_of, parse_file
from allocator.core.commands import MovementType
from demo.facts import Kind, StockFact, StockFile
from demo.scene import Scene
from demo.stock import DAMAGED, facts_of, make_stock
from tests.unit.demo.theatre import perform

KINDS: dict[MovementType, Kind] = {
    MovementType.RECEIPT: "receipt",
    MovementType.SALE: "sale",
    MovementType.RETURN: "return",
    MovementType.ADJUSTMENT: "adjustment",
}


def all_files(scene: Scene) -> list[StockFile]:
    """Every file of the play."""
    stocking = scene.stocking
    return [*stocking.opening, *stocking.receipts, *(file for batch in stocking.batches for file in batch)]


def test_the_same_seed_stocks_the_same(scene: Scene) -> None:
    """A play can be repeated."""
    assert make_stock(scene.orders, scene.plan, scene.sites) == scene.stocking


def test_everything_ordered_is_stocked_somewhere(scene: Scene) -> None:
    """No order names a SKU that the service has never heard of."""
    stocked = {fact.sku for fact in facts_of(scene.stocking.opening)}
    assert {sku for order in scene.plan.orders for sku in order.lines} <= stocked


def test_safety_stock_covers_what_is_sold_over_the_counter(scene: Scene) -> None:
    """A till sale never takes what is promised to somebody: it is on the shelf besides, and not promised."""
    opening, sold = Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    for fact in facts_of(scene.stocking.opening):
        opening[fact.location, fact.sku] += fact.quantity
    for sale in scene.plan.till_sales:
        sold[sale.store, sale.sku] += sale.quantity
    for (store, sku), units in sold.items():
        assert scene.stocking.policies[store][sku].safety_stock == units <= opening[store, sku]


def test_write_offs_are_damaged_from_the_opening(scene: Scene) -> None:
    """What is thrown away could not be promised before."""
    damaged, thrown = Counter[str](), Counter[str]()
    for fact in facts_of(scene.stocking.opening):
        damaged[fact.sku] += fact.quantity if fact.disposition == DAMAGED else 0
    for off in scene.plan.write_offs:
        thrown[off.sku] += off.quantity
    assert +damaged == thrown


def test_names_and_numbers_are_unique(scene: Scene) -> None:
    """No file takes the place of another, and no fact is taken for the repeat of another."""
    files = all_files(scene)
    assert len({file.name for file in files}) == len(files)
    numbers = [(file.source, fact.number) for file in files for fact in file.facts]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("part", ["opening", "receipts", "batches"])
def test_the_adapter_reads_every_file_as_it_was_meant(scene: Scene, part: str) -> None:
    """CSV and CloudEvents carry every fact whole."""
    found = getattr(scene.stocking, part)
    files: list[StockFile] = [file for batch in found for file in batch] if part == "batches" else list(found)
    for file in files:
        lines = list(parse_file(io.BytesIO(file.content()), format_of(file.name) or ""))
        assert [as_fact(file, line.outcome) for line in lines] == list(file.facts)


def as_fact(file: StockFile, movement: object) -> StockFact:
    """The fact that the adapter read."""
    assert isinstance(movement, StockMovement), movement
    assert movement.source == file.source
    return StockFact(
        movement.location,
        movement.sku,
        KINDS[movement.type],
        movement.quantity,
        movement.movement_id,
        movement.disposition,
        movement.reference,
    )


def test_about_one_line_in_twenty_runs_short(scene: Scene) -> None:
    """The made-up stock is as scarce as the demo says."""
    score = asyncio.run(perform(scene, scene.plan.orders)).score
    assert 0.04 < score.refused / score.lines < 0.06
