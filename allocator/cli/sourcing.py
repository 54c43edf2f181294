"""Commands that find the best places for an order: source, explain, allocate; and transfer, reject."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from allocator.cli import parameters as p
from allocator.cli.order_options import takes_order
from allocator.cli.orders import PANEL, exit_by, expiry_of, in_words, show_reservation
from allocator.cli.output import emit, numbers, say, show_table, words
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allocator.client import (
        AllocateResult,
        Assignment,
        ExplainResult,
        LineQuantity,
        RejectReason,
        RejectResult,
        Shortfall,
        SourceResult,
        SourcingOrder,
        SourcingPlan,
        SourcingVerdict,
    )

ORDER = "85123A=2 --service standard --to 53.80,-1.55 --country GB"
_TERMS = ("cost", "lateness", "parcels", "stock cover", "capacity", "priority")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL, epilog=f"Example: allocator source {ORDER}")(takes_order(source))
    app.command(rich_help_panel=PANEL, epilog=f"Example: allocator explain {ORDER}")(takes_order(explain))
    app.command(rich_help_panel=PANEL, epilog=f"Example: allocator allocate {ORDER} --order A-1")(takes_order(allocate))
    app.command(rich_help_panel=PANEL, epilog="Example: allocator transfer NAME APPLE=1@leeds --to york")(transfer)
    app.command(rich_help_panel=PANEL, epilog="Example: allocator reject NAME --at leeds --reason damaged")(reject)


def source(
    *,
    context: typer.Context,
    order: SourcingOrder,
    plans: Annotated[int, typer.Option("--plans", help="Most plans to show, 1 to 10.")] = 3,
    as_json: p.Json = False,
) -> None:
    """Rank the places that can serve an order; holds nothing.

    Exit code 0 when it can be served, 1 when not.
    """
    with session_of(context).client() as client:
        result = client.source(order, plans_max=plans)
    if as_json:
        emit(result)
    else:
        _show_plans(result)
    exit_by(ok=result.ok)


def explain(*, context: typer.Context, order: SourcingOrder, as_json: p.Json = False) -> None:
    """Tell of every location why it serves an order, or does not; holds nothing.

    Exit code 0 when the order can be served, 1 when not.
    """
    with session_of(context).client() as client:
        result = client.explain_sourcing(order)
    if as_json:
        emit(result)
    else:
        _show_verdicts(result.verdicts)
        _show_plans(result)
    exit_by(ok=result.ok)


def allocate(
    *,
    context: typer.Context,
    order: SourcingOrder,
    ttl_s: p.Ttl = None,
    reference: Annotated[str, typer.Option("--order", help="Your own reference.")] = "",
    pickup_window_s: Annotated[
        float | None,
        typer.Option(
            "--pickup-window", parser=p.span_s, metavar="TIME", help="How long a pickup waits, such as 3d; up to 60d."
        ),
    ] = None,
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Find the best places for an order and hold it there, all or nothing.

    Exit code 0 when something is held, 1 when it is refused.
    """
    request_id = request_id or uuid4().hex
    with session_of(context).client() as client:
        result = client.allocate(
            order,
            ttl_s=ttl_s,
            order_reference=reference,
            pickup_window_s=pickup_window_s,
            request_id=request_id,
        )
    if as_json:
        emit(result, request_id=request_id)
    else:
        _show_allocated(result)
    exit_by(ok=result.ok)


