from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.config import SettingsError
from allocator.core.commands import Capacity, Measure
from allocator.core.network.types import Group, Kind, Location
from allocator.network_file import NetworkFile, read_network

Read = Callable[[str], NetworkFile]

FULL = """
locations:
- id: london-1
  name: London, Oxford Street
  kind: store
  state: closed
  country: GB
  city: London
  latitude: 51.515
  longitude: -0.14
  time_zone: Europe/London
  hours:
    monday: {opens: 08:00, closes: 20:30}
    sunday: {opens: 10:00, closes: 24:00}
  priority: 5
  labels: {region: south, floor: 2}
  actor_group: south
  capacity: {measure: orders, window_s: 3600, limit: 40}
- id: NO-1
  kind: distribution_centre
  country: NO
groups:
- id: uk/all
  name: The kingdom
  locations: [london-1, london-1]
"""


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write a network file and read it."""

    def written(text: str) -> NetworkFile:
        (tmp_path / "network.yaml").write_text(text, encoding="utf-8")
        return read_network(tmp_path / "network.yaml")

    return written


def test_a_network_file_says_everything_of_its_locations(read: Read) -> None:
    """Days count from Monday, hours are minutes of the day, labels are sorted, members stand once."""
    network = read(FULL)
    assert network.locations == (
        Location(
            "london-1",
            "London, Oxford Street",
            Kind.STORE,
            False,  # noqa: FBT003  # a row
            "GB",
            "London",
            (51.515, -0.14),
            "Europe/London",
            ((1, 480, 1230), (7, 600, 1440)),
            (),
            5,
            (("floor", "2"), ("region", "south")),
            "south",
        ),
        Location("NO-1", kind=Kind.DISTRIBUTION_CENTRE, country_code="NO"),
    )
    assert network.groups == (Group("uk/all", "The kingdom", ("london-1",)),)
    assert network.capacities == {"london-1": Capacity(Measure.ORDERS, 3_600_000_000_000, 40)}


def test_plain_values_mean_what_they_look_like(read: Read) -> None:
    """Not base-60 numbers, octals, dates or truth, which older YAML makes of them."""
    network = read("locations:\n- {id: 0123, kind: store, name: 2024-02-30, city: off, labels: {k: 1e3, yes: 12:30}}\n")
    row = network.locations[0]
    assert (row.location, row.display_name, row.city) == ("0123", "2024-02-30", "off")
    assert row.labels == (("k", "1e3"), ("yes", "12:30"))


ONE = "locations:\n- id: dc\n  kind: store\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ":1: the file is empty; expected a list of `locations`"),
        ("# nothing yet\n", ":1: the file is empty; expected a list of `locations`"),
        ("just text\n", ":1: the file: expected a mapping of keys to values"),
        ("- a\n- b\n", ":1: the file: expected a mapping of keys to values"),
        ("groups: []\n", ":1: locations: is missing, and required"),
        ("locations: []\n", ":1: locations: List should have at least 1 item"),
        ("locations: dc\n", ":1: locations: expected a list"),
        ("locations:\n- dc\n", ":2: locations.0: expected a mapping of keys to values"),
        ("locations:\n- id: dc\n", ":2: locations.0.kind: is missing, and required"),
        ("locations:\n- id: dc\n  knd: store\n", ":3: locations.0.knd: is no key that is known here (and 1 more)"),
        (
            "locations:\n- id: dc\n  kind: shop\n",
            ":3: locations.0.kind: Input should be 'distribution_centre', 'store'",
        ),
        ("locations:\n- kind: store\n  id: a b\n", ":3: locations.0.id: String should match pattern"),
        ("locations:\n- kind: store\n  id: true\n", ":3: locations.0.id: expected text; put it in quotes"),
        (ONE + "- id: dc\n  kind: store\n", ":4: location 'dc' is there twice"),
        (ONE + "  name: a\n  name: b\n", ":5: key 'name' is there twice"),
        (ONE + "  latitude: 51.5\n", ":2: location 'dc': expected both latitude and longitude"),
        (
            ONE + "  latitude: 91\n  longitude: 0\n",
            ":4: locations.0.latitude: Input should be less than or equal to 90",
        ),
        (ONE + "  country: gb\n", ":4: locations.0.country: String should match pattern"),
        (ONE + "  time_zone: Europe/Londn\n", ":4: locations.0.time_zone: Value error, 'Europe/Londn' is not an IANA"),
        (ONE + "  hours:\n    monday: {opens: 8:00, closes: 20:00}\n", ":5: locations.0.hours.monday.opens: String"),
        (ONE + "  hours:\n    munday: {opens: 08:00, closes: 20:00}\n", "locations.0.hours.munday"),
        (ONE + "  priority: high\n", ":4: locations.0.priority: Input should be a valid integer"),
        (
            ONE + "  capacity:\n    measure: units\n    window_s: 59\n    limit: 1\n",
            ":6: locations.0.capacity.window_s: Input should be greater than or equal to 60",
        ),
        (ONE + "groups:\n- id: g\n  locations:\n  - dc\n  - elsewhere\n", ":8: group 'g': 'elsewhere' is no location"),
        (ONE + "groups:\n- id: g\n  locations: []\n- id: g\n  locations: []\n", ":7: group 'g' is there twice"),
        ("locations:\n\t- id: dc\n", ":2: not YAML: found character that cannot start any token"),
        ("locations: [\n", ":2: not YAML: "),
        (ONE + "---\na: 1\n", ":4: not YAML: but found another document"),
        (ONE + "  city: \x01\n", ":4: not YAML: control characters are not allowed"),
        (ONE + "  ? [a, b]\n  : 1\n", ":4: not YAML: found unhashable key"),
        (ONE + "  city: !!python/object/apply:os.getcwd []\n", ":4: not YAML: could not determine a constructor"),
        ("locations: &all [*all]\n", ":1: locations.0: expected a mapping"),
    ],
)
def test_a_malformed_file_is_an_error_with_its_line_and_what_was_expected(
    read: Read, tmp_path: Path, text: str, expected: str
) -> None:
    """Networks are edited by hand, so each mistake says where it is."""
    with pytest.raises(SettingsError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'network.yaml'}:")
    assert expected in str(caught.value)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """Missing, a folder, or not UTF-8."""
    with pytest.raises(SettingsError, match=r"none\.yaml cannot be read: No such file or directory"):
        read_network(tmp_path / "none.yaml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read_network(tmp_path)
    (tmp_path / "latin.yaml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(SettingsError, match=r"latin\.yaml is not UTF-8: invalid continuation byte at byte 5"):
        read_network(tmp_path / "latin.yaml")


def test_a_network_has_a_named_maximum(read: Read) -> None:
    """Going over it is an error before anything is loaded."""
    many = "groups:\n" + "".join(f"- {{id: g{n}, locations: []}}\n" for n in range(1_001))
    with pytest.raises(SettingsError, match=":5: groups: List should have at most 1000 items"):
        read(ONE + many)


@given(text=st.text(alphabet="abl:ocations-[]{}&*!? \n'\"#|>%@`0,\t", max_size=60))
def test_whatever_the_text_the_only_error_is_ours(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    """Nobody ever sees a traceback of the YAML reader."""
    path = tmp_path_factory.mktemp("yaml") / "network.yaml"
    path.write_text("locations:\n- id: dc\n  kind: store\n" + text, encoding="utf-8")
    try:
        network = read_network(path)
    except SettingsError as error:
        assert str(error).startswith(f"{path}:")  # noqa: PT017  # either outcome is right
    else:
        assert network.locations[0].location == "dc"
