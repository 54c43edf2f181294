from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.config import SettingsError
from allocator.core.commands import Capacity, Measure
from allocator.core.network.types import Group, Kind, Lane, Location, Mode, Profile
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
  channels: [web, store]
  modes: [pickup, ship_from_store]
  cut_offs: {next-day: 17:00, "*": 12:30}
  handling_days: 1
  exceptions:
  - {date: 2025-12-26, opens: 10:00, closes: 16:00, name: Boxing Day}
  - {date: 2025-12-25, closed: true}
- id: NO-1
  kind: distribution_centre
  country: NO
  cut_offs: 18:00
  hours:
    friday: [{opens: 08:00, closes: 12:00}, {opens: 13:00, closes: 17:00}]
groups:
- id: uk/all
  name: The kingdom
  locations: [london-1, london-1]
lanes:
- id: uk-next-day
  name: By van
  service_level: next-day
  origin_location: london-1
  countries: [GB, IE]
  distance_max_km: 500
  transit: [{distance_max_km: 100, days: 1}, {days: 2}]
  parcel: 8.759
  unit: 0.1
  kg: 1
  km: 0.000001
  kg_km: "0.000741"
- {id: standard, service_level: standard, origin_group: uk/all, transit: 4}
- {id: anything, service_level: standard}
profiles:
- {id: default, name: Thrifty, cost: 1, lateness: 0.5, splits_max: 2, age_max_s: 90}
- {id: stock, stock_cover: 1.5, parcels: 1.0e-3, capacity: 2, priority: 3}
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
            (("2025-12-25", True, 0, 0, ""), ("2025-12-26", False, 600, 960, "Boxing Day")),
            5,
            (("floor", "2"), ("region", "south")),
            "south",
            ("web", "store"),
            (Mode.PICKUP, Mode.SHIP_FROM_STORE),
            (("next-day", 1_020), ("", 750)),
            1,
        ),
        Location(
            "NO-1",
            kind=Kind.DISTRIBUTION_CENTRE,
            country_code="NO",
            hours=((5, 480, 720), (5, 780, 1_020)),
            cut_offs=(("", 1_080),),
        ),
    )
    assert network.groups == (Group("uk/all", "The kingdom", ("london-1",)),)
    assert network.capacities == {"london-1": Capacity(Measure.ORDERS, 3_600_000_000_000, 40)}


def test_a_network_file_says_how_parcels_travel_and_what_counts(read: Read) -> None:
    """Costs are decimals in the file and micros inside, exactly; a weight that is not there is 0."""
    network = read(FULL)
    bands, costs = ((100, 1), (0, 2)), (8_759_000, 100_000, 1_000_000, 1, 741)
    assert network.lanes == (
        Lane("uk-next-day", "next-day", "By van", "london-1", "", ("GB", "IE"), 500, bands, *costs),
        Lane("standard", "standard", origin_group="uk/all", transit=((0, 4),)),
        Lane("anything", "standard"),
    )
    assert network.profiles == (
        Profile("default", "Thrifty", cost=1.0, lateness=0.5, splits_max=2, age_max_s=90.0),
        Profile("stock", "", 0.0, 0.0, 0.001, 1.5, 2.0, 3.0),
    )


@given(st.integers(0, 10**12))
def test_every_cost_means_what_it_says(tmp_path_factory: pytest.TempPathFactory, micros: int) -> None:
    """No cost is off by what floats do to decimals."""
    path = tmp_path_factory.mktemp("cost") / "network.yaml"
    path.write_text(f"{ONE}lanes:\n- {{id: l, service_level: s, kg: {micros // 10**6}.{micros % 10**6:06}}}\n")
    assert read_network(path).lanes[0].kg_micros == micros


def test_the_example_of_the_page_is_a_network_file(read: Read) -> None:
    """What docs/network.md shows works as it stands."""
    text = (Path(__file__).parents[2] / "docs" / "network.md").read_text("utf-8")
    network = read(text.partition("```yaml\n")[2].partition("```")[0])
    assert [lane.transit for lane in network.lanes] == [((0, 1),), ((150, 1), (0, 3))]
    assert len(network.profiles) == 2


def test_plain_values_mean_what_they_look_like(read: Read) -> None:
    """Not base-60 numbers, octals, dates or truth, which older YAML makes of them."""
    network = read("locations:\n- {id: 0123, kind: store, name: 2024-02-30, city: off, labels: {k: 1e3, yes: 12:30}}\n")
    row = network.locations[0]
    assert (row.location, row.display_name, row.city) == ("0123", "2024-02-30", "off")
    assert row.labels == (("k", "1e3"), ("yes", "12:30"))


