from __future__ import annotations

from tools.settings_table import README, with_table


def test_the_readme_lists_every_setting() -> None:
    """The settings table of the README is what the settings are; `python tools/settings_table.py --write` renews it."""
    text = README.read_text(encoding="utf-8")
    assert with_table(text) == text
