from __future__ import annotations

from datetime import datetime, timedelta

from demo.orders import Row, demand, read_orders, sort_out

MORNING = datetime(2010, 12, 1, 8)  # noqa: DTZ001  # as in the cut


def row(invoice: str, sku: str, quantity: int, customer: str = "17850", hours: float = 0) -> Row:
    """Make a line of the cut."""
    return Row(invoice, sku, quantity, customer, "United Kingdom", MORNING + timedelta(hours=hours))


def test_lines_of_the_same_sku_in_an_order_are_summed() -> None:
    """An order has each SKU once, as the service would make it."""
    book = sort_out([row("1", "A", 2), row("1", "B", 1), row("1", "A", 3)])
    assert [(order.number, order.lines) for order in book.orders] == [("1", {"A": 5, "B": 1})]
    assert book.source_lines == 3


def test_a_cancellation_takes_back_the_newest_purchase_that_covers_it() -> None:
    """A cancelled line belongs to the customer's latest order that had as many units of the SKU."""
    rows = [row("1", "A", 6), row("2", "A", 6, hours=1), row("3", "A", 2, hours=2), row("C4", "A", -4, hours=3)]
    (line,) = sort_out(rows).given_back
    assert (line.order, line.quantity, line.hours_later) == ("2", 4, 2.0)


def test_a_purchase_is_taken_back_only_once() -> None:
    """Units that were cancelled already cannot be cancelled again."""
    rows = [row("1", "A", 6), row("C2", "A", -6), row("C3", "A", -6)]
    assert [line.order for line in sort_out(rows).given_back] == ["1", ""]


def test_a_cancellation_of_somebody_else_matches_nothing() -> None:
    """Customers cancel their own purchases only, and an unknown customer none."""
    rows = [row("1", "A", 6), row("C2", "A", -6, customer="1"), row("3", "A", 6, ""), row("C4", "A", -6, "")]
    assert [line.order for line in sort_out(rows).given_back] == ["", ""]


def test_a_negative_line_of_an_invoice_is_a_write_off() -> None:
    """Units that were thrown away are no order and no cancellation."""
    book = sort_out([row("1", "A", -6, "")])
    assert [(off.sku, off.quantity) for off in book.write_offs] == [("A", 6)]
    assert (book.orders, book.given_back) == ((), ())


def test_every_number_in_the_cut_is_unique() -> None:
    """Movements are told apart by these numbers."""
    book = read_orders()
    numbers = [line.number for line in book.given_back] + [off.number for off in book.write_offs]
    assert len(numbers) == len(set(numbers))


def test_the_cut_is_the_one_its_readme_describes() -> None:
    """The counts in demo/data/README.md hold."""
    book = read_orders()
    assert (len(book.orders), book.source_lines) == (1_170, 30_426)
    assert sum(demand(book.orders).values()) == 252_401
    assert (len(book.given_back), len(book.write_offs)) == (485, 68)
    assert sum(bool(line.order) for line in book.given_back) == 150