ONE = "locations:\n- id: dc\n  kind: store\n"
OF_LOCATIONS = [
    ("  channels: [web, a b]\n", "channels.1: String should match pattern"),
    ("  channels: [web, web]\n", "channels: Value error, 'web' is there twice"),
    ("  modes: [fly]\n", "modes.0: Input should be 'ship', 'pickup' or 'ship_from_store'"),
    ("  cut_offs: 5pm\n", "cut_offs: String should match pattern"),
    ("  cut_offs: {next-day: 24:01}\n", "cut_offs.next-day: String should match pattern"),
    ("  cut_offs: {next day: 12:00}\n", "cut_offs.next day: String should match pattern"),
    ("  handling_days: 31\n", "handling_days: Input should be less than or equal to 30"),
    (
        "  hours: {monday: {opens: 12:00, closes: 12:00}}\n",
        "hours.monday: Value error, closes at 12:00, not after 12:00",
    ),
    (
        "  hours: {monday: [{opens: 08:00, closes: 12:00}, {opens: 11:00, closes: 13:00}]}\n",
        "hours.monday: Value error, 11:00 to 13:00 overlaps 08:00 to 12:00",
    ),
    ("  exceptions: [{date: 2025-02-29}]\n", "exceptions.0.date: Value error, day is out of range for month"),
    (
        "  exceptions: [{date: 2025-12-25, closed: true, opens: 10:00}]\n",
        "exceptions.0: Value error, closed all day has no hours",
    ),
    (
        "  exceptions: [{date: 2025-12-25}, {date: 2025-12-25, closed: true}]\n",
        "exceptions: Value error, 2025-12-25 is closed all day, and there twice",
    ),
]
OF_LANES = [
    ("  service: x\n", ":7: lanes.0.service: is no key that is known here"),
    ("- id: m\n", ":7: lanes.1.service_level: is missing, and required"),
    ("- {id: l, service_level: s}\n", ":7: lane 'l' is there twice"),
    ("  origin_location: mars\n", ":7: lane 'l': 'mars' is no location of this file"),
    ("  origin_group: dc\n", ":7: lane 'l': 'dc' is no group of this file"),
    ("  origin_location: dc\n  origin_group: dc\n", ":8: lane 'l': origin_location and origin_group cannot both be"),
    ("  countries: [GB, gb]\n", ":7: lanes.0.countries.1: String should match pattern"),
    ("  distance_max_km: 20101\n", ":7: lanes.0.distance_max_km: Input should be less than or equal to 20100"),
    ("  parcel: -0.1\n", ":7: lanes.0.parcel: Input should be greater than or equal to 0"),
    ("  parcel: 0.0000001\n", ":7: lanes.0.parcel: Decimal input should have no more than 6 decimal places"),
    ("  parcel: 1000000.1\n", ":7: lanes.0.parcel: Input should be less than or equal to 1000000"),
    ("  parcel: much\n", ":7: lanes.0.parcel: Input should be a valid decimal"),
    ("  transit: 366\n", ":7: lanes.0.transit: Input should be less than or equal to 365"),
    (
        "  transit:\n  - days: 1\n    distance_max_km: 9\n  - days: 1\n    distance_max_km: 9\n  - days: 2\n",
        ":11: lane 'l': 9, after 9: bands ascend, and only the last can be 0, any distance",
    ),
    (
        "  distance_max_km: 100\n  transit: [{distance_max_km: 99, days: 1}]\n",
        ":8: lane 'l': the last band ends at 99 km, the lane at 100 km; 0 stands for any distance",
    ),
]
OF_PROFILES = [
    ("  cost: 0\n", ":6: profile 'p': all weights are 0; at least one of cost, lateness"),
    ("  name: p\n", ":5: profile 'p': all weights are 0"),
    ("  cost: -1\n", ":6: profiles.0.cost: Input should be greater than or equal to 0"),
    ("  cost: much\n", ":6: profiles.0.cost: Input should be a valid number"),
    ("  cost: 1\n  splits_max: 0\n", ":7: profiles.0.splits_max: Input should be greater than or equal to 1"),
    ("  cost: 1\n  splits_max: 11\n", ":7: profiles.0.splits_max: Input should be less than or equal to 10"),
    ("  cost: 1\n  age_max_s: 604801\n", ":7: profiles.0.age_max_s: Input should be less than or equal to 604800"),
    ("  cost: 1\n- {id: p, cost: 1}\n", ":7: profile 'p' is there twice"),
]
"""What comes after one location, or after the head of one lane or profile, and what is told."""


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
        *((ONE + text, f":4: locations.0.{told}") for text, told in OF_LOCATIONS),
        *((ONE + "lanes:\n- id: l\n  service_level: s\n" + text, told) for text, told in OF_LANES),
        *((ONE + "profiles:\n- id: p\n" + text, told) for text, told in OF_PROFILES),
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
