"""Commands of an order's life: check, reserve, commit, extend, release, fulfil, reservations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from allocator.cli import parameters as p
from allocator.cli.order_options import moment_of
from allocator.cli.output import emit, emit_rows, numbers, say, show_rows, show_table, words
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from datetime import datetime

    from allocator.client import Reservation, ReservationState, ReserveResult, TransitionResult

PANEL = "Orders"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL, epilog="Example: allocator check APPLE=2 PEAR=1 --location leeds")(check)
    app.command(rich_help_panel=PANEL, epilog="Example: allocator reserve APPLE=2 PEAR=1@york --at leeds --ttl 30m")(
        reserve
    )
    app.command(rich_help_panel=PANEL, epilog="Example: allocator commit NAME")(commit)
    app.command(rich_help_panel=PANEL, epilog="Example: allocator extend NAME --ttl 30m")(extend)
    app.command(rich_help_panel=PANEL, epilog="Example: allocator release NAME APPLE=1 --reason cancelled")(release)
    app.command(rich_help_panel=PANEL, epilog="Example: allocator fulfil NAME APPLE=1")(fulfil)
    app.command(rich_help_panel=PANEL, epilog="Example: allocator reservations --location leeds --state held")(
        reservations
    )


def check(
    *,
    context: typer.Context,
    lines: p.Lines,
    locations: Annotated[
        list[str] | None, typer.Option("--location", help="Where to look; may be repeated; default: everywhere.")
    ] = None,
    group: Annotated[str, typer.Option("--group", help="Where to look: a location group.")] = "",
    channel: p.Channel = "",
    promise_by: Annotated[
        str, typer.Option("--promise-by", metavar="DATE", help="Count what is expected by then, such as 2026-03-05.")
    ] = "",
    as_json: p.Json = False,
) -> None:
    """Check what can be promised of a cart; holds nothing.

    Exit code 0 when all of it can, 1 when not.
    """
    wanted, by = p.lines_of(lines), moment_of(promise_by)
    with session_of(context).client() as client:
        result = client.check(wanted, channel=channel, locations=locations or (), group=group, promise_by=by)
    if as_json:
        emit(result)
    else:
        rows = [
            (
                line.sku,
                line.requested,
                line.total,
                "yes" if line.sufficient else "no",
                ", ".join(f"{location} {units:,}" for location, units in line.quantities.items()),
            )
            for line in result.lines
        ]
        columns = [*words("SKU"), *numbers("wanted", "available"), *words("enough", "where")]
        show_table(columns, rows)
    exit_by(ok=result.ok)


def reserve(
    *,
    context: typer.Context,
    lines: p.PlacedLines,
    at: Annotated[str, typer.Option("--at", metavar="LOCATION", help="Where to hold lines that do not say.")] = "",
    ttl_s: p.Ttl = None,
    channel: p.Channel = "",
    order: Annotated[str, typer.Option("--order", help="Your own reference.")] = "",
    partial: Annotated[bool, typer.Option("--partial", help="Hold what there is, instead of all or nothing.")] = False,
    promise_by: Annotated[
        str,
        typer.Option("--promise-by", metavar="DATE", help="Hold what stock lacks against supply expected by then."),
    ] = "",
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Hold units for an order until a time.

    Exit code 0 when something is held, 1 when it is refused.
    """
    from allocator.client import ReservePolicy

    wanted, request_id, by = p.placed_lines_of(lines, at), request_id or uuid4().hex, moment_of(promise_by)
    with session_of(context).client() as client:
        result = client.reserve(
            wanted,
            at=at,
            ttl_s=ttl_s,
            channel=channel,
            policy=ReservePolicy.PARTIAL if partial else ReservePolicy.ALL_OR_NOTHING,
            order=order,
            request_id=request_id,
            promise_by=by,
        )
    if as_json:
        emit(result, request_id=request_id)
    else:
        _show_reserve(result)
    exit_by(ok=result.ok)


def commit(
    context: typer.Context, name: p.ReservationName, request_id: p.RequestId = None, as_json: p.Json = False
) -> None:
    """Commit a reservation: the order is placed, and it no longer expires."""
    with session_of(context).client() as client:
        result = client.commit(name, request_id=request_id)
    _show_transition(result, as_json=as_json)


