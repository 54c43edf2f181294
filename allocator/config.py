"""Settings: one TOML file plus environment variables, validated at start."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import pydantic_settings
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from allocator.core.errors import AllocatorError
from allocator.core.limits import DAY_NS, PROMISE_HORIZON_DEFAULT_NS, PROMISE_HORIZON_MAX_NS, LedgerLimits

if TYPE_CHECKING:
    from collections.abc import Mapping


_PREFIX: Final = "ALLOCATOR_"


class SettingsError(AllocatorError):
    """The settings cannot be used; the message names the file, the setting and what was expected."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ServerSettings(_Section):
    """Where callers reach the service, and how much it takes on at once."""

    host: str = Field("127.0.0.1", description="address to listen on; loopback unless you say otherwise")
    port: int = Field(
        50051, ge=0, le=65535, description="TCP port, shared by all gateway processes; 0 picks a free one"
    )
    front: Literal["auto", "envoy", "grpcio"] = Field(
        "auto", description="what answers the sockets; auto: envoy where pyvoy is installed, else grpcio"
    )
    gateways: int = Field(1, ge=1, le=64, description="gateway processes sharing the port")
    queue_max: int = Field(
        20_000, ge=1, description="commands waiting per actor and gateway; more get RESOURCE_EXHAUSTED"
    )
    batch_max: int = Field(1_024, ge=1, le=100_000, description="commands in one call to an actor")
    in_flight_max: int = Field(1, ge=1, le=16, description="calls to one actor under way at once, per gateway")
    deadline_s: float = Field(10, gt=0, le=300, description="deadline of a call that comes without one, seconds")
    drain_s: float = Field(20, gt=0, le=600, description="how long SIGTERM waits for accepted calls, seconds")
    message_mb: int = Field(16, ge=1, le=256, description="largest request or response, MiB")
    streams_max: int = Field(1_000, ge=1, description="watch and query streams open at once, per gateway")
    browse_wait_s: float = Field(
        0.15, ge=0, le=60, description="when work waits longer, a share of the reads is refused, seconds; 0: never"
    )
    hold_wait_s: float = Field(0.3, ge=0, le=60, description="the same for new holds")
    settle_wait_s: float = Field(2, ge=0, le=60, description="the same for everything else, such as commits, movements")
    client_rate_per_s: float = Field(
        0, ge=0, le=1e6, description="calls per second of one client, per gateway and kind of call; 0: no limit"
    )
    client_burst: int = Field(
        0, ge=0, le=1_000_000, description="calls of one client at once; 0: as many as in a second"
    )


class TlsSettings(_Section):
    """Encryption of the callers' connections; none without a certificate."""

    certificate: Path | None = Field(
        None, description="PEM file: the server's certificate and those between it and a root"
    )
    key: Path | None = Field(None, description="PEM file: the private key of the certificate")
    client_ca: Path | None = Field(
        None, description="PEM file: who signs callers' certificates; with it, callers without one are refused"
    )

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            raise ValueError("certificate and key belong together: set both or neither")
        if self.client_ca is not None and self.certificate is None:
            raise ValueError("client_ca needs certificate and key as well")
        return self


class JournalSettings(_Section):
    """Where the journal lives."""

    url: str = Field("", description="empty: SQLite files under data_dir/journal; or postgresql+psycopg://...")
    schema_name: str = Field("allocator", description="PostgreSQL schema")
    snapshot_mb: float = Field(16, gt=0, description="least size of the tail that makes a snapshot worth while, MiB")


class RuntimeSettings(_Section):
    """How locations are spread over processes."""

    actors: int = Field(
        0,
        ge=0,
        le=10_000,
        description="spread locations over this many actors; 0: up to actors_max",
    )
    actors_max: int = Field(0, ge=0, le=10_000, description="most actors when actors is 0; 0: one for two cores")
    ray_address: str = Field("", description="Ray cluster to join; empty: a local one of our own")
    object_store_mb: int = Field(100, ge=80, description="Ray object store, MiB; hardly used")
    boot_timeout_s: float = Field(120, gt=0, description="how long actors and gateways may take to come up, seconds")


class LimitSettings(_Section):
    """Bounds of one location's tables."""

    skus_max: int = Field(LedgerLimits().skus_max, ge=1, description="SKUs a location may stock")
    reservations_max: int = Field(LedgerLimits().reservations_max, ge=1, description="live reservations of a location")
    requests_max: int = Field(LedgerLimits().requests_max, ge=1, description="request ids remembered per location")
    requests_age_s: float = Field(86_400, gt=0, description="how long a request id is remembered, seconds")
    closed_max: int = Field(LedgerLimits().closed_max, ge=1, description="ended reservations that can be looked up")
    closed_age_s: float = Field(86_400, gt=0, description="how long an ended reservation can be looked up, seconds")
    movements_max: int = Field(
        LedgerLimits().movements_max, ge=1, description="movements kept to put on top of a count"
    )
    movement_ids_max: int = Field(LedgerLimits().movement_ids_max, ge=1, description="movement ids remembered")
    movements_age_s: float = Field(7 * 86_400, gt=0, description="how long both are kept, seconds")
    supplies_max: int = Field(
        LedgerLimits().supplies_max, ge=1, description="incoming supplies of a location, ended ones among them"
    )
    open_grace_s: float = Field(
        30, ge=1, le=3600, description="how long a part of a reservation waits for its home before it asks, seconds"
    )

    def ledger_limits(self) -> LedgerLimits:
        """The bounds as the core takes them."""
        values = self.model_dump()
        ages = {f"{name[:-2]}_ns": int(value * 1e9) for name, value in values.items() if name.endswith("_s")}
        return LedgerLimits(**{name: value for name, value in values.items() if not name.endswith("_s")}, **ages)


