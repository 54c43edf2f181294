"""`allocator network`: what the network is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import typer

from allocator.cli import network_entries as entries
from allocator.cli import parameters as p
from allocator.cli.output import emit, numbers, say, show_table, words
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from allocator.client import Lane, Location, LocationGroup, SourcingProfile

WEIGHTS = ("cost", "lateness", "parcels", "stock_cover", "capacity", "priority")


class Network(NamedTuple):
    """All of it."""

    locations: list[Location]
    groups: list[LocationGroup]
    lanes: list[Lane]
    profiles: list[SourcingProfile]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Show the network, or export it as a network file.", no_args_is_help=True)
    group.command(epilog="Example: allocator network show")(show)
    group.command(epilog="Example: allocator network export > network.yaml")(export)
    app.add_typer(group, name="network", rich_help_panel="Network")


def show(context: typer.Context, as_json: p.Json = False) -> None:
    """Show all locations, groups, lanes and sourcing profiles."""
    network = _read(context)
    locations, groups, lanes, profiles = network
    if as_json:
        emit(network._asdict())
        return
    if not locations:
        say("There are no locations yet: `allocator serve --network FILE` loads some.")
        return
    columns = [*words("location", "name", "kind", "state", "city", "groups"), *numbers("priority")]
    show_table(columns, [_row(location, groups) for location in locations])
    if groups:
        show_table(words("group", "name", "locations"), [_group_row(group) for group in groups])
    if lanes:
        columns = [
            *words("lane", "service level", "name", "from", "to"),
            *numbers("parcel", "unit", "kg", "km", "kg km"),
        ]
        show_table(columns, [_lane_row(lane) for lane in lanes])
    if profiles:
        show_table([*words("profile", "name"), *numbers(*WEIGHTS, "splits")], [_profile_row(row) for row in profiles])


def export(context: typer.Context) -> None:
    """Print the network as a file that `allocator serve --network FILE` takes.

    Capacity is not part of it: the service does not tell it.
    """
    import yaml

    network = _read(context)
    file = {
        "locations": list(map(entries.location_entry, network.locations)),
        "groups": list(map(entries.group_entry, network.groups)),
        "lanes": list(map(entries.lane_entry, network.lanes)),
        "profiles": list(map(entries.profile_entry, network.profiles)),
    }
    say(yaml.safe_dump(file, sort_keys=False, allow_unicode=True).rstrip())


def _read(context: typer.Context) -> Network:
    with session_of(context).client() as client:
        return Network(list(client.locations()), list(client.groups()), list(client.lanes()), list(client.profiles()))


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


def _lane_row(lane: Lane) -> tuple[object, ...]:
    costs = (lane.parcel_micros, lane.unit_micros, lane.kg_micros, lane.km_micros, lane.kg_km_micros)
    origin = lane.origin_location or lane.origin_group or "everywhere"
    reach = ", ".join(lane.countries) or "everywhere"
    return (
        lane.id,
        lane.service_level,
        lane.display_name,
        origin,
        f"{reach}, {lane.distance_max_km} km" if lane.distance_max_km else reach,
        *(entries.decimal(micros) for micros in costs),
    )


def _profile_row(profile: SourcingProfile) -> tuple[object, ...]:
    weights = (f"{getattr(profile, name):g}" for name in WEIGHTS)
    return profile.id, profile.display_name, *weights, profile.splits_max
