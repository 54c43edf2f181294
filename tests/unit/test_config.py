from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from allocator.config import Settings, SettingsError, load_settings, settings_from_json
from allocator.core.limits import LedgerLimits

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests begin without anybody's settings."""
    for name in list(os.environ):
        if name.startswith("ALLOCATOR_"):
            monkeypatch.delenv(name)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write the settings file."""

    def written(text: str) -> Path:
        path = tmp_path / "allocator.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return written


@pytest.mark.parametrize(
    ("file", "environment", "override", "expected"),
    [
        (None, None, None, 50051),
        (1, None, None, 1),
        (None, 2, None, 2),
        (None, None, 3, 3),
        (1, 2, None, 2),
        (1, None, 3, 3),
        (None, 2, 3, 3),
        (1, 2, 3, 3),
    ],
)
def test_overrides_win_over_the_environment_and_that_over_the_file(
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    file: int | None,
    environment: int | None,
    override: int | None,
    expected: int,
) -> None:
    """In every combination of the three."""
    path = write(f"[server]\nport = {file}\n") if file is not None else None
    if environment is not None:
        monkeypatch.setenv("ALLOCATOR_SERVER__PORT", str(environment))
    settings = load_settings(path, {"server": {"port": override}} if override is not None else None)
    assert settings.server.port == expected


def test_each_source_sets_only_what_it_names(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of the section comes from the source below, and in the end from the defaults."""
    path = write("[server]\nport = 1\ngateways = 2\nbatch_max = 3\n")
    monkeypatch.setenv("ALLOCATOR_SERVER__GATEWAYS", "4")
    server = load_settings(path, {"server": {"batch_max": 5}}).server
    assert (server.port, server.gateways, server.batch_max, server.queue_max) == (1, 4, 5, 20_000)


def test_a_child_process_gets_the_settings_as_they_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Neither file nor environment has a say any more: the port that was picked stays."""
    settings = load_settings(None, {"data_dir": tmp_path, "server": {"port": 4711}, "sources": [FOLDER]})
    monkeypatch.setenv("ALLOCATOR_SERVER__PORT", "1")
    monkeypatch.setenv("ALLOCATOR_DATA_DIR", "/elsewhere")
    child = settings_from_json(settings.model_dump_json())
    assert child.model_dump() == settings.model_dump()
    assert child.sources[0].options == {"path": "in"}


FOLDER = {"kind": "folder", "name": "tills", "path": "in"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[server]\nprot = 1\n", "allocator.toml: server.prot: Extra inputs are not permitted"),
        ("[sever]\nport = 1\n", "allocator.toml: sever: Extra inputs are not permitted"),
        ("[server]\nport = 'x'\n", "allocator.toml: server.port: Input should be a valid integer"),
        ("[server]\nport = 65536\n", "server.port: Input should be less than or equal to 65535"),
        ("[server]\ngateways = 0\n", "server.gateways: Input should be greater than or equal to 1"),
        ("[journal]\nsnapshot_mb = 0\n", "journal.snapshot_mb: Input should be greater than 0"),
        ("[log]\nlevel = 'loud'\n", "log.level: Input should be 'debug', 'info', 'warning' or 'error'"),
        ("[limits]\nskus_max = 0\n", "limits.skus_max: Input should be greater than or equal to 1"),
        ("server = 3\n", "allocator.toml: server: Input should be a valid dictionary"),
        ("[[sources]]\nkind = 'folder'\n", "allocator.toml: sources.0.name: Field required"),
        ("[server\n", "allocator.toml is not TOML: Expected ']'"),
        ("[[erps]]\nkind='sql'\nname='a'\n[[sources]]\nkind='folder'\nname='a'\n", "are named 'a'; each needs a name"),
    ],
)
def test_a_file_that_cannot_be_used_is_an_error_that_names_file_and_setting(
    write: Write, text: str, expected: str
) -> None:
    """And what was expected; nothing unknown is passed over."""
    with pytest.raises(SettingsError) as caught:
        load_settings(write(text))
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        (
            "ALLOCATOR_SERVER__PORT",
            "x",
            "settings ALLOCATOR_SERVER__PORT: server.port: Input should be a valid integer",
        ),
        ("ALLOCATOR_SERVER__PROT", "1", "settings ALLOCATOR_SERVER__PROT: server.prot: Extra inputs"),
        ("ALLOCATOR_SREVER__PORT", "1", "settings ALLOCATOR_SREVER__PORT: there is no section 'srever'"),
        ("ALLOCATOR_SERVER", "{", 'from the environment: error parsing value for field "server"'),
    ],
)
def test_a_variable_that_cannot_be_used_is_an_error_that_names_it(
    write: Write, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    """Also when there is a file besides."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as caught:
        load_settings(write("[server]\ngateways = 2\n"))
    assert expected in str(caught.value)


def test_variables_that_others_made_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Container platforms make up names from that of the service."""
    monkeypatch.setenv("ALLOCATOR_PORT_50051_TCP_ADDR", "10.0.0.1")
    assert load_settings().server.host == "127.0.0.1"


@pytest.mark.parametrize("overrides", [{"server": {"port": -1}}, {"server": {"prot": 1}}, {"sever": {}}])
def test_an_override_that_cannot_be_used_is_an_error(overrides: dict[str, Any]) -> None:
    """Options are checked as the file is."""
    with pytest.raises(SettingsError, match="settings from the command line: se"):
        load_settings(None, overrides)


def test_a_file_that_is_missing_or_no_text_is_an_error(tmp_path: Path) -> None:
    """One line says which file and why."""
    with pytest.raises(SettingsError, match=r"settings file .*none\.toml cannot be read: No such file"):
        load_settings(tmp_path / "none.toml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)
    (tmp_path / "latin.toml").write_bytes(b"# caf\xe9\n")
    with pytest.raises(SettingsError, match="is not UTF-8: invalid continuation byte at byte 5"):
        load_settings(tmp_path / "latin.toml")


def test_paths_in_the_file_begin_at_its_folder(write: Write, tmp_path: Path) -> None:
    """Wherever the service is started from; those of the command line begin where it was typed."""
    path = write("data_dir = 'state'\nnetwork_file = '/etc/network.yaml'\n")
    settings = load_settings(path)
    assert (settings.data_dir, settings.network_file) == (tmp_path / "state", Path("/etc/network.yaml"))
    assert load_settings(path, {"data_dir": Path("here")}).data_dir == Path("here")


def test_the_journal_is_under_the_data_directory_unless_told_otherwise(tmp_path: Path) -> None:
    """Its address is absolute, because actors may run in another directory."""
    assert Settings(data_dir=tmp_path).journal_url == str(tmp_path / "journal")
    assert Path(Settings().journal_url).is_absolute()
    assert load_settings(None, {"journal": {"url": "postgresql://h/d"}}).journal_url == "postgresql://h/d"


def test_limits_are_those_of_the_core() -> None:
    """The same defaults, and seconds become nanoseconds."""
    defaults = LedgerLimits()
    assert load_settings().limits.ledger_limits() == defaults
    changed = load_settings(None, {"limits": {"skus_max": 5, "closed_age_s": 1.5}}).limits.ledger_limits()
    assert changed == defaults._replace(skus_max=5, closed_age_ns=1_500_000_000)


def test_settings_cannot_be_changed_once_made() -> None:
    """All of the service's processes see the same ones."""
    with pytest.raises(ValueError, match="frozen"):
        Settings().server.port = 1  # type: ignore[misc]  # that is the point
