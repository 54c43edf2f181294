from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text, update

from adapters.erp.port import Position, Posting
from adapters.erp.sql import SqlErp, SqlOptions
from adapters.errors import AdapterError, AdapterSettingsError, TargetUnavailableError
from allocator.core.limits import NS_PER_S

POSTED_NS = 1_769_846_400 * NS_PER_S  # 2026-01-31T08:00:00Z
POSTED_AT = datetime(2026, 1, 31, 8, tzinfo=UTC)
POSTING = Posting(
    location="leeds-2",
    version=7,
    line=1,
    sku="A",
    type="sale",
    reason="till",
    disposition="",
    quantity=-3,
    movements=2,
    documents=("receipt 1", "receipt 2"),
    reservations=("r1",),
    orders=("A-1001",),
    correlation_ids=("call-1",),
    traceparents=("00-1",),
    occurred_ns=POSTED_NS - 5 * NS_PER_S,
)


@pytest.fixture(params=["sqlite", "postgres"])
def options(request: pytest.FixtureRequest) -> SqlOptions:
    """Settings of a database with nothing in it."""
    if request.param == "sqlite":
        return SqlOptions()
    url, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_schema")
    return SqlOptions(url=url, schema_name=schema)


@pytest.fixture
def erp(options: SqlOptions, tmp_path: Path) -> Iterator[SqlErp]:
    """An open target."""
    with SqlErp("books", options, tmp_path) as target:
        yield target


def rows(erp: SqlErp, table: str) -> list[dict[str, Any]]:
    """All rows of a table."""
    with erp.engine.begin() as connection:
        found = connection.execute(select(getattr(erp.tables, table)))
        return [dict(row) for row in found.mappings()]


def in_utc(at: datetime) -> datetime:
    """A time from the database; SQLite keeps UTC without saying so."""
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def test_a_posting_is_one_row_with_all_it_tells(erp: SqlErp) -> None:
    """Keyed by location, version and line, and by the text `location:version`."""
    erp.post("leeds-2", 7, [POSTING], POSTED_NS)
    (row,) = rows(erp, "postings")
    assert in_utc(row.pop("occurred_at")) == POSTED_AT - timedelta(seconds=5)
    assert in_utc(row.pop("posted_at")) == POSTED_AT
    lists = {name: list(value) for name, value in POSTING._asdict().items() if isinstance(value, tuple)}
    expected = {**POSTING._asdict(), **lists, "posting_id": "leeds-2:7"}
    del expected["occurred_ns"]
    assert row == expected


def test_a_position_is_one_row_with_the_version_it_changed_at(erp: SqlErp) -> None:
    """And the cursor tells which version all of them are of."""
    erp.put_positions("leeds-2", 7, [Position("A", 9, 1, 2, 3, 1, 2), Position("B", 1, 0, 0, 0, 0, 1)], whole=True)
    erp.put_positions("leeds-2", 9, [Position("B", 2, 0, 0, 0, 0, 2)], whole=False)
    first, second = sorted(rows(erp, "positions"), key=lambda row: row["sku"])
    assert list(first.values()) == ["leeds-2", "A", 9, 1, 2, 3, 1, 2, 7]
    assert list(second.values()) == ["leeds-2", "B", 2, 0, 0, 0, 0, 2, 9]
    (cursor,) = rows(erp, "cursors")
    assert (cursor["version"], cursor["positions_version"]) == (0, 9)


def test_postings_and_cursor_are_one_transaction(erp: SqlErp) -> None:
    """When the cursor cannot move, nothing is posted, and the same call works later."""
    refuse = "ALTER TABLE {} RENAME COLUMN version TO gone"
    repair = "ALTER TABLE {} RENAME COLUMN gone TO version"
    erp.post("leeds-2", 6, [], POSTED_NS)
    trap(erp, refuse)
    with pytest.raises(TargetUnavailableError, match="version"):
        erp.post("leeds-2", 7, [POSTING], POSTED_NS)
    trap(erp, repair)
    assert rows(erp, "postings") == []
    assert erp.cursor("leeds-2") == 6
    erp.post("leeds-2", 7, [POSTING], POSTED_NS)
    assert len(rows(erp, "postings")) == 1


