from __future__ import annotations

import pickle

import pytest

from allocator.journal import JournalSettings, SettingsInvalid

ADDRESS = "postgresql://clerk:secret@db.example:5433/stock?sslmode=require"


def test_settings_travel_to_actors() -> None:
    """Writers are made inside actors."""
    settings = JournalSettings(ADDRESS, "shop")
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_password_is_never_shown() -> None:
    """Neither in messages nor in a debugger's view."""
    settings = JournalSettings(ADDRESS, "shop")
    assert settings.where == "postgresql://clerk:***@db.example:5433/stock schema shop"
    assert "secret" not in repr(settings)


@pytest.mark.parametrize("url", ["data/journal", "sqlite:///data/journal", "sqlite+pysqlite:///data/journal"])
def test_a_directory_may_be_spelled_several_ways(url: str) -> None:
    """A path is enough."""
    assert JournalSettings(url).where == "data/journal"


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgresql+psycopg://u@h/d", "postgresql+psycopg2://u@h/d"])
def test_any_spelling_of_postgresql_will_do(url: str) -> None:
    """There is one driver."""
    assert JournalSettings(url).where == "postgresql://u@h/d schema allocator"


@pytest.mark.parametrize(
    "url", ["", "  ", "sqlite://", "sqlite:///:memory:", "mysql://h/d", "http://h", "x://[", "://"]
)
def test_an_address_that_is_none_says_what_is_expected(url: str) -> None:
    """All kinds are named."""
    with pytest.raises(SettingsInvalid, match=r"a directory, sqlite:///DIRECTORY or postgresql://USER@HOST/DATABASE"):
        JournalSettings(url)


@pytest.mark.parametrize("schema", ["", "Shop", "1shop", "a-b", 'a"; DROP TABLE x', "x" * 64])
def test_a_schema_has_a_plain_name(schema: str) -> None:
    """Nothing that would need quoting."""
    with pytest.raises(SettingsInvalid, match="a-z, 0-9 and _"):
        JournalSettings("postgresql://u@h/d", schema)


def test_settings_open_nothing() -> None:
    """A server that is down is found when the journal is opened, not when settings are read."""
    JournalSettings("postgresql://nobody@203.0.113.1/none").store()
