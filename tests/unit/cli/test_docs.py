from __future__ import annotations

import re
from pathlib import Path

from tests.unit.cli.conftest import Command

TEXT = (Path(__file__).parents[3] / "docs" / "cli.md").read_text("utf-8")


def test_every_command_is_on_the_page(command: Command) -> None:
    """As the help lists them."""
    listed = re.findall(r"^│ (\w+) ", command("--help").out, flags=re.MULTILINE)
    assert "check" in listed
    assert [name for name in listed if f"`{name}" not in TEXT] == []


def test_every_option_on_the_page_is_one(command: Command) -> None:
    """Of some command."""
    words = [
        "serve",
        "reserve",
        "reservations",
        "allocate",
        "source",
        "reject",
        "transfer",
        "load",
        "audit",
        "replay",
        "stock",
        "supply",
        "check",
    ]
    known = " ".join(command(*path).out for path in (["--help"], *([word, "--help"] for word in words)))
    named = set(re.findall(r"--[a-z][a-z-]+", TEXT)) - {"--help"}
    assert sorted(option for option in named if option not in known) == []
