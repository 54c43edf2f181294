"""SetCount: absolute counts as of a watermark, with compare-and-set and a dry run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allocator.core.checks import check_known, check_lines, invalid
from allocator.core.codec import KIND
from allocator.core.commands import SetCount
from allocator.core.events import Counted, Refused
from allocator.core.limits import CLOCK_SKEW_MAX_NS
from allocator.core.moving import count_refusal
from allocator.core.results import CountLine, CountResult, CountStatus
from allocator.core.shortages import as_result, shortage_after

if TYPE_CHECKING:
    from allocator.core.ledger import Decision, StockLedger
    from allocator.core.results import Rejected


def decide(ledger: StockLedger, command: SetCount, now_ns: int) -> Decision:
    """Set on_hand to the counts plus what happened since, or tell the drift when only validating."""
    problem = _problem(ledger, command, now_ns)
    if problem is not None:
        return problem, ()
    as_of_ns = min(command.as_of_ns, now_ns)  # a clock ahead of ours must not swallow what happens next
    status = _refusal(ledger, command, as_of_ns)
    if status is not None:
        result = CountResult(status, ())
        return result, () if command.validate_only else (Refused(now_ns, command, KIND[SetCount], result),)
    lines = tuple(_line(ledger, sku, counted, as_of_ns) for sku, counted in command.lines)
    found = [
        shortage_after(ledger, line.sku, now_ns, gained=line.after - line.before, lines=len(lines)) for line in lines
    ]
    shortages = tuple(event for event in found if event is not None)
    status = CountStatus.VALIDATED if command.validate_only else CountStatus.APPLIED
    result = CountResult(status, lines, tuple(map(as_result, shortages)))
    return result, () if command.validate_only else (Counted(now_ns, command, result), *shortages)


def apply(ledger: StockLedger, event: Counted) -> None:
    """Make the counts so."""
    at_ns, command, result = event
    as_of_ns = min(command.as_of_ns, at_ns)
    for line in result.lines:
        i = ledger.stock.index[line.sku]
        delta = line.after - line.before
        ledger.stock.on_hand[i] += delta
        ledger.stock.note_count(i, as_of_ns)
        if delta:
            ledger.movements.add_delta(line.sku, as_of_ns, delta, ledger.version + 1, at_ns)
        ledger.touch(i)


def _line(ledger: StockLedger, sku: str, counted: int, as_of_ns: int) -> CountLine:
    before = ledger.stock.on_hand[ledger.stock.index[sku]]
    return CountLine(sku, counted, before, counted + ledger.movements.on_top_of(sku, as_of_ns))


def _refusal(ledger: StockLedger, command: SetCount, as_of_ns: int) -> CountStatus | None:
    skus = [sku for sku, _ in command.lines]
    expected = command.expected_version
    if expected > 0 and any(ledger.movements.changed_after(sku, expected) for sku in skus):
        return CountStatus.VERSION_MISMATCH
    reasons = {count_refusal(ledger, sku, as_of_ns) for sku in skus}
    return next((CountStatus[name] for name in ("COUNT_TOO_OLD", "COUNT_SUPERSEDED") if name in reasons), None)


def _problem(ledger: StockLedger, command: SetCount, now_ns: int) -> Rejected | None:
    problem = check_lines(command.lines, least=0)
    if problem is not None:
        return problem
    skus = tuple(sku for sku, _ in command.lines)
    if len(set(skus)) < len(skus):
        return invalid("lines", "a SKU is counted twice; counts are absolute and cannot be summed")
    if not 0 < command.as_of_ns <= now_ns + CLOCK_SKEW_MAX_NS:
        return invalid("as_of_time", "it must be set, and not in the future")
    return check_known(ledger.stock, skus)
