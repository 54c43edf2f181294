from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from allocator.client import (
    Client,
    FulfilmentMode,
    Lane,
    Location,
    LocationGroup,
    LocationKind,
    LocationState,
    OpeningException,
    OpeningHours,
    Position,
    SourcingProfile,
    SupplyLine,
    TransitBand,
)
from allocator.core.network import types
from allocator.network_file import read_network
from tests.unit.cli.conftest import Command
from tests.unit.client.fake import FakeServer


def test_stock_of_a_location(allocator: Command) -> None:
    """All of it as a table, or some of it as JSON, with the fields of the client's result."""
    assert "PEAR" in allocator("stock", "leeds").out
    rows = allocator("stock", "leeds", "PEAR", "--json").rows
    assert [(row["sku"], row["on_hand"], row["available"]) for row in rows] == [("PEAR", 3, 3)]
    assert "There is more than these 1" in allocator("stock", "leeds", "--limit", "1").out
    assert len(allocator("stock", "leeds", "--json").rows) == 2


def test_supply_of_a_location(allocator: Command, fake: FakeServer) -> None:
    """What is expected, with its date, as a table or as JSON; of one SKU if so asked."""
    at = datetime(2026, 2, 3, 7, tzinfo=UTC)
    with Client(fake.address) as client:
        client.set_supply("leeds", [SupplyLine("po-1", "FIG", 5, at), SupplyLine("po-2", "APPLE", 4, at)])
    assert "2026-02-03T07:00+00:00" in allocator("supply", "leeds").out
    assert "purchase order" in allocator("supply", "leeds").out
    rows = allocator("supply", "leeds", "--sku", "FIG", "--json").rows
    assert [(row["supply"], row["sku"], row["open"]) for row in rows] == [("po-1", "FIG", 5)]


def test_stock_of_an_unknown_location(allocator: Command) -> None:
    """Says where the locations are listed."""
    ran = allocator("stock", "mars")
    assert ran.code == 1
    assert "`allocator network show` lists the locations" in ran.err


def test_the_network_is_shown(allocator: Command, fake: FakeServer) -> None:
    """Locations with their groups."""
    with Client(fake.address) as client:
        client.create_group(LocationGroup("north", ("leeds",), "North"))
    ran = allocator("network", "show")
    assert (ran.code, "north" in ran.out, "york" in ran.out) == (0, True, True)
    shown = allocator("network", "show", "--json").json
    assert [location["id"] for location in shown["locations"]] == ["leeds", "york"]
    assert (shown["lanes"], shown["profiles"]) == ([], [])
    assert shown["groups"] == [{"id": "north", "locations": ["leeds"], "display_name": "North"}]


def test_lanes_and_profiles_are_shown(allocator: Command, fake: FakeServer) -> None:
    """With what they cost in the network's currency, and the weights."""
    with Client(fake.address) as client:
        client.create_lane(Lane("uk", "next-day", countries=("GB",), distance_max_km=300, parcel_micros=8_759_000))
        client.create_profile(SourcingProfile("thrifty", cost=1.5, age_max=timedelta(seconds=90)))
    ran = allocator("network", "show")
    assert all(part in ran.out for part in ("next-day", "everywhere", "GB, 300 km", "8.759", "thrifty", "1.5"))
    assert allocator("network", "show", "--json").json["profiles"][0]["cost"] == 1.5


def test_an_empty_network_says_how_to_fill_it(allocator: Command, fake: FakeServer) -> None:
    """The newcomer is told."""
    fake.state.locations.clear()
    assert "serve --network FILE" in allocator("network", "show").out


def test_an_exported_network_can_be_loaded(allocator: Command, fake: FakeServer, tmp_path: Path) -> None:
    """The file is what `serve --network` takes, and nothing is lost on the way."""
    hull = Location(
        "hull",
        LocationKind.DARK_STORE,
        LocationState.OPEN,
        display_name="Hull: [1]",
        country_code="GB",
        city="Hull",
        position=Position(53.7, -0.3),
        time_zone="Europe/London",
        opening_hours=(OpeningHours(1, 540, 720), OpeningHours(1, 780, 1_080), OpeningHours(7, 0, 1_440)),
        opening_exceptions=(OpeningException(date(2024, 12, 26), closed=True),),
        priority=3,
        labels={"region": "north"},
        actor_group="a",
        channels=("web",),
        modes=(FulfilmentMode.SHIP_FROM_STORE,),
        cut_offs={"": 720, "next-day": 1_020},
        handling_days=1,
    )
    bands = (TransitBand(1, distance_max_km=100), TransitBand(3))
    with Client(fake.address) as client:
        client.create_location(hull)
        client.create_group(LocationGroup("north", ("hull", "leeds"), "North"))
        client.create_lane(Lane("uk", "next-day", "UK", "hull", "", ("GB",), 0, bands, 8_759_000, 0, 932_587, 0, 1))
        client.create_profile(SourcingProfile("thrifty", cost=1, lateness=1e-7, age_max=timedelta(seconds=90)))
    ran = allocator("network", "export")
    assert (ran.code, ran.err) == (0, "")
    path = tmp_path / "network.yaml"
    path.write_text(ran.out, "utf-8")
    network = read_network(path)
    read = network.locations[0]
    assert (read.location, read.display_name, read.kind, read.open) == ("hull", "Hull: [1]", 3, True)
    assert (read.position, read.time_zone, read.priority) == ((53.7, -0.3), "Europe/London", 3)
    assert read.hours == ((1, 540, 720), (1, 780, 1_080), (7, 0, 1_440))
    assert read.exceptions == (("2024-12-26", True, 0, 0, ""),)
    assert (read.channels, read.modes, read.cut_offs) == (("web",), (3,), (("", 720), ("next-day", 1_020)))
    assert read.handling_days == 1
    lane = types.Lane("uk", "next-day", "UK", "hull", "", ("GB",), 0, ((100, 1), (0, 3)), 8_759_000, 0, 932_587, 0, 1)
    assert network.lanes == (lane,)
    assert network.profiles == (types.Profile("thrifty", lateness=1e-7, age_max_s=90.0),)
    assert (read.labels, read.actor_group) == ((("region", "north"),), "a")
    assert [(group.group, group.locations) for group in network.groups] == [("north", ("hull", "leeds"))]