def transfer(
    *,
    context: typer.Context,
    name: p.ReservationName,
    lines: p.SomePlacedLines = None,
    to: Annotated[str, typer.Option("--to", metavar="LOCATION", help="Where to hold them instead.")],
    at: p.LinesAt = "",
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Move units of a reservation to another location, all that are open elsewhere or some."""
    wanted = p.placed_lines_of(lines)
    with session_of(context).client() as client:
        result = client.transfer_reservation(name, to, wanted, at=at, request_id=request_id)
    if as_json:
        emit(result)
    else:
        if result.reservation is not None:
            show_reservation(result.reservation)
        say(f"Moved: {_lines(result.moved)}." if result.ok else f"Refused: {in_words(result.status)}.")
    exit_by(ok=result.ok)


def reject(
    *,
    context: typer.Context,
    name: p.ReservationName,
    lines: p.SomeLines = None,
    at: Annotated[str, typer.Option("--at", metavar="LOCATION", help="The location that declines.")],
    reason: Annotated[str, typer.Option("--reason", help="not-in-stock, damaged or no-capacity.")],
    give_up: Annotated[bool, typer.Option("--give-up", help="Do not look for others that have the units.")] = False,
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Say that a location will not pick; its stock is corrected, and others take over what they can."""
    wanted, why = p.lines_of(lines), _reason(reason)
    with session_of(context).client() as client:
        result = client.reject_assignment(name, at, why, wanted, resource=not give_up, request_id=request_id)
    if as_json:
        emit(result)
    else:
        _show_rejected(result)
    exit_by(ok=result.ok)


def _reason(text: str) -> RejectReason:
    from allocator.client import RejectReason

    known = [reason for reason in RejectReason if reason != "UNSPECIFIED"]
    found = text.upper().replace("-", "_")
    if found not in known:
        told = ", ".join(reason.lower().replace("_", "-") for reason in known)
        raise typer.BadParameter(f"{text!r} is not one of {told}", param_hint="'--reason'")
    return RejectReason(found)


def _show_plans(result: SourceResult | ExplainResult) -> None:
    for number, plan in enumerate(result.plans, 1):
        _show_plan(plan, f"Plan {number}")
    if result.ok:
        return
    if result.partial is None:
        say(f"No location can serve it: {in_words(result.emptied_by)} leaves none.")
    else:
        _show_plan(result.partial, "In part")
        say("It cannot be served whole; --shortfall takes what there is.")


def _show_plan(plan: SourcingPlan, title: str) -> None:
    columns = [
        *words("location", "units"),
        *numbers("km"),
        *words("lane", "dispatched", "delivered"),
        *numbers("cost", "score"),
    ]
    rows = [
        (
            parcel.location,
            ", ".join(f"{one.sku} {one.quantity:,}" for one in plan.assignments if one.location == parcel.location),
            _km(parcel.distance_km),
            parcel.lane,
            parcel.dispatch_date or "",
            parcel.delivery_date or "",
            _money(parcel.cost_micros),
            f"{parcel.score:,.3f}",
        )
        for parcel in plan.parcels
    ]
    show_table(columns, rows, f"{title}: cost {_money(plan.cost_micros)}, score {plan.score:,.3f}")
    if plan.shortfalls:
        say(f"Nobody has {_shortfalls(plan.shortfalls)}.")


def _show_verdicts(verdicts: Sequence[SourcingVerdict]) -> None:
    """Print why each location is in the best plan or not; terms that add nothing to any score are left out."""
    counting = {in_words(term.kind) for verdict in verdicts for term in verdict.terms if term.weighted}
    terms = [term for term in _TERMS if term in counting]
    columns = [
        *words("location", "outcome"),
        *numbers("units", "score", *terms, "km"),
        *words("lane", "delivered", "why"),
    ]
    show_table(columns, [_verdict_row(verdict, terms) for verdict in verdicts])


def _verdict_row(verdict: SourcingVerdict, terms: Iterable[str]) -> tuple[object, ...]:
    weighted = {in_words(term.kind): f"{term.weighted:,.3f}" for term in verdict.terms}
    return (
        verdict.location,
        f"filtered: {in_words(verdict.filter)}" if verdict.filter != "UNSPECIFIED" else in_words(verdict.outcome),
        verdict.units,
        "" if verdict.score is None else f"{verdict.score:,.3f}",
        *(weighted.get(term, "") for term in terms),
        _km(verdict.distance_km),
        verdict.lane,
        verdict.delivery_date or "",
        verdict.detail,
    )


def _show_allocated(result: AllocateResult) -> None:
    plan = result.plan or result.partial
    if plan is not None:
        _show_plan(plan, "Plan" if result.ok else "In part")
    if result.reservation is None:
        filtered = f"; {in_words(result.emptied_by)} leaves none" if result.status == "NO_ELIGIBLE_LOCATION" else ""
        say(f"Refused, nothing is held: {in_words(result.status)}{filtered}.")
        return
    again = " by an earlier request with this id" if result.repeated else ""
    held = f"{in_words(result.status).capitalize()}{again} as {result.reservation.name}"
    say(f"{held} until {expiry_of(result.reservation)}.")
    say(f"Place the order with: allocator commit {result.reservation.name}")


def _show_rejected(result: RejectResult) -> None:
    if not result.ok:
        say(f"Refused, nothing changed: {in_words(result.status)}.")
        return
    if result.reservation is not None:
        show_reservation(result.reservation)
    say(f"Declined: {_lines(result.rejected)}.")
    if result.assignments:
        say(f"Taken over: {_lines(result.assignments)}.")
    if result.shortfalls:
        say(f"Nobody took over {_shortfalls(result.shortfalls)}; it is not reserved any more.")


def _lines(lines: Iterable[LineQuantity | Assignment]) -> str:
    return ", ".join(f"{line.sku} {line.quantity:,} at {line.location}" for line in lines) or "nothing"


def _shortfalls(shortfalls: Iterable[Shortfall]) -> str:
    return ", ".join(f"{line.sku} {line.quantity:,}" for line in shortfalls)


def _km(distance_km: float | None) -> str:
    return "" if distance_km is None else f"{distance_km:,.0f}"


def _money(micros: int) -> str:
    return f"{micros / 1e6:,.2f}"
