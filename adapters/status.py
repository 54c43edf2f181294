"""How far each adapter is, in `data_dir/adapters/NAME.json`, for whoever waits for one to catch up."""

from __future__ import annotations

import json
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

FOLDER: Final = "adapters"


class State(StrEnum):
    """What an adapter does."""

    STARTING = "starting"
    RUNNING = "running"
    RETRYING = "retrying"
    STOPPED = "stopped"


class AdapterStatus(BaseModel):
    """How far an adapter is.

    Attributes:
        name, kind: as in the settings.
        role: whether movements come in, or postings go out.
        state: what it does.
        error: why it is retrying, or what stands still; "" when all is well.
        updated_at: when this was written; one that is seconds old tells that the adapter hangs or is gone.
        caught_up: whether nothing waited at `updated_at`.
        lag: files or messages of a source that wait; versions that an ERP has not yet.
        counts: of records by what became of them, since the process began.
        locations: of an ERP, by location: cursor, head, positions, set_aside, error.
        detail: figures of the source, for people.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    role: Literal["source", "erp"]
    kind: str
    state: State
    error: str = ""
    updated_at: datetime
    caught_up: bool = False
    lag: int = 0
    counts: dict[str, int] = {}
    locations: dict[str, dict[str, Any]] = {}
    detail: dict[str, Any] = {}


def write_status(data_dir: Path, status: AdapterStatus) -> None:
    """Replace an adapter's status file; readers see the old one or the new one, whole."""
    path = _path(data_dir, status.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(status.model_dump_json(indent=1), encoding="utf-8")
    beside.replace(path)


def read_status(data_dir: Path, name: str) -> AdapterStatus | None:
    """Read an adapter's status; None when there is none that this build can read."""
    try:
        return AdapterStatus.model_validate(json.loads(_path(data_dir, name).read_bytes()))
    except (FileNotFoundError, ValidationError, ValueError):
        return None


def all_statuses(data_dir: Path) -> list[AdapterStatus]:
    """Read the status of every adapter that ever ran with this data directory, by name."""
    found = (read_status(data_dir, path.stem) for path in sorted((data_dir / FOLDER).glob("[!.]*.json")))
    return [status for status in found if status is not None]


def _path(data_dir: Path, name: str) -> Path:
    return data_dir / FOLDER / f"{name}.json"
