from __future__ import annotations

from collections import Counter

from allocator.client import CheckedLine, ReservePolicy
from demo.choosing import Choice, choose


def line(sku: str, wanted: int, **units: int) -> CheckedLine:
    """A checked line; `units` by location."""
    total = sum(units.values())
    return CheckedLine(sku, wanted, sufficient=total >= wanted, total=total, quantities=units)


def test_the_location_with_most_of_the_lines_gets_them() -> None:
    """Fewest parcels, plainly."""
    lines = [line("A", 2, leeds=9, york=2), line("B", 1, york=1), line("C", 4, leeds=3, york=3)]
    assert choose(lines, "1") == Choice("york", {"A": 2, "B": 1}, ReservePolicy.ALL_OR_NOTHING)


def test_of_what_nobody_has_whole_the_customer_gets_what_there_is() -> None:
    """The location that can help with most lines gives its parts."""
    lines = [line("A", 9, leeds=2, york=3), line("B", 9, york=1)]
    assert choose(lines, "1") == Choice("york", {"A": 9, "B": 9}, ReservePolicy.PARTIAL)


def test_nothing_anywhere_is_no_choice() -> None:
    """There is nothing to ask for."""
    assert choose([line("A", 1)], "1") is None


def test_equal_locations_share_the_orders() -> None:
    """Neither gets all of them, and the same order always goes to the same."""
    lines = [line("A", 1, leeds=5, york=5)]
    choices = [choose(lines, str(n)) for n in range(200)]
    assert min(Counter(choice.location for choice in choices if choice).values()) > 50
    assert choices == [choose(lines, str(n)) for n in range(200)]
