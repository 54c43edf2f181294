from __future__ import annotations

from allocator.cli.audit_online import Picture, compare
from allocator.client import Client
from tests.unit.cli.conftest import Command
from tests.unit.client.fake import FakeServer


def test_a_sound_service_has_no_drift(allocator: Command) -> None:
    """Held and committed are the sum of the open reservations."""
    allocator("reserve", "APPLE=3", "PEAR=1", "--at", "leeds")
    name = allocator("reserve", "APPLE=2", "--at", "york", "--json").json["reservation"]["name"]
    allocator("commit", name)
    ran = allocator("audit")
    assert ran.code == 0
    assert ran.out.splitlines()[-1] == "2 locations audited, 0 with drift."
    assert [row["ok"] for row in allocator("audit", "--json").rows] == [True, True]


def test_units_that_wait_are_in_no_counter(allocator: Command, fake: FakeServer) -> None:
    """They are reserved of what is expected: held has the others only."""
    name = allocator("reserve", "APPLE=3", "--at", "leeds", "--json").json["reservation"]["name"]
    fake.state.reservations[f"reservations/{name}"].lines[0].waiting = 2
    fake.state.stock["locations/leeds"]["APPLE"].held = 1
    assert allocator("audit").code == 0


def test_drift_is_found(allocator: Command, fake: FakeServer) -> None:
    """A counter that its reservations do not explain, by SKU, and exit code 1."""
    allocator("reserve", "APPLE=3", "--at", "leeds")
    fake.state.stock["locations/leeds"]["APPLE"].held += 1
    fake.state.stock["locations/york"]["APPLE"].committed += 1
    ran = allocator("audit")
    assert ran.code == 1
    assert "Drift: leeds: APPLE: held is 4, its reservations add up to 3" in ran.out
    assert "Drift: york: APPLE: committed is 1, its reservations add up to 0" in ran.out
    chosen = allocator("audit", "--location", "york", "--json").rows
    assert [row["location"] for row in chosen] == ["york"]


def test_a_shortage_is_told_and_is_no_drift(allocator: Command, fake: FakeServer) -> None:
    """A movement took what was promised."""
    allocator("reserve", "APPLE=3", "--at", "leeds")
    fake.state.stock["locations/leeds"]["APPLE"].on_hand = 1
    ran = allocator("audit")
    assert ran.code == 0
    assert "Shortages: leeds: APPLE: 2 promised and not there" in ran.out


def test_a_location_that_keeps_changing_is_not_called_sound(allocator: Command, fake: FakeServer) -> None:
    """Its parts are of different versions each time, so nothing can be said: exit code 1."""
    allocator("reserve", "APPLE=3", "--at", "leeds")
    moving = fake.state.versions

    class Moving(dict[str, int]):
        def __getitem__(self, name: str) -> int:
            moving[name] += 1
            return moving[name]

    fake.state.versions = Moving(moving)
    ran = allocator("audit", "--location", "leeds", "--tries", "3")
    assert ran.code == 1
    assert "it kept changing" in ran.out


def test_units_reserved_of_a_sku_that_is_not_stocked_are_drift(fake: FakeServer) -> None:
    """A reservation of nothing that is there."""
    with Client(fake.address) as client:
        client.reserve({"APPLE": 3}, at="leeds")
        held = list(client.reservations())
    finding = compare(Picture("leeds", [], held, []))
    assert finding.drift == ("APPLE: 3 units reserved of a SKU that is not stocked",)