def test_postings_go_when_the_cursor_behind_them_fails(erp: SqlErp) -> None:
    """A rule of the database on the cursor table undoes the rows that were written before it."""
    with erp.engine.begin() as connection:
        table = erp.tables.cursors
        name = f"{table.schema}.cursors" if table.schema else "cursors"
        if table.schema:
            connection.execute(text(f"ALTER TABLE {name} ADD CHECK (version < 7)"))
        else:
            body = "BEGIN SELECT RAISE(ABORT, 'version too high'); END"
            connection.execute(text(f"CREATE TRIGGER low BEFORE UPDATE ON {name} WHEN NEW.version >= 7 {body}"))
    with pytest.raises(TargetUnavailableError):
        erp.post("leeds-2", 7, [POSTING], POSTED_NS)
    assert rows(erp, "postings") == []


def trap(erp: SqlErp, statement: str) -> None:
    """Change the cursor table behind the target's back."""
    table = erp.tables.cursors
    with erp.engine.begin() as connection:
        connection.execute(text(statement.format(f"{table.schema}.cursors" if table.schema else "cursors")))


def test_two_exporters_on_one_database_post_once(erp: SqlErp, options: SqlOptions, tmp_path: Path) -> None:
    """The second one finds the cursor where the first one left it."""
    with SqlErp("books", options, tmp_path) as other:
        assert erp.cursor("leeds-2") == other.cursor("leeds-2") == 0
        erp.post("leeds-2", 7, [POSTING], POSTED_NS)
        other.post("leeds-2", 7, [POSTING], POSTED_NS)
    assert len(rows(erp, "postings")) == 1


def test_what_is_set_aside_has_the_reason_beside_it(erp: SqlErp) -> None:
    """And everything the posting tells."""
    duplicate = POSTING._replace(quantity=1)
    erp.post("leeds-2", 7, [POSTING, duplicate], POSTED_NS)
    (row,) = rows(erp, "set_aside")
    assert (row["posting_id"], row["line"], row["quantity"]) == ("leeds-2:7", 1, 1)
    assert "unique" in row["refusal"].lower()


def test_tables_of_another_layout_are_left_alone(options: SqlOptions, tmp_path: Path) -> None:
    """A newer release may have made them."""
    with SqlErp("books", options, tmp_path) as erp, erp.engine.begin() as connection:
        connection.execute(update(erp.tables.layout).values(version=99))
    with pytest.raises(AdapterSettingsError, match="layout 99"):
        SqlErp("books", options, tmp_path).open()


def test_the_file_is_below_the_data_directory_by_default(tmp_path: Path) -> None:
    """Under the name of the adapter; a relative path begins there too."""
    with SqlErp("books", SqlOptions(), tmp_path):
        assert (tmp_path / "erp" / "books.sqlite").exists()
    with SqlErp("books", SqlOptions(url="sqlite:///other/b.sqlite"), tmp_path):
        assert (tmp_path / "other" / "b.sqlite").exists()


@pytest.mark.parametrize(
    "url", ["sqlite://", "sqlite:///:memory:", "mysql://a:secret@h/d", "secret", "postgresql:/secret"]
)
def test_an_address_that_cannot_be_used_is_told_without_its_password(url: str, tmp_path: Path) -> None:
    """With what was expected."""
    with pytest.raises(AdapterSettingsError, match="expected sqlite:///FILE or postgresql") as caught:
        SqlErp("books", SqlOptions(url=url), tmp_path)
    assert "secret" not in str(caught.value)


def test_a_database_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """It may come."""
    away = SqlOptions(url="postgresql://nobody@127.0.0.1:1/none")
    with pytest.raises(TargetUnavailableError):
        SqlErp("books", away, tmp_path).open()
    (tmp_path / "erp").write_text("a file in the way")
    with pytest.raises(TargetUnavailableError):
        SqlErp("books", SqlOptions(), tmp_path).open()


def test_a_target_that_is_not_open_says_so(tmp_path: Path) -> None:
    """Instead of failing somewhere inside."""
    with pytest.raises(AdapterError, match="not open"):
        SqlErp("books", SqlOptions(), tmp_path).cursor("leeds-2")
