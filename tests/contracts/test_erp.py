"""What every ERP target owes to the exporter."""

from __future__ import annotations

import random
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine, text

from adapters.erp.port import ErpOptions, ErpTarget, Position, Posting
from adapters.erp.sql import ROWS_MAX, SqlErp, SqlOptions
from adapters.errors import TargetUnavailableError
from allocator.core.commands import (
    Commit,
    Fulfil,
    Movement,
    MovementType,
    PolicyLine,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
)
from allocator.core.limits import NS_PER_S
from allocator.journal import JournalStore
from tests.unit.adapters.helpers import NOW_NS
from tests.unit.adapters.journaled import Change, ErpMemory, Following, Locations, MemoryErp, receipt

LEEDS, YORK = "leeds-2", "york-3"


class Erp(ABC):
    """An ERP that outlives the targets that write to it; begins with nothing."""

    def __init__(self, folder: Path, url: str = "", schema: str = "") -> None:
        self.folder, self.url, self.schema = folder, url, schema

    @abstractmethod
    def target(self) -> ErpTarget:
        """A target as a new process would make it."""

    @abstractmethod
    def postings(self) -> list[tuple[str, int, int, str, int]]:
        """Location, version, line, SKU and quantity of each, in order."""

    @abstractmethod
    def set_aside(self) -> list[tuple[str, int, int, str]]:
        """Location, version, line and SKU of each, in order."""

    @abstractmethod
    def positions(self, location: str) -> dict[str, Position]:
        """By SKU."""

    @abstractmethod
    def forbid(self, sku: str) -> None:
        """Let the ERP refuse postings of an article."""

    @abstractmethod
    def fail_once(self, target: ErpTarget) -> None:
        """Let the next call of a target fail, with nothing changed."""


class InMemory(Erp):
    """The fake of the exporter's own tests."""

    def __init__(self, folder: Path, url: str = "", schema: str = "") -> None:
        super().__init__(folder, url, schema)
        self._memory = ErpMemory()

    def target(self) -> ErpTarget:
        """A fake on the same memory."""
        return MemoryErp("erp", ErpOptions(), self.folder, self._memory)

    def postings(self) -> list[tuple[str, int, int, str, int]]:
        """Those in memory."""
        return sorted((p.location, p.version, p.line, p.sku, p.quantity) for p in self._memory.postings)

    def set_aside(self) -> list[tuple[str, int, int, str]]:
        """Those in memory."""
        return sorted((p.location, p.version, p.line, p.sku) for p in self._memory.set_aside)

    def positions(self, location: str) -> dict[str, Position]:
        """Those in memory."""
        return self._memory.positions.get(location, {})

    def forbid(self, sku: str) -> None:
        """It knows which."""
        self._memory.forbidden.add(sku)

    def fail_once(self, target: ErpTarget) -> None:  # noqa: ARG002  # this one fails all of them
        """It raises what it is given."""
        self._memory.failing = TargetUnavailableError("away")


class InSqlite(Erp):
    """Tables in a SQLite file."""

    def target(self) -> ErpTarget:
        """A target on the file."""
        return SqlErp("erp", SqlOptions(url=self.address), self.folder)

    @property
    def address(self) -> str:
        """Of the database."""
        return f"sqlite:///{self.folder / 'erp.sqlite'}"

    def postings(self) -> list[tuple[str, int, int, str, int]]:
        """Those in the table."""
        rows = self._run("SELECT location, version, line, sku, quantity FROM postings ORDER BY location, version, line")
        return [tuple(row) for row in rows]

    def set_aside(self) -> list[tuple[str, int, int, str]]:
        """Those in the table."""
        rows = self._run("SELECT location, version, line, sku FROM set_aside ORDER BY location, version, line")
        return [tuple(row) for row in rows]

    def positions(self, location: str) -> dict[str, Position]:
        """Those in the table."""
        columns = ", ".join(Position._fields)
        rows = self._run(f"SELECT {columns} FROM positions WHERE location = :location", location=location)
        return {row.sku: Position(*row) for row in rows}

    def forbid(self, sku: str) -> None:
        """A rule of whoever owns the database."""
        self._run(
            f"CREATE TRIGGER products BEFORE INSERT ON postings WHEN NEW.sku = '{sku}' "
            "BEGIN SELECT RAISE(ABORT, 'unknown product'); END"
        )

    def fail_once(self, target: ErpTarget) -> None:
        """Take a table away until somebody looks for it."""
        self._run("ALTER TABLE cursors RENAME TO lost")
        with pytest.raises(TargetUnavailableError, match="cursors"):
            target.cursor(LEEDS)
        self._run("ALTER TABLE lost RENAME TO cursors")

    def _run(self, statement: str, **values: str) -> list[Any]:
        engine = create_engine(self.address)
        try:
            with engine.begin() as connection:
                self._use(connection)
                found = connection.execute(text(statement), values)
                return list(found.all()) if found.returns_rows else []
        finally:
            engine.dispose()

    def _use(self, connection: Connection) -> None:
        """Nothing to set here."""


