"""Checks of a command's own content; what they find is an error answer, and nothing was changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.limits import LINES_MAX, QUANTITY_MAX, TTL_MAX_NS, TTL_MIN_NS
from allocator.core.results import Reason, Rejected

if TYPE_CHECKING:
    from allocator.core.commands import Lines
    from allocator.core.stock import StockColumns


def invalid(field: str, detail: str) -> Rejected:
    """An INVALID answer about `field`."""
    return Rejected(Reason.INVALID, field, detail)


def check_lines(lines: Lines, least: int = 1) -> Rejected | None:
    """Whether there are 1 to `LINES_MAX` lines of `least` to `QUANTITY_MAX` units each."""
    if not 0 < len(lines) <= LINES_MAX:
        return invalid("lines", f"{len(lines)} lines; 1 to {LINES_MAX} are allowed")
    for i, (_, quantity) in enumerate(lines):
        if not least <= quantity <= QUANTITY_MAX:
            return invalid(f"lines[{i}].quantity", f"{quantity}; {least} to {QUANTITY_MAX} are allowed")
    return None


def check_ttl(ttl_ns: int) -> Rejected | None:
    """Whether a hold may last `ttl_ns`."""
    if not TTL_MIN_NS <= ttl_ns <= TTL_MAX_NS:
        return invalid("ttl", f"{ttl_ns / 1e9:g} s; 1 s to {TTL_MAX_NS // 10**9} s (4 h) are allowed")
    return None


def check_known(stock: StockColumns, skus: tuple[str, ...]) -> Rejected | None:
    """Whether every SKU was stocked here at some time."""
    for i, sku in enumerate(skus):
        if sku not in stock.index:
            return Rejected(Reason.SKU_UNKNOWN, f"lines[{i}].sku", f"SKU {sku!r} was never stocked here")
    return None
