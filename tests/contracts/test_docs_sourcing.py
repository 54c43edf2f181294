"""What docs/sourcing.md shows is what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from allocator.cli.app import run
from allocator.core.network.types import LoadNetwork
from allocator.core.sourcing import DEFAULT, Filter, Term
from allocator.network_file import read_network
from allocator.runtime.hosted import NETWORK
from tests.support.gateway import HOST, LocalService, local_service

TEXT = (Path(__file__).parents[2] / "docs" / "sourcing.md").read_text("utf-8")
SHOWN = [(block.partition("\n")[0], block.partition("\n")[2]) for block in
         re.findall(r"```console\n\$ allocator (.*?)\n```", TEXT, flags=re.DOTALL)]  # fmt: skip


def block(kind: str) -> str:
    """The page's code block of a kind."""
    found = re.search(rf"```{kind}\n(.*?)```", TEXT, flags=re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalService]:
    """A service of the page's network, with the page's stock."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "network.yaml").write_text(block("yaml"), "utf-8")
    (folder / "stock.csv").write_text(block("csv"), "utf-8")
    file = read_network(folder / "network.yaml")
    with local_service(folder, placed={"actor-0000": file.locations}) as service:
        load = LoadNetwork("file", file.locations, file.groups, file.lanes, file.profiles)
        service.actor(NETWORK).ask(NETWORK, [load])
        assert run([*address(service), "load", str(folder / "stock.csv")]) == 0
        yield service


def address(service: LocalService) -> list[str]:
    """Where commands find it."""
    return ["--address", f"{HOST}:{service.gateways[0].port}"]


@pytest.mark.parametrize(("command", "shown"), SHOWN, ids=[command.split()[0] for command, _ in SHOWN])
def test_commands_print_what_the_page_shows(
    service: LocalService, capsys: pytest.CaptureFixture[str], command: str, shown: str
) -> None:
    """But for the dates, which are those of today."""
    run([*address(service), *command.split()])
    assert _comparable(capsys.readouterr().out) == _comparable(shown)


def _comparable(text: str) -> list[str]:
    return [re.sub(r"\d{4}-\d\d-\d\d", "DATE", line.rstrip()) for line in text.splitlines()]


def test_every_filter_and_term_is_on_the_page() -> None:
    """In the order in which they are asked, and in that of the contract."""
    rows = re.findall(r"^\| `([A-Z_]+)` \|", TEXT, flags=re.MULTILINE)
    assert rows == [*(found.name for found in Filter), *(term.name for term in Term)]


def test_the_built_in_profile_is_as_the_page_says() -> None:
    """Weights in the order of the terms, then parcels at most."""
    numbers = (DEFAULT.cost, DEFAULT.lateness, DEFAULT.parcels, DEFAULT.stock_cover, DEFAULT.capacity, DEFAULT.priority)
    told = "cost {:g}, lateness {:g}, parcels {:g}, stock cover {:g}, capacity {:g}, priority {:g}, at most {} parcels"
    assert told.format(*numbers, DEFAULT.splits_max) in " ".join(TEXT.split())
