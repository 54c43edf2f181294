from __future__ import annotations

from pathlib import Path

import pytest

from adapters.erp.sql import SqlErp, SqlOptions
from adapters.errors import AdapterSettingsError
from adapters.registry import check_names, make_erp, make_source
from adapters.sources.folder import FolderSource
from allocator.config import AdapterSettings


def settings(kind: str, name: str = "feed", **options: object) -> AdapterSettings:
    """An adapter of the settings file."""
    return AdapterSettings.model_validate({"kind": kind, "name": name, **options})


def test_the_adapters_of_the_package_are_found(entry_points: Path, tmp_path: Path) -> None:
    """By their kinds, with their settings, and nothing is touched yet."""
    source = make_source(settings("folder", path="in", poll_s=2), tmp_path)
    assert isinstance(source, FolderSource)
    assert source.root == tmp_path / "in"
    erp, options = make_erp(settings("sql", positions_s=9), tmp_path)
    assert isinstance(erp, SqlErp)
    assert options == SqlOptions(positions_s=9)
    assert not source.root.exists()


def test_an_unknown_kind_is_told_with_those_there_are(entry_points: Path, tmp_path: Path) -> None:
    """Of sources and ERP targets each."""
    with pytest.raises(
        AdapterSettingsError, match=r"no adapter of kind 'kafka' in allocator.sources; there are: folder"
    ):
        make_source(settings("kafka"), tmp_path)
    with pytest.raises(AdapterSettingsError, match=r"no adapter of kind 'folder' in allocator.erp; there are: sql"):
        make_erp(settings("folder"), tmp_path)


def test_a_bad_setting_is_told_with_those_there_are(entry_points: Path, tmp_path: Path) -> None:
    """By section, name and kind of the adapter, and never with its value: it may be a password."""
    with pytest.raises(AdapterSettingsError) as caught:
        make_erp(settings("sql", "books", urll="postgresql://a:secret@h/d", poll_s="secret"), tmp_path)
    told = str(caught.value)
    assert told.startswith("[[erps]] books (kind sql): ")
    assert "urll: " in told
    assert "poll_s: " in told
    assert "Its settings are: poll_s, positions, positions_s, url, schema_name" in told
    assert "secret" not in told


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("nowhere_at_all:Source", "cannot be loaded"),
        ("adapters.sources.folder:Missing", "cannot be loaded"),
        ("adapters.erp.sql:SqlErp", "is not a MovementSource"),
        ("adapters.status:read_status", "is not a MovementSource"),
    ],
)
def test_an_adapter_of_others_that_does_not_fit_is_told(
    entry_points: Path, tmp_path: Path, place: str, expected: str
) -> None:
    """With the place it should be at."""
    entry_points.write_text(f"[allocator.sources]\nbroken = {place}\n")
    with pytest.raises(AdapterSettingsError, match=expected) as caught:
        make_source(settings("broken"), tmp_path)
    assert place in str(caught.value)


def test_a_kind_that_two_packages_provide_is_told(entry_points: Path, tmp_path: Path) -> None:
    """Nobody guesses which is meant."""
    other = entry_points.parent.parent / "other-1.dist-info"
    other.mkdir()
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (other / "entry_points.txt").write_text("[allocator.sources]\nfolder = other.folder:Source\n")
    with pytest.raises(AdapterSettingsError, match=r"more than once: adapters.sources.folder:FolderSource, other"):
        make_source(settings("folder"), tmp_path)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b", "a b", "x" * 65])
def test_a_name_that_cannot_be_a_file_name_is_refused(name: str) -> None:
    """It becomes one, and the name of a cursor."""
    with pytest.raises(AdapterSettingsError, match=r"cannot be used: expected 1 to 64"):
        check_names([settings("folder", name)])


def test_a_name_that_is_there_twice_is_refused() -> None:
    """Also between a source and an ERP target."""
    check_names([settings("folder", "a"), settings("sql", "b")])
    with pytest.raises(AdapterSettingsError, match=r"'a' is there 2 times"):
        check_names([settings("folder", "a"), settings("sql", "a")])