class PromiseSettings(_Section):
    """How far ahead units are promised, and what becomes of promises that cannot be kept."""

    horizon_days: int = Field(
        PROMISE_HORIZON_DEFAULT_NS // DAY_NS,
        ge=1,
        le=PROMISE_HORIZON_MAX_NS // DAY_NS,
        description="how far ahead units can be promised from incoming supply, days",
    )

    resource_shortages: bool = Field(
        default=False, description="source reservations again that a shortage puts at risk, if others have the units"
    )

    @property
    def horizon_ns(self) -> int:
        """The same in ns."""
        return self.horizon_days * DAY_NS


class LogSettings(_Section):
    """What is logged and how."""

    level: Literal["debug", "info", "warning", "error"] = Field("info", description="least level logged")
    format: Literal["auto", "json", "console"] = Field("auto", description="auto: readable on a terminal, else JSON")


class AdapterSettings(BaseModel):
    """One adapter to run: its kind is the entry point's name, the other keys are its own settings."""

    model_config = ConfigDict(extra="allow", frozen=True)

    kind: str = Field(description="name of the entry point (allocator.sources or allocator.erp)")
    name: str = Field(description="unique name; also the cursor's name for an ERP target")

    @property
    def options(self) -> dict[str, Any]:
        """The adapter's own settings."""
        return dict(self.model_extra or {})


class Settings(BaseSettings):
    """All settings. Environment variables win over the file: ALLOCATOR_SERVER__PORT=6000 sets [server] port."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    data_dir: Path = Field(Path("data"), description="the journal and service.json, which says where the service runs")
    network_file: Path | None = Field(None, description="YAML file of the network, loaded at start")
    server: ServerSettings = ServerSettings()
    tls: TlsSettings = TlsSettings()
    journal: JournalSettings = JournalSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    limits: LimitSettings = LimitSettings()
    promise: PromiseSettings = PromiseSettings()
    log: LogSettings = LogSettings()
    sources: list[AdapterSettings] = Field(default_factory=list, description="movement sources to run")
    erps: list[AdapterSettings] = Field(default_factory=list, description="ERP targets to run")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the hook's signature
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the hook's signature
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003  # the hook's signature
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file."""
        return env_settings, init_settings

    @model_validator(mode="after")
    def _names_once(self) -> Self:
        """Keep adapters apart: their names are what their progress is kept under."""
        names = [adapter.name for adapter in (*self.sources, *self.erps)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two sources or ERP targets are named {name!r}; each needs a name of its own")
        return self

    @property
    def journal_url(self) -> str:
        """The journal's address with its default filled in."""
        return self.journal.url or str((self.data_dir / "journal").absolute())


class _Final(Settings):
    """Settings that are complete already: neither file nor environment has a say any more."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003  # the hook's signature
        init_settings: PydanticBaseSettingsSource,
        *_: PydanticBaseSettingsSource,
        **__: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given, nothing else."""
        return (init_settings,)


def settings_from_json(text: str) -> Settings:
    """The settings that `model_dump_json` wrote, as child processes of the service get them."""
    return _Final(**json.loads(text))


def load_settings(path: Path | None = None, overrides: Mapping[str, Any] | None = None) -> Settings:
    """Read the settings file, if any, and apply `overrides` (nested, by section) over file and environment.

    Relative paths in the file are relative to the file's folder.

    Raises:
        SettingsError: naming file, setting and what was expected.
    """
    values = _read(path) if path is not None else {}
    _check_environment()
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise SettingsError(_told(error, str(path) if path is not None else "from the environment")) from None
    except pydantic_settings.SettingsError as error:
        raise SettingsError(f"settings from the environment: {error}; sections are JSON objects") from None
    if not overrides:
        return settings
    try:
        return _Final(**_merged(settings.model_dump(), overrides))
    except ValidationError as error:
        raise SettingsError(_told(error, "from the command line")) from None


def _check_environment() -> None:
    """Find a mistyped section. Others may have variables that begin like ours, but not with two underscores inside."""
    for variable in sorted(os.environ):
        section, nested, _ = variable.removeprefix(_PREFIX).lower().partition("__")
        if variable.startswith(_PREFIX) and nested and section not in Settings.model_fields:
            known = ", ".join(sorted(Settings.model_fields))
            raise SettingsError(f"settings {variable}: there is no section {section!r}; expected one of {known}")


def _told(error: ValidationError, where: str) -> str:
    """Each problem with the place it comes from: an environment variable of its own, or `where`."""
    told = []
    for problem in error.errors():
        variable = _PREFIX + "__".join(map(str, problem["loc"])).upper()
        setting = ".".join(map(str, problem["loc"])) or "the adapters"
        told.append(f"settings {variable if variable in os.environ else where}: {setting}: {problem['msg']}")
    return "; ".join(told)


def _read(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"settings file {path} cannot be read: {os.strerror(error.errno or 0)}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"settings file {path} is not TOML: {error}") from None
    except UnicodeDecodeError as error:
        raise SettingsError(f"settings file {path} is not UTF-8: {error.reason} at byte {error.start}") from None
    _from_folder(values, path.parent, ("data_dir", "network_file"))
    if isinstance(values.get("tls"), dict):
        _from_folder(values["tls"], path.parent, tuple(TlsSettings.model_fields))
    return values


def _from_folder(values: dict[str, Any], folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if isinstance(values.get(name), str):
            values[name] = folder / values[name]


def _merged(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, value in over.items():
        inner = merged.get(name)
        merged[name] = _merged(inner, value) if isinstance(inner, dict) and isinstance(value, dict) else value
    return merged
