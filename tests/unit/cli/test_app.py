"""How any command begins and ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from allocator.cli.serve import settings_overrides
from tests.unit.cli.conftest import Command
from tests.unit.client.fake import FakeServer

COMMANDS = [
    ["serve"],
    ["check"],
    ["reserve"],
    ["commit"],
    ["extend"],
    ["release"],
    ["fulfil"],
    ["reservations"],
    ["source"],
    ["explain"],
    ["allocate"],
    ["transfer"],
    ["reject"],
    ["stock"],
    ["load"],
    ["network", "show"],
    ["network", "export"],
    ["audit"],
    ["replay"],
    ["journal", "verify"],
    ["journal", "status"],
    ["journal", "show"],
    ["journal", "cursors"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_helps_with_an_example(command: Command, words: list[str]) -> None:
    """Newcomers read the help first."""
    ran = command(*words, "--help")
    assert ran.code == 0
    assert f"Example: allocator {' '.join(words)}" in " ".join(ran.out.split())


def test_without_a_command_there_is_help(command: Command) -> None:
    """Every command is listed; it is still wrong usage."""
    ran = command()
    assert ran.code == 2
    listed = {words[0] for words in COMMANDS}
    assert listed <= set(ran.out.replace("│", " ").split())


def test_adapters_are_run_by_serve(command: Command) -> None:
    """The command that runs them is not listed, and works."""
    assert "adapters" not in command("--help").out
    assert command("adapters", "--help").code == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["chek"], "No such command 'chek'. Did you mean 'check'?; see `allocator --help`"),
        (["check"], "Missing argument 'SKU=QTY...'; see `allocator check --help`"),
        (["reserve", "A=1"], "Invalid value for '--at': 'A=1' does not say where"),
        (["stock", "leeds", "--limit", "x"], "Invalid value for '--limit'"),
        (["check", "A=1", "--jsn"], "No such option: --jsn"),
        (["check", "A=1", "--address", "x:1"], "it goes before the command: `allocator --address ...`"),
    ],
)
def test_wrong_usage_is_one_line(command: Command, words: list[str], told: str) -> None:
    """Exit code 2, and where the help is."""
    ran = command(*words)
    assert (ran.code, ran.out) == (2, "")
    assert told in ran.err
    assert ran.err.count("\n") == 1


def test_a_defect_of_ours_is_one_line_too(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """With how to see more; --debug shows the traceback."""
    monkeypatch.setattr("allocator.client.Client", None)
    plain = command("check", "A=1")
    assert plain.code == 1
    assert plain.err.startswith("allocator: internal error, TypeError")
    assert plain.err.count("\n") == 1
    assert "Traceback" in command("--debug", "check", "A=1").err


def test_the_address_comes_from_the_environment(
    command: Command, fake: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ALLOCATOR_ADDRESS, unless --address says otherwise."""
    monkeypatch.setenv("ALLOCATOR_ADDRESS", fake.address)
    assert command("check", "APPLE=1").code == 0


def test_the_correlation_id_goes_along(command: Command, fake: FakeServer) -> None:
    """Into logs, journal and postings."""
    command("--address", fake.address, "--correlation-id", "cart-7", "check", "APPLE=1")
    assert fake.seen[0].metadata["x-correlation-id"] == "cart-7"


def test_help_loads_nothing_heavy() -> None:
    """The command line starts at once: no numpy, Ray, SQLAlchemy or gRPC for help."""
    code = (
        "import sys; from allocator.cli.app import run; run(['--help']);"
        "print([name for name in ('numpy', 'ray', 'sqlalchemy', 'grpc', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_reading_only_the_first_lines_is_fine(fake: FakeServer) -> None:
    """A closed pipe ends the command without a word."""
    script = f"{sys.executable} -m allocator.cli --address {fake.address} stock leeds --json | true"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=False)
    assert done.stderr == ""


def test_only_what_was_given_overrides_the_settings() -> None:
    """An option that nobody gave leaves file and environment their say; nothing is not the same as 0."""
    given = {"data_dir": None, "server": {"host": None, "port": 0}, "log": {"format": None}}
    assert settings_overrides(given) == {"server": {"port": 0}}


def test_settings_that_cannot_be_used_stop_the_service_at_once(command: Command, tmp_path: Path) -> None:
    """One line that names the file, or the setting and what was expected."""
    gone = command("serve", "--settings", str(tmp_path / "gone.toml"))
    assert (gone.code, gone.err.count("\n")) == (1, 1)
    assert "gone.toml cannot be read" in gone.err
    wrong = command("serve", "--log-format", "xml", "--data", str(tmp_path))
    assert (wrong.code, wrong.err.count("\n")) == (1, 1)
    assert "log.format" in wrong.err