def extend(
    context: typer.Context,
    name: p.ReservationName,
    ttl_s: p.Ttl = None,
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Hold a reservation longer, counted from now."""
    with session_of(context).client() as client:
        result = client.extend(name, ttl_s=ttl_s, request_id=request_id)
    _show_transition(result, as_json=as_json)


def release(
    context: typer.Context,
    name: p.ReservationName,
    lines: p.SomePlacedLines = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the journal and the ERP.")] = "",
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Give units of a reservation back, all that are open or some."""
    wanted = p.placed_lines_of(lines)
    with session_of(context).client() as client:
        result = client.release(name, wanted, reason=reason, request_id=request_id)
    _show_transition(result, as_json=as_json)


def fulfil(
    context: typer.Context,
    name: p.ReservationName,
    lines: p.SomePlacedLines = None,
    request_id: p.RequestId = None,
    as_json: p.Json = False,
) -> None:
    """Take units of a committed reservation out of the building, all that are open or some."""
    wanted = p.placed_lines_of(lines)
    with session_of(context).client() as client:
        result = client.fulfil(name, wanted, request_id=request_id)
    _show_transition(result, as_json=as_json)


def reservations(
    *,
    context: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One reservation; none: list those that match.")
    ] = None,
    location: Annotated[str, typer.Option("--location", help="Only those of this location.")] = "",
    state: Annotated[
        str, typer.Option("--state", help="Only those held, committed, fulfilled, released or expired.")
    ] = "",
    order: Annotated[str, typer.Option("--order", help="Only those with this reference.")] = "",
    held_here: Annotated[
        bool, typer.Option("--held-here", help="All that the locations hold units for, wherever the home is.")
    ] = False,
    limit: p.Limit = None,
    as_json: p.Json = False,
) -> None:
    """Show one reservation, or list those that match.

    A reservation over several locations is listed with its home, and with
    --held-here at each location that holds units for it.
    """
    with session_of(context).client() as client:
        if name is not None:
            found = client.reservation(name)
            emit(found) if as_json else show_reservation(found)
            return
        matching = client.reservations(location=location, state=_state(state), order=order, held_here=held_here)
        rows = p.row_limit(limit, as_json=as_json)
        if as_json:
            emit_rows(matching, rows)
        else:
            columns = words("reservation", "state", "location", "order", "open units", "expires")
            show_rows(columns, map(_row, matching), rows)


def _state(text: str) -> ReservationState:
    from allocator.client import ReservationState

    try:
        return ReservationState(text.upper() or "UNSPECIFIED")
    except ValueError:
        known = ", ".join(state.lower() for state in ReservationState if state != "UNSPECIFIED")
        raise typer.BadParameter(f"{text!r} is not one of {known}", param_hint="'--state'") from None


def _row(found: Reservation) -> tuple[object, ...]:
    open_units = ", ".join(f"{line.sku} {line.open:,}" for line in found.lines if line.open)
    return found.name, found.state.lower(), found.home_location, found.order, open_units, expiry_of(found)


def expiry_of(found: Reservation) -> str:
    """When a reservation expires, in local time; "" for never."""
    return _moment(found.expires_at) if found.expires_at else ""


def _moment(at: datetime) -> str:
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def _show_reserve(result: ReserveResult) -> None:
    waits = any(line.waiting for line in result.lines)
    columns = [*words("SKU", "location", "outcome"), *numbers("wanted", "held", "available", *["waiting"] * waits)]
    rows = [
        (
            *(line.sku, line.location, in_words(line.status)),
            *(line.requested, line.held, line.available, *[line.waiting] * waits),
        )
        for line in result.lines
    ]
    show_table(columns, rows)
    if result.reservation is None:
        left = f": the window still takes {result.capacity_left:,}" if result.status == "NO_CAPACITY" else ""
        say(f"Refused, nothing is held: {in_words(result.status)}{left}.")
        return
    again = " by an earlier request with this id" if result.repeated else ""
    held = f"{in_words(result.status).capitalize()}{again} as {result.reservation.name}"
    say(f"{held} until {expiry_of(result.reservation)}.")
    say(f"Place the order with: allocator commit {result.reservation.name}")


def _show_transition(result: TransitionResult, *, as_json: bool) -> None:
    if as_json:
        emit(result)
    else:
        if result.reservation is not None:
            show_reservation(result.reservation)
        say("Done." if result.ok else f"Refused, nothing changed: {in_words(result.status)}.")
    exit_by(ok=result.ok)


def show_reservation(found: Reservation) -> None:
    """Print a reservation."""
    order = f", order {found.order}" if found.order else ""
    until = f" until {expiry_of(found)}" if found.expires_at and found.state == "HELD" else ""
    pickup = f", waits for pickup until {_moment(found.pickup_ends_at)}" if found.pickup_ends_at else ""
    say(f"{found.name}: {found.state.lower()}{until} at {found.home_location}{order}{pickup}")
    waits = any(line.waiting for line in found.lines)
    columns = [*words("SKU", "location"), *numbers("held", "open", "fulfilled", "released", *["waiting"] * waits)]
    rows = [
        (line.sku, line.location, line.held, line.open, line.fulfilled, line.released, *[line.waiting] * waits)
        for line in found.lines
    ]
    show_table(columns, rows)


def in_words(status: str) -> str:
    """A status as a sentence has it."""
    return status.lower().replace("_", " ")


def exit_by(*, ok: bool) -> None:
    """End with exit code 1 unless it went well."""
    if not ok:
        raise typer.Exit(1)