class InPostgres(InSqlite):
    """Tables in a schema of PostgreSQL."""

    def target(self) -> ErpTarget:
        """A target on the schema."""
        return SqlErp("erp", SqlOptions(url=self.url, schema_name=self.schema), self.folder)

    @property
    def address(self) -> str:
        """Of the database."""
        return self.url

    def forbid(self, sku: str) -> None:
        """A rule of whoever owns the database."""
        self._run(f"ALTER TABLE postings ADD CHECK (sku <> '{sku}')")

    def drop(self) -> None:
        """Begin with nothing again."""
        self._run(f"DROP SCHEMA IF EXISTS {self.schema} CASCADE")

    def _use(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL search_path TO {self.schema}")


KINDS: dict[str, type[Erp]] = {"memory": InMemory, "sqlite": InSqlite, "postgres": InPostgres}
MakeErp = Callable[[Path], Erp]


@pytest.fixture(params=KINDS)
def make_erp(request: pytest.FixtureRequest) -> MakeErp:
    """Make an ERP with nothing in it."""
    kind = request.param
    if kind != "postgres":
        return KINDS[kind]
    url, schema = request.getfixturevalue("postgres_url"), request.getfixturevalue("postgres_schema")

    def make(folder: Path) -> Erp:
        erp = InPostgres(folder, url, schema)
        erp.drop()
        return erp

    return make


@pytest.fixture
def erp(make_erp: MakeErp, tmp_path: Path) -> Erp:
    """An ERP with nothing in it."""
    return make_erp(tmp_path)


@pytest.fixture
def target(erp: Erp) -> Iterator[ErpTarget]:
    """An open target."""
    with erp.target() as target:
        yield target


def posting(location: str, version: int, line: int, sku: str = "A", quantity: int = 1) -> Posting:
    """A receipt."""
    calls = (("call-1",), ("00-1",))
    return Posting(location, version, line, sku, "receipt", "", "", quantity, 1, ("DN 1",), (), (), *calls, NOW_NS)


def position(sku: str, on_hand: int) -> Position:
    """Sellable units."""
    return Position(sku, on_hand, 0, 0, 0, 0, on_hand)


def test_a_new_erp_has_nothing(target: ErpTarget, erp: Erp) -> None:
    """Of any location."""
    assert target.cursor(LEEDS) == 0
    assert erp.postings() == []


def test_postings_are_there_and_the_cursor_behind_them(target: ErpTarget, erp: Erp) -> None:
    """Also for the next process."""
    assert (
        target.post(LEEDS, 3, [posting(LEEDS, 2, 1), posting(LEEDS, 2, 2, "B", -5), posting(LEEDS, 3, 1)], NOW_NS) == ()
    )
    target.close()
    with erp.target() as again:
        assert again.cursor(LEEDS) == 3
    assert erp.postings() == [(LEEDS, 2, 1, "A", 1), (LEEDS, 2, 2, "B", -5), (LEEDS, 3, 1, "A", 1)]


def test_a_version_is_posted_once(target: ErpTarget, erp: Erp) -> None:
    """Whoever comes again with it, alone or beside new ones, changes nothing of it."""
    target.post(LEEDS, 2, [posting(LEEDS, 1, 1), posting(LEEDS, 2, 1)], NOW_NS)
    target.post(LEEDS, 2, [posting(LEEDS, 1, 1), posting(LEEDS, 2, 1, quantity=9)], NOW_NS)
    target.post(LEEDS, 3, [posting(LEEDS, 2, 1), posting(LEEDS, 3, 1)], NOW_NS)
    assert target.cursor(LEEDS) == 3
    assert erp.postings() == [(LEEDS, version, 1, "A", 1) for version in (1, 2, 3)]


def test_a_version_without_postings_moves_the_cursor(target: ErpTarget) -> None:
    """Not every entry has a stock effect."""
    target.post(LEEDS, 7, [], NOW_NS)
    assert target.cursor(LEEDS) == 7


def test_the_cursor_never_goes_backwards(target: ErpTarget) -> None:
    """A late call of a process that was thought dead changes nothing."""
    target.post(LEEDS, 7, [], NOW_NS)
    target.post(LEEDS, 5, [posting(LEEDS, 5, 1)], NOW_NS)
    assert target.cursor(LEEDS) == 7


def test_locations_have_cursors_of_their_own(target: ErpTarget) -> None:
    """Versions of different locations do not compare."""
    target.post(LEEDS, 7, [], NOW_NS)
    assert target.cursor(YORK) == 0


def test_more_rows_than_one_statement_takes(target: ErpTarget, erp: Erp) -> None:
    """All of them are there."""
    many = 2 * ROWS_MAX + 1
    target.post(LEEDS, 1, [posting(LEEDS, 1, line) for line in range(1, many + 1)], NOW_NS)
    target.put_positions(LEEDS, 1, (position(f"SKU-{n}", n) for n in range(many)), whole=True)
    assert len(erp.postings()) == len(erp.positions(LEEDS)) == many


def test_what_the_erp_will_never_take_is_set_aside(target: ErpTarget, erp: Erp) -> None:
    """With a reason; what stands beside it is posted, and the cursor moves."""
    erp.forbid("B")
    refused = target.post(
        LEEDS, 1, [posting(LEEDS, 1, 1), posting(LEEDS, 1, 2, "B"), posting(LEEDS, 1, 3, "C")], NOW_NS
    )
    assert [bool(refusal.key and refusal.reason) for refusal in refused] == [True]
    assert target.cursor(LEEDS) == 1
    assert erp.postings() == [(LEEDS, 1, 1, "A", 1), (LEEDS, 1, 3, "C", 1)]
    assert erp.set_aside() == [(LEEDS, 1, 2, "B")]


def test_an_erp_that_was_away_goes_on(target: ErpTarget, erp: Erp) -> None:
    """With what it had."""
    target.post(LEEDS, 1, [posting(LEEDS, 1, 1)], NOW_NS)
    erp.fail_once(target)
    if isinstance(target, MemoryErp):
        with pytest.raises(TargetUnavailableError):
            target.cursor(LEEDS)
    target.post(LEEDS, 2, [posting(LEEDS, 2, 1)], NOW_NS)
    assert target.cursor(LEEDS) == 2


def test_whole_positions_replace_all_there_were(target: ErpTarget, erp: Erp) -> None:
    """Of that location, and no other."""
    target.put_positions(YORK, 1, [position("A", 1)], whole=True)
    target.put_positions(LEEDS, 1, [position("A", 1), position("B", 2)], whole=True)
    target.put_positions(LEEDS, 2, [position("B", 3)], whole=True)
    assert erp.positions(LEEDS) == {"B": position("B", 3)}
    assert erp.positions(YORK) == {"A": position("A", 1)}


def test_changed_positions_leave_the_others(target: ErpTarget, erp: Erp) -> None:
    """New ones are added."""
    target.put_positions(LEEDS, 1, [position("A", 1), position("B", 2)], whole=True)
    target.put_positions(LEEDS, 2, [position("B", 3), position("C", 4)], whole=False)
    assert erp.positions(LEEDS) == {"A": position("A", 1), "B": position("B", 3), "C": position("C", 4)}


def test_older_positions_change_nothing(target: ErpTarget, erp: Erp) -> None:
    """A late call of a process that was thought dead."""
    target.put_positions(LEEDS, 5, [position("A", 5)], whole=True)
    target.put_positions(LEEDS, 4, [position("A", 4)], whole=True)
    assert erp.positions(LEEDS) == {"A": position("A", 5)}


def test_closing_again_or_before_opening_is_fine(erp: Erp) -> None:
    """Whoever cleans up need not know how far it came."""
    target = erp.target()
    target.close()
    target.open()
    target.close()
    target.close()


class Retailer:
    """Does this and that at its locations, by chance."""

    def __init__(self, store: JournalStore, chance: random.Random) -> None:
        self.locations, self._chance, self._number = Locations(store), chance, 0
        self._reservations: list[tuple[str, str]] = []

    def trade(self) -> None:
        """One batch at one location."""
        location = self._chance.choice((LEEDS, YORK))
        self.locations.now_ns += NS_PER_S
        commands = [self._command(location) for _ in range(self._chance.randint(1, 4))]
        self.locations.do(*commands, location=location, call=(f"call-{self._number}", ""))

    def save(self) -> None:
        """Save a snapshot of one location and cut behind it."""
        opened = list(self.locations.ledgers)
        if opened:
            self.locations.save(self._chance.choice(opened))

    def _command(self, location: str) -> Change:
        chance, number = self._chance, self._number
        self._number += 1
        sku, quantity, name = chance.choice("ABC"), chance.randint(1, 9), f"n{number}"
        kind = chance.randrange(9)
        if kind == 0 and self._reservations:
            return chance.choice((Commit, Release))(name, self._any_reservation(location))
        if kind == 1 and self._reservations:
            return Fulfil(name, self._any_reservation(location))
        if kind == 2:
            return SetCount(name, ((sku, quantity),), self.locations.now_ns)
        if kind == 3:
            moves = (("", "damaged", quantity), ("damaged", "", 1))
            line = PolicyLine(sku, quantity, (("web", 2),), moves)
            return SetStockPolicy(name, (line,), allow_missing=True)
        if kind < 6:
            self._reservations.append((location, f"r{number}"))
            return Reserve(
                name, f"r{number}", ((sku, 1),), 900 * NS_PER_S, chance.choice(("", "web")), order=f"o{number}"
            )
        movement_type = chance.choice(list(MovementType))
        target = "damaged" if movement_type == MovementType.DISPOSITION_CHANGE else chance.choice(("", "", "damaged"))
        late_ns = self.locations.now_ns - chance.randint(0, 3) * NS_PER_S
        disposition = "" if movement_type == MovementType.COUNT else target
        return Movement("//wms", name, 0, sku, movement_type, quantity, disposition, occurred_ns=late_ns)

    def _any_reservation(self, location: str) -> str:
        here = [name for place, name in self._reservations if place == location]
        return self._chance.choice(here or ["unknown"])


@settings(max_examples=20)
@given(
    seed=st.integers(0, 1 << 32),
    actions=st.lists(st.sampled_from(["trade", "trade", "trade", "round", "crash", "fail", "save"]), max_size=40),
)
def check_exactly_once(make_erp: MakeErp, seed: int, actions: list[str]) -> None:
    """Run a retailer and an exporter that is restarted, cut off and overtaken by snapshots, then compare."""
    with tempfile.TemporaryDirectory() as folder:
        erp = make_erp(Path(folder))
        with JournalStore(str(Path(folder) / "journal")) as store:
            retailer = Retailer(store, random.Random(seed))
            retailer.trade()
            with erp.target() as target:
                following = Following(store, target)
                for action in actions:
                    if action in {"trade", "save"}:
                        getattr(retailer, action)()
                    elif action == "round":
                        following.catch_up()
                    elif action == "fail":
                        erp.fail_once(target)
                    else:
                        following.close()
                        following = Following(store, target)
                following.catch_up()
                following.close()
            retailer.locations.journal.close()
            check_books(erp, retailer.locations)


def check_books(erp: Erp, locations: Locations) -> None:
    """Postings add up to on_hand, each once, and positions are those of the ledger."""
    postings = erp.postings()
    assert len({posting[:3] for posting in postings}) == len(postings)
    for location, ledger in locations.ledgers.items():
        assert erp.positions(location) == locations.positions(location)
        for sku, on_hand in zip(ledger.stock.skus, ledger.stock.on_hand, strict=True):
            assert sum(p[4] for p in postings if (p[0], p[3]) == (location, sku)) == on_hand


def test_each_version_is_posted_once_and_the_books_add_up(make_erp: MakeErp) -> None:
    """However often the exporter starts again, the ERP is away, and snapshots overtake both."""
    check_exactly_once(make_erp)


def test_an_erp_that_comes_late_begins_with_the_opening_balance(erp: Erp, tmp_path: Path) -> None:
    """When the first entries are cut already; the books add up all the same."""
    with JournalStore(str(tmp_path / "journal")) as store:
        locations = Locations(store)
        locations.do(receipt("A", 5, "m1"), receipt("B", 7, "m2", disposition="damaged"), location=LEEDS)
        locations.save(LEEDS)
        locations.do(receipt("A", 1, "m3"), location=LEEDS)
        with erp.target() as target:
            following = Following(store, target)
            following.catch_up()
            following.close()
        locations.journal.close()
    assert erp.postings() == [(LEEDS, 1, 1, "A", 5), (LEEDS, 1, 2, "B", 7), (LEEDS, 2, 1, "A", 1)]
    check_books(erp, locations)
