"""The network file of the demo, as far as the demo itself needs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

NETWORK_FILE: Final = Path(__file__).parent / "network.yaml"


@dataclass(frozen=True, slots=True)
class Sites:
    """Locations by what they are."""

    dcs: tuple[str, ...]
    stores: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Both."""
        return (*self.dcs, *self.stores)


def read_sites(path: Path = NETWORK_FILE) -> Sites:
    """Read which locations there are."""
    groups = {group["id"]: tuple(group["locations"]) for group in yaml.safe_load(path.read_text())["groups"]}
    return Sites(dcs=groups["dcs"], stores=groups["stores"])
