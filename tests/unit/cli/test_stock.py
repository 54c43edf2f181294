from __future__ import annotations

from datetime import date
from pathlib import Path

from allocator.client import (
    Client,
    Location,
    LocationGroup,
    LocationKind,
    LocationState,
    OpeningException,
    OpeningHours,
    Position,
)
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
    assert shown["groups"] == [{"id": "north", "locations": ["leeds"], "display_name": "North"}]


def test_an_empty_network_says_how_to_fill_it(allocator: Command, fake: FakeServer) -> None:
    """The newcomer is told."""
    fake.state.locations.clear()
    assert "serve --network FILE" in allocator("network", "show").out


def test_an_exported_network_can_be_loaded(allocator: Command, fake: FakeServer, tmp_path: Path) -> None:
    """The file is what `serve --network` takes; what it cannot hold is told."""
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
    )
    with Client(fake.address) as client:
        client.create_location(hull)
        client.create_group(LocationGroup("north", ("hull", "leeds"), "North"))
    ran = allocator("network", "export")
    assert ran.code == 0
    assert ran.err.splitlines() == [
        "hull: only the first span of each day is exported; a network file has one a day",
        "hull: its opening exceptions are not exported; a network file has none",
    ]
    path = tmp_path / "network.yaml"
    path.write_text(ran.out, "utf-8")
    network = read_network(path)
    read = network.locations[0]
    assert (read.location, read.display_name, read.kind, read.open) == ("hull", "Hull: [1]", 3, True)
    assert (read.position, read.time_zone, read.priority) == ((53.7, -0.3), "Europe/London", 3)
    assert read.hours == ((1, 540, 720), (7, 0, 1_440))
    assert (read.labels, read.actor_group) == ((("region", "north"),), "a")
    assert [(group.group, group.locations) for group in network.groups] == [("north", ("hull", "leeds"))]
