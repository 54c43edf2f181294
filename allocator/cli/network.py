"""`allocator network`: the locations and groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from allocator.cli import parameters as p
from allocator.cli.output import emit, numbers, say, show_table, warn, words
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allocator.client import Location, LocationGroup, OpeningHours

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Show the locations and groups, or export them as a network file.", no_args_is_help=True)
    group.command(epilog="Example: allocator network show")(show)
    group.command(epilog="Example: allocator network export > network.yaml")(export)
    app.add_typer(group, name="network", rich_help_panel="Network")


def show(context: typer.Context, as_json: p.Json = False) -> None:
    """Show all locations and groups."""
    locations, groups = _read(context)
    if as_json:
        emit({"locations": locations, "groups": groups})
        return
    if not locations:
        say("There are no locations yet: `allocator serve --network FILE` loads some.")
        return
    columns = [*words("location", "name", "kind", "state", "city", "groups"), *numbers("priority")]
    show_table(columns, [_row(location, groups) for location in locations])
    if groups:
        show_table(words("group", "name", "locations"), [_group_row(group) for group in groups])


def export(context: typer.Context) -> None:
    """Print the network as a file that `allocator serve --network FILE` takes.

    Capacity is not part of it: the service does not tell it.
    """
    import yaml

    locations, groups = _read(context)
    for location in locations:
        _warn_of_loss(location)
    network = {"locations": list(map(_location_entry, locations)), "groups": list(map(_group_entry, groups))}
    say(yaml.safe_dump(network, sort_keys=False, allow_unicode=True).rstrip())


def _read(context: typer.Context) -> tuple[list[Location], list[LocationGroup]]:
    with session_of(context).client() as client:
        return list(client.locations()), list(client.groups())


def _row(location: Location, groups: list[LocationGroup]) -> tuple[object, ...]:
    member_of = ", ".join(group.id for group in groups if location.id in group.locations)
    kind = location.kind.lower().replace("_", " ")
    return (
        location.id,
        location.display_name,
        kind,
        location.state.lower(),
        location.city,
        member_of,
        location.priority,
    )


def _group_row(group: LocationGroup) -> tuple[object, ...]:
    return group.id, group.display_name, ", ".join(group.locations)


def _location_entry(location: Location) -> dict[str, Any]:
    entry = {
        "id": location.id,
        "name": location.display_name,
        "kind": location.kind.lower(),
        "state": location.state.lower(),
        "country": location.country_code,
        "city": location.city,
        "latitude": location.position.latitude if location.position else None,
        "longitude": location.position.longitude if location.position else None,
        "time_zone": location.time_zone,
        "hours": _hours_entries(location.opening_hours),
        "priority": location.priority,
        "labels": dict(location.labels),
        "actor_group": location.actor_group,
    }
    return {name: value for name, value in entry.items() if value not in ("", None, {}, 0)}


def _hours_entries(spans: Iterable[OpeningHours]) -> dict[str, dict[str, str]]:
    entries: dict[str, dict[str, str]] = {}
    for span in spans:
        hours = {"opens": _clock(span.open_minute), "closes": _clock(span.close_minute)}
        entries.setdefault(DAYS[span.day - 1], hours)
    return entries


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _group_entry(group: LocationGroup) -> dict[str, Any]:
    entry = {"id": group.id, "name": group.display_name, "locations": list(group.locations)}
    return {name: value for name, value in entry.items() if value != ""}


def _warn_of_loss(location: Location) -> None:
    days = [span.day for span in location.opening_hours]
    if len(set(days)) < len(days):
        warn(f"{location.id}: only the first span of each day is exported; a network file has one a day")
    if location.opening_exceptions:
        warn(f"{location.id}: its opening exceptions are not exported; a network file has none")
