"""The network file: locations and groups in YAML, checked before anything of it is taken over.

Errors name the file, the line and what was expected, because networks are edited by hand.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from zoneinfo import available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from allocator.config import SettingsError
from allocator.core.commands import Capacity, Measure
from allocator.core.ids import ID_PATTERN
from allocator.core.limits import NS_PER_S, QUANTITY_MAX
from allocator.core.network.types import GROUPS_MAX, LOCATIONS_MAX, Group, Kind, Location

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pydantic_core import ErrorDetails

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d|24:00"
Id = Annotated[str, Field(pattern=f"^{ID_PATTERN}$")]
_zones = functools.cache(available_timezones)
_EXPECTED: Final = {
    "model_type": "expected a mapping of keys to values",
    "dict_type": "expected a mapping of keys to values",
    "list_type": "expected a list",
    "string_type": "expected text; put it in quotes",
    "missing": "is missing, and required",
    "extra_forbidden": "is no key that is known here",
}
"""What to say of the commonest mistakes, in words for people who write YAML."""


class _Loader(yaml.CSafeLoader):
    """YAML 1.2's plain values, without the surprises of 1.1: 10:30 is a time of day and NO is Norway."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012  # PyYAML's way


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?(0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?[0-9]*\.[0-9]+([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|", ["~", "n", ""]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), list(_first))


def _zone(name: str) -> str:
    if name and name not in _zones():
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/London")
    return name


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class _Hours(_Model):
    opens: str = Field(pattern=f"^({_CLOCK})$")
    closes: str = Field(pattern=f"^({_CLOCK})$")


class _Capacity(_Model):
    measure: Literal["units", "orders"]
    window_s: int = Field(ge=60, le=7 * 86_400)
    limit: int = Field(ge=0, le=QUANTITY_MAX)


class _Location(_Model):
    id: Id
    name: str = Field("", max_length=128)
    kind: Literal["distribution_centre", "store", "dark_store", "third_party_logistics", "drop_ship_vendor"]
    state: Literal["open", "closed"] = "open"
    country: str = Field("", pattern="^([A-Z]{2})?$")
    city: str = Field("", max_length=128)
    latitude: float | None = Field(None, ge=-90, le=90)
    longitude: float | None = Field(None, ge=-180, le=180)
    time_zone: Annotated[str, AfterValidator(_zone)] = ""
    hours: dict[Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"], _Hours] = {}
    priority: int = Field(0, ge=0, le=1_000_000)
    labels: dict[str, str] = Field(default_factory=dict, max_length=64)
    actor_group: str = Field("", pattern=f"^({ID_PATTERN})?$")
    capacity: _Capacity | None = None


class _Group(_Model):
    id: Id
    name: str = Field("", max_length=128)
    locations: list[Id]


class _Network(_Model):
    locations: list[_Location] = Field(min_length=1, max_length=LOCATIONS_MAX)
    groups: list[_Group] = Field([], max_length=GROUPS_MAX)


class NetworkFile(BaseModel):
    """A checked network file, in the core's terms.

    Attributes:
        locations, groups: what to load.
        capacities: capacity by location, for those that state one.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True, frozen=True)

    locations: tuple[Location, ...]
    groups: tuple[Group, ...]
    capacities: dict[str, Capacity]


def read_network(path: Path) -> NetworkFile:
    """Read and check a network file.

    Raises:
        SettingsError: naming file, line and what was expected.
    """
    root = _composed(path)
    try:
        network = _Network.model_validate(_plain(path, root))
    except ValidationError as error:
        problems = sorted(error.errors(), key=lambda problem: problem["type"] != "extra_forbidden")
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise SettingsError(_told(path, root, problems[0]) + more) from None
    _check_names(path, root, network)
    return _translate(network)


def _composed(path: Path) -> yaml.Node:
    """The file as a tree that knows its lines; no key twice in one mapping."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=_Loader)
    except OSError as error:
        raise SettingsError(f"network file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"network file {path} is not UTF-8: {error.reason} at byte {error.start}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SettingsError(f"{path}:{line}: not YAML: {error.reason}") from None
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    if root is None:
        raise SettingsError(f"{path}:1: the file is empty; expected a list of `locations`")
    for key in _repeated(root, set()):
        raise SettingsError(f"{path}:{key.start_mark.line + 1}: key {key.value!r} is there twice")
    return root


def _plain(path: Path, node: yaml.Node) -> Any:  # noqa: ANN401  # YAML is any value
    """The node's value, built the safe way."""
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        raise _not_yaml(path, error) from None
    finally:
        loader.dispose()


def _not_yaml(path: Path, error: yaml.YAMLError) -> SettingsError:
    mark = getattr(error, "problem_mark", None)
    line = mark.line + 1 if mark is not None else 1
    return SettingsError(f"{path}:{line}: not YAML: {getattr(error, 'problem', None) or error}")


def _repeated(node: yaml.Node, seen: set[int]) -> Iterator[yaml.Node]:
    """Keys that stand twice in their mapping: YAML would keep the last one in silence."""
    if id(node) in seen or isinstance(node, yaml.ScalarNode):
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        keys: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in keys:
                yield key
            keys.add(str(key.value))
    for child in node.value:
        for part in child if isinstance(child, tuple) else (child,):
            yield from _repeated(part, seen)


def _told(path: Path, root: yaml.Node, problem: ErrorDetails) -> str:
    where = ".".join(map(str, problem["loc"])) or "the file"
    what = _EXPECTED.get(problem["type"], problem["msg"])
    return f"{path}:{_line(root, problem['loc'])}: {where}: {what}"


def _line(node: yaml.Node, loc: tuple[int | str, ...]) -> int:
    """The line of the deepest node on the way of `loc` that is there."""
    line = node.start_mark.line + 1
    for step in loc:
        child = _child(node, step)
        if child is None:
            break
        node = child
        line = node.start_mark.line + 1
    return int(line)


def _child(node: yaml.Node, step: int | str) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step]  # type: ignore[no-any-return]  # PyYAML's nodes are untyped
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == step), None)
    return None


def _check_names(path: Path, root: yaml.Node, network: _Network) -> None:
    """Every id once, and every group member a location of the file."""
    seen: set[str] = set()
    for n, location in enumerate(network.locations):
        if location.id in seen:
            raise SettingsError(
                f"{path}:{_line(root, ('locations', n, 'id'))}: location {location.id!r} is there twice"
            )
        seen.add(location.id)
        if (location.latitude is None) != (location.longitude is None):
            line = _line(root, ("locations", n))
            raise SettingsError(f"{path}:{line}: location {location.id!r}: expected both latitude and longitude")
    groups: set[str] = set()
    for n, group in enumerate(network.groups):
        if group.id in groups:
            raise SettingsError(f"{path}:{_line(root, ('groups', n, 'id'))}: group {group.id!r} is there twice")
        groups.add(group.id)
        for k, member in enumerate(group.locations):
            if member not in seen:
                line = _line(root, ("groups", n, "locations", k))
                raise SettingsError(f"{path}:{line}: group {group.id!r}: {member!r} is no location of this file")


def _translate(network: _Network) -> NetworkFile:
    capacities = {
        location.id: Capacity(
            Measure[location.capacity.measure.upper()],
            location.capacity.window_s * NS_PER_S,
            location.capacity.limit,
        )
        for location in network.locations
        if location.capacity is not None
    }
    return NetworkFile(
        locations=tuple(map(_location, network.locations)),
        groups=tuple(Group(group.id, group.name, tuple(dict.fromkeys(group.locations))) for group in network.groups),
        capacities=capacities,
    )


def _location(row: _Location) -> Location:
    at_place = row.latitude is not None and row.longitude is not None
    hours = tuple((_DAYS.index(day) + 1, _minutes(h.opens), _minutes(h.closes)) for day, h in row.hours.items())
    return Location(
        location=row.id,
        display_name=row.name,
        kind=int(Kind[row.kind.upper()]),
        open=row.state == "open",
        country_code=row.country,
        city=row.city,
        position=(row.latitude, row.longitude) if at_place else None,  # type: ignore[arg-type]  # both are set
        time_zone=row.time_zone,
        hours=hours,
        priority=row.priority,
        labels=tuple(sorted(row.labels.items())),
        actor_group=row.actor_group,
    )


def _minutes(clock: str) -> int:
    hours, minutes = clock.split(":")
    return 60 * int(hours) + int(minutes)
