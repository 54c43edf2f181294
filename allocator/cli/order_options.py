"""The options that describe an order to be sourced, which several commands take."""

from __future__ import annotations

import inspect
import math
import re
from datetime import datetime, time
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from allocator.cli import parameters as p

if TYPE_CHECKING:
    from collections.abc import Callable

    from allocator.client import FulfilmentMode, Position, SourcingOrder, SourcingWeights

WEIGHTS = ("cost", "lateness", "parcels", "stock-cover", "capacity", "priority")
_MODES = ("ship", "pickup", "ship-from-store")


def takes_order(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command, which has a parameter `order`, the options of an order in its place."""
    ours, theirs = (inspect.signature(function).parameters for function in (_order, command))
    # An order's own type is known to type checkers only: nothing that `--help` needs may import the client.
    known = {"SourcingOrder": Any}
    hints = get_type_hints(_order, localns=known, include_extras=True)
    hints |= get_type_hints(command, localns=known, include_extras=True)

    @wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401  # what the command line says
        order = _order(**{name: values.pop(name) for name in ours})
        command(order=order, **values)

    names = {**ours, **{name: parameter for name, parameter in theirs.items() if name != "order"}}
    run.__annotations__ = {name: hints[name] for name in names}
    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]  # what typer looks at
        [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[name])
            for name, parameter in names.items()
        ]
    )
    return run


def _order(
    *,
    lines: p.Lines,
    service_level: Annotated[
        str, typer.Option("--service", metavar="LEVEL", help="Service level; may be left out for a pickup.")
    ] = "",
    to: Annotated[str, typer.Option("--to", metavar="LAT,LON", help="Where it goes, such as 53.80,-1.55.")] = "",
    country: Annotated[str, typer.Option("--country", help="Destination country, such as GB.")] = "",
    mode: Annotated[str, typer.Option("--mode", help="ship, pickup or ship-from-store.")] = "ship",
    pickup_at: Annotated[
        str, typer.Option("--pickup-at", metavar="LOCATION", help="Where the customer picks up; default: the best.")
    ] = "",
    promise_by: Annotated[
        str, typer.Option("--promise-by", metavar="DATE", help="Delivered by then, such as 2026-03-05.")
    ] = "",
    channel: p.Channel = "",
    group: Annotated[str, typer.Option("--group", help="Only members of this location group.")] = "",
    locations: Annotated[
        list[str] | None, typer.Option("--location", help="Only this location; may be repeated.")
    ] = None,
    excluded: Annotated[list[str] | None, typer.Option("--exclude", help="Not this one; may be repeated.")] = None,
    profile: Annotated[str, typer.Option("--profile", help="Sourcing profile; default: `default`.")] = "",
    weights: Annotated[
        list[str] | None,
        typer.Option(
            "--weight",
            metavar="TERM=WEIGHT",
            help=f"Instead of the profile's weights; may be repeated: {', '.join(WEIGHTS)}.",
        ),
    ] = None,
    unit_weights: Annotated[
        list[str] | None,
        typer.Option("--unit-weight", metavar="SKU=GRAMS", help="Weight of one unit; may be repeated."),
    ] = None,
    splits_max: Annotated[
        int, typer.Option("--splits", help="Most locations to split it over; default: the profile's.")
    ] = 0,
    shortfall: Annotated[bool, typer.Option("--shortfall", help="Serve what there is, if not all of it.")] = False,
) -> SourcingOrder:
    from allocator.client import SourcingOrder

    return SourcingOrder(
        lines=p.lines_of(lines),
        service_level=service_level,
        destination=_position(to),
        country_code=country,
        mode=_mode(mode),
        pickup_location=pickup_at,
        promise_by=moment_of(promise_by),
        channel=channel,
        group=group,
        locations=locations or (),
        excluded=excluded or (),
        profile=profile,
        weights=_weights(weights),
        splits_max=splits_max,
        allow_shortfall=shortfall,
        unit_weights_grams=dict(_grams(text) for text in unit_weights or ()),
    )


def moment_of(text: str) -> datetime | None:
    """Read a date, whose end is meant, or a time; without a zone it is local. "" is None.

    Raises:
        BadParameter: it is something else.
    """
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        example = "such as 2026-03-05 or 2026-03-05T18:00"
        raise typer.BadParameter(f"{text!r} is not a date, {example}", param_hint="'--promise-by'") from None
    if re.fullmatch(r"\d{4}-?\d\d-?\d\d", text):
        at = datetime.combine(at, time(23, 59, 59))
    return at.astimezone()


def _position(text: str) -> Position | None:
    from allocator.client import Position

    if not text:
        return None
    latitude, _, longitude = text.partition(",")
    try:
        return Position(float(latitude), float(longitude))
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not LAT,LON, such as 53.80,-1.55", param_hint="'--to'") from None


def _mode(text: str) -> FulfilmentMode:
    from allocator.client import FulfilmentMode

    if text.lower() not in _MODES:
        raise typer.BadParameter(f"{text!r} is not one of {', '.join(_MODES)}", param_hint="'--mode'")
    return FulfilmentMode(text.upper().replace("-", "_"))


def _weights(texts: list[str] | None) -> SourcingWeights | None:
    from allocator.client import SourcingWeights

    if not texts:
        return None
    found: dict[str, float] = {}
    for text in texts:
        term, _, weight = text.partition("=")
        found[term.replace("-", "_")] = _number(weight)
        if term.replace("_", "-") not in WEIGHTS or math.isnan(_number(weight)):
            example = f"such as parcels=2; the terms are {', '.join(WEIGHTS)}"
            raise typer.BadParameter(f"{text!r} is not TERM=WEIGHT, {example}", param_hint="'--weight'")
    return SourcingWeights(**found)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _grams(text: str) -> tuple[str, int]:
    sku, _, grams = text.rpartition("=")
    if not sku or not re.fullmatch(r"[0-9]{1,18}", grams):
        raise typer.BadParameter(f"{text!r} is not SKU=GRAMS, such as APPLE=150", param_hint="'--unit-weight'")
    return sku, int(grams)
