from __future__ import annotations

import pytest

from allocator.core.network.types import Group, Kind, Lane, Location, Mode, Profile
from allocator.core.sourcing import Assignment, Filter, Outcome, StockPicture, explain, source
from tests.unit.core.sourcing.worlds import CHEAPEST, DAY_NS, NOW, PARCEL, order_of, stock_of, table_of

HULL, LEEDS, YORK = (Location(name, kind=Kind.DARK_STORE) for name in ("hull", "leeds", "york"))


def emptied(place: Location, stock: StockPicture, **order: object) -> tuple[Filter | None, str]:
    """The filter that a single location does not pass, and what is said of it."""
    table = table_of(place, groups=(Group("north", "", ("york",)), Group("all", "", ("york", "leeds"))))
    explanation = explain(table, order_of(2, **order), stock)
    assert explanation.sourcing.plans == ()
    assert explanation.verdicts[0].outcome == Outcome.FILTERED
    return explanation.sourcing.emptied_by, explanation.verdicts[0].detail


PLENTY = stock_of([9])


@pytest.mark.parametrize(
    ("place", "order", "expected", "words"),
    [
        (LEEDS, {"group": "north"}, Filter.GROUP, "group 'north'"),
        (LEEDS, {"only": ("york",)}, Filter.GROUP, "asked for"),
        (LEEDS, {"excluded": ("leeds",)}, Filter.GROUP, "excluded"),
        (LEEDS._replace(open=False), {}, Filter.OPEN, "closed"),
        (LEEDS._replace(channels=("shop",)), {"channel": "web"}, Filter.CHANNEL, "'web'"),
        (LEEDS, {"mode": Mode.SHIP_FROM_STORE}, Filter.MODE, "SHIP_FROM_STORE"),
        (LEEDS, {"mode": Mode.PICKUP, "pickup_location": "york"}, Filter.MODE, "at 'york'"),
        (LEEDS, {"service_level": "drone"}, Filter.SERVICE_LEVEL, "'drone'"),
        (LEEDS._replace(handling_days=2), {"promise_by_ns": NOW + DAY_NS}, Filter.PROMISE, "2025-06-17"),
    ],
)
def test_each_filter_empties_the_list_and_says_so(
    place: Location, order: dict[str, object], expected: Filter, words: str
) -> None:
    """With a reason in words for the location."""
    name, detail = emptied(place, PLENTY, **order)
    assert name == expected
    assert words in detail


def test_stock_capacity_and_age_filter() -> None:
    """A full window, data too old, and nothing there, in that order."""
    old = PLENTY._replace(age_s=PLENTY.age_s + 90)
    profile = CHEAPEST._replace(age_max_s=60.0)
    assert emptied(LEEDS, stock_of([9], left=[0]))[0] == Filter.CAPACITY
    assert emptied(LEEDS, old, profile=profile) == (Filter.FRESHNESS, "its data are 90 s old, at most 60 s are allowed")
    assert emptied(LEEDS, stock_of([0]))[0] == Filter.STOCK


def test_an_empty_network_is_emptied_by_the_first_filter() -> None:
    """There is nobody to pass it."""
    table = table_of()
    answer = source(table, order_of(1), stock_of([]))
    assert (answer.plans, answer.partial, answer.emptied_by) == ((), None, Filter.GROUP)


def test_one_parcel_is_cheaper_than_two() -> None:
    """Though york and hull together have everything too."""
    answer = source(table_of(HULL, LEEDS, YORK), order_of(2, 1), stock_of([2, 5, 0], [0, 5, 1]))
    assert answer.plans[0].assignments == (Assignment("apple", "leeds", 2), Assignment("fig", "leeds", 1))
    assert [plan.locations for plan in answer.plans] == [("leeds",), ("hull", "york")]


def test_a_line_is_split_when_nobody_has_all_of_it() -> None:
    """Cheapest unit first."""
    lanes = (PARCEL, Lane("near", "standard", origin_location="york", parcel_micros=3_000_000))
    plan = source(table_of(HULL, YORK, lanes=lanes), order_of(5), stock_of([4, 4])).plans[0]
    assert plan.assignments == (Assignment("apple", "hull", 1), Assignment("apple", "york", 4))


def test_equal_plans_go_by_parcels_then_priority_then_name() -> None:
    """Whatever the order in which the locations are told."""
    nothing = Profile("free", cost=0.0, lateness=1.0)
    places = [HULL._replace(priority=2), YORK._replace(priority=1), LEEDS._replace(priority=2)]
    plans = source(table_of(*places), order_of(1, profile=nothing), stock_of([1, 1, 1])).plans
    assert [plan.locations for plan in plans] == [("york",), ("hull",), ("leeds",)]


