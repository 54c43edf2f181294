from __future__ import annotations

from allocator.client import Position
from demo.asks import LINES_MAX, WEIGHT_BOUNDS_G, ask, consignments, unit_weight_g
from demo.places import CAPITALS
from demo.plan import MARKETPLACE, Fate, PlannedOrder
from demo.scene import Scene


def test_a_long_order_is_split_into_as_few_pieces_as_may_be() -> None:
    """Nothing is lost or doubled, and no piece is too long."""
    lines = {f"S{n}": n + 1 for n in range(2 * LINES_MAX + 1)}
    pieces = consignments(PlannedOrder("1", lines, "", Fate.SHIPPED, CAPITALS["France"]))
    assert [len(piece) for piece in pieces] == [LINES_MAX, LINES_MAX, 1]
    assert {sku: units for piece in pieces for sku, units in piece.items()} == lines


def test_an_ask_says_all_that_sourcing_needs() -> None:
    """Where it goes, how fast, on which channel, and what it weighs."""
    order = PlannedOrder("1", {"A": 2}, MARKETPLACE, Fate.SHIPPED, CAPITALS["France"], "standard")
    asked = ask(order, order.lines)
    assert (asked.destination, asked.country_code) == (Position(48.857, 2.352), "FR")
    assert (asked.channel, asked.service_level, asked.allow_shortfall) == (MARKETPLACE, "standard", True)
    assert asked.unit_weights_grams == {"A": unit_weight_g("A")}


def test_units_weigh_what_such_goods_may_weigh(scene: Scene) -> None:
    """Every SKU its own weight, within bounds."""
    skus = {sku for order in scene.plan.orders for sku in order.lines}
    weights = {unit_weight_g(sku) for sku in skus}
    least, most = WEIGHT_BOUNDS_G
    assert least <= min(weights) < max(weights) <= most
    assert len(weights) > 300
