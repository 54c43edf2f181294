from __future__ import annotations

from collections import Counter

from demo.orders import demand
from demo.places import HOME
from demo.plan import NEXT_DAY, RELEASE_HOURS_MAX, STANDARD, Fate, make_plan
from demo.scene import Scene


def test_the_same_seed_draws_the_same_lots(scene: Scene) -> None:
    """Every process of the play draws by itself, and must come to the same plan."""
    assert make_plan(scene.orders, scene.sites.stores) == scene.plan
    assert make_plan(scene.orders, scene.sites.stores, seed=1) != scene.plan


def test_every_unit_is_played_once(scene: Scene) -> None:
    """What was ordered is either ordered or sold over the counter, and nothing else is."""
    played = Counter[str]()
    for order in scene.plan.orders:
        played.update(order.lines)
    for sale in scene.plan.till_sales:
        played[sale.sku] += sale.quantity
    assert played == demand(scene.orders.orders)


def test_every_order_keeps_a_line(scene: Scene) -> None:
    """No order is sold over the counter altogether."""
    assert len(scene.plan.orders) == len(scene.orders.orders)
    assert all(order.lines for order in scene.plan.orders)


def test_a_cancelled_order_has_its_line_and_is_shipped(scene: Scene) -> None:
    """There is something to take back, and it comes back from where it went."""
    for order in scene.plan.orders:
        for line in (*order.releases, *order.returns):
            assert line.sku in order.lines
            assert order.fate is Fate.SHIPPED


def test_a_quick_cancellation_is_a_release_and_a_late_one_a_return(scene: Scene) -> None:
    """All cancellations are played, each in the way of its time."""
    releases = [line for order in scene.plan.orders for line in order.releases]
    returns = [line for order in scene.plan.orders for line in order.returns]
    assert all(line.hours_later < RELEASE_HOURS_MAX for line in releases)
    assert all(line.hours_later >= RELEASE_HOURS_MAX for line in returns)
    assert len(releases) + len(returns) + len(scene.plan.returns) == len(scene.orders.given_back)


def test_every_fate_is_met(scene: Scene) -> None:
    """The play shows every way an order may end."""
    assert {order.fate for order in scene.plan.orders} == set(Fate)


def test_nobody_abroad_is_in_a_hurry(scene: Scene) -> None:
    """Both service levels are asked for, overnight only where a lane goes overnight."""
    assert {order.service_level for order in scene.plan.orders} == {STANDARD, NEXT_DAY}
    assert {order.place.country for order in scene.plan.orders if order.service_level == NEXT_DAY} == {HOME}