def test_without_backorder_a_short_order_has_no_plan_but_a_partial_one() -> None:
    """It serves the most units there are."""
    answer = source(table_of(HULL, LEEDS), order_of(5, 3), stock_of([1, 2], [0, 2]))
    assert (answer.plans, answer.emptied_by) == ((), None)
    assert answer.partial is not None
    assert answer.partial.shortfall == (("apple", 2), ("fig", 1))


def test_with_backorder_what_there_is_is_shipped() -> None:
    """The shortfall holds nothing up."""
    answer = source(table_of(HULL, LEEDS), order_of(5, 3, backorder=True), stock_of([1, 2], [0, 2]))
    assert answer.plans[0].shortfall == (("apple", 2), ("fig", 1))
    assert answer.partial is None


def test_splits_are_limited() -> None:
    """By the order, or else by the profile."""
    table, stock = table_of(HULL, LEEDS, YORK), stock_of([1, 1, 1])
    assert len(source(table, order_of(3), stock).plans[0].parcels) == 3
    assert source(table, order_of(3, splits_max=2), stock).plans == ()
    profile = CHEAPEST._replace(splits_max=2)
    assert source(table, order_of(3, profile=profile), stock).plans == ()
    assert source(table, order_of(3, profile=profile, splits_max=3), stock).plans


def test_capacity_in_units_is_kept() -> None:
    """Two units fit at leeds, so that the others come from hull, though one parcel would be cheaper."""
    answer = source(table_of(HULL, LEEDS), order_of(2, 2), stock_of([1, 9], [9, 9], left=[100, 2]))
    assert answer.plans[0].shortfall == ()
    units = {parcel.location: parcel.units for parcel in answer.plans[0].parcels}
    assert units == {"hull": 3, "leeds": 1}


def test_capacity_in_orders_takes_any_number_of_units() -> None:
    """One order is left, and it may be big."""
    plan = source(table_of(LEEDS), order_of(50), stock_of([60], left=[1], by_order=True)).plans[0]
    assert plan.parcels[0].units == 50
    assert plan.parcels[0].terms[4].raw == pytest.approx(1.0)


def test_stock_cover_spares_a_location_that_would_be_drained() -> None:
    """With its weight, the location with more stock gives, though it is the later one."""
    drained = Profile("cover", cost=1.0, stock_cover=1.0)
    table, stock = table_of(HULL, LEEDS), stock_of([2, 20])
    assert source(table, order_of(2), stock).plans[0].locations == ("hull",)
    assert source(table, order_of(2, profile=drained), stock).plans[0].locations == ("leeds",)


def test_a_pickup_is_in_one_place_and_costs_nothing() -> None:
    """Ready on the day of dispatch."""
    order = order_of(2, mode=Mode.PICKUP, service_level="", pickup_location="york")
    plan = source(table_of(HULL, YORK), order, stock_of([5, 5])).plans[0]
    assert (plan.locations, plan.cost_micros, plan.parcels[0].lane) == (("york",), 0, "")
    assert plan.dispatch_day == plan.delivery_day
    anywhere = order_of(2, mode=Mode.PICKUP, service_level="")
    assert source(table_of(HULL, YORK), anywhere, stock_of([1, 1])).plans == ()


def test_ship_from_store_is_for_stores() -> None:
    """A store ships from store and a centre ships, unless they say otherwise."""
    store, centre = LEEDS._replace(kind=Kind.STORE), YORK._replace(kind=Kind.DISTRIBUTION_CENTRE)
    table, stock = table_of(store, centre, HULL._replace(kind=Kind.STORE, modes=(Mode.SHIP,))), stock_of([5, 5, 5])
    assert [plan.locations for plan in source(table, order_of(1), stock).plans] == [("hull",), ("york",)]
    from_store = source(table, order_of(1, mode=Mode.SHIP_FROM_STORE), stock).plans
    assert [plan.locations for plan in from_store] == [("leeds",)]


def test_one_that_was_outscored_says_what_it_could_do() -> None:
    """Its terms, and what it would miss."""
    verdicts = explain(table_of(HULL, LEEDS), order_of(3), stock_of([1, 5])).verdicts
    assert [verdict.outcome for verdict in verdicts] == [Outcome.OUTSCORED, Outcome.CHOSEN]
    assert "miss 2 of 3 units" in verdicts[0].detail
    assert verdicts[0].terms[0].weighted == pytest.approx(3.1)
