"""Finds adapters by their kind: the name of an entry point in `allocator.sources` or `allocator.erp`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Final, TypeVar

from pydantic import BaseModel, ValidationError

from adapters.erp.port import ErpOptions, ErpTarget
from adapters.errors import AdapterSettingsError
from adapters.sources.port import MovementSource
from allocator.config import AdapterSettings

SOURCES: Final = "allocator.sources"
ERPS: Final = "allocator.erp"
# The name becomes a file name and the name of a cursor.
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_A = TypeVar("_A", MovementSource, ErpTarget)
_O = TypeVar("_O", bound=BaseModel)


def make_source(settings: AdapterSettings, data_dir: Path) -> MovementSource:
    """Make the source that the settings name; it is not open yet.

    Raises:
        AdapterSettingsError: there is no such kind, or a setting cannot be used.
    """
    cls = _find(SOURCES, settings.kind, MovementSource)  # type: ignore[type-abstract]  # a subclass comes back
    return cls(settings.name, _options(cls.Options, settings, "sources"), data_dir)


def make_erp(settings: AdapterSettings, data_dir: Path) -> tuple[ErpTarget, ErpOptions]:
    """Make the ERP target that the settings name, not open yet, and return it with its options.

    Raises:
        AdapterSettingsError: there is no such kind, or a setting cannot be used.
    """
    cls = _find(ERPS, settings.kind, ErpTarget)  # type: ignore[type-abstract]  # a subclass comes back
    options = _options(cls.Options, settings, "erps")
    return cls(settings.name, options, data_dir), options


def check_names(adapters: Iterable[AdapterSettings]) -> None:
    """Check that each name can be a file name, and is there once.

    Raises:
        AdapterSettingsError: one cannot be used.
    """
    names = Counter(adapter.name for adapter in adapters)
    for name, uses in names.items():
        if not _NAME.fullmatch(name):
            expected = "1 to 64 letters, digits or . _ -, a letter or digit first"
            raise AdapterSettingsError(f"adapter name {name!r} cannot be used: expected {expected}")
        if uses > 1:
            raise AdapterSettingsError(f"adapter name {name!r} is there {uses} times; each needs its own")


def _find(group: str, kind: str, port: type[_A]) -> type[_A]:
    found = entry_points(group=group)
    named = [point for point in found if point.name == kind]
    if not named:
        known = ", ".join(sorted({point.name for point in found})) or "none is installed"
        raise AdapterSettingsError(f"there is no adapter of kind {kind!r} in {group}; there are: {known}")
    if len({point.value for point in named}) > 1:
        places = ", ".join(sorted(point.value for point in named))
        raise AdapterSettingsError(f"kind {kind!r} of {group} is provided more than once: {places}")
    return _loaded(named[0], port)


def _loaded(point: EntryPoint, port: type[_A]) -> type[_A]:
    try:
        cls = point.load()
    except (ImportError, AttributeError) as error:
        raise AdapterSettingsError(f"adapter kind {point.name!r} ({point.value}) cannot be loaded: {error}") from error
    if not (isinstance(cls, type) and issubclass(cls, port)):
        raise AdapterSettingsError(f"adapter kind {point.name!r} ({point.value}) is not a {port.__name__}")
    return cls


def _options(cls: type[_O], settings: AdapterSettings, section: str) -> _O:
    try:
        return cls.model_validate(settings.options)
    except ValidationError as error:
        # The values are not repeated: an address may hold a password.
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
        known = ", ".join(cls.model_fields)
        place = f"[[{section}]] {settings.name} (kind {settings.kind})"
        raise AdapterSettingsError(f"{place}: {problems}. Its settings are: {known}") from None
