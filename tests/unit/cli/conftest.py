from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from allocator.cli.app import run
from tests.unit.client.fake import FakeServer, serve


class Ran(NamedTuple):
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401  # whatever it printed
        """Its one JSON object."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[Any]:
        """Its JSON objects, one a line."""
        return [json.loads(line) for line in self.out.splitlines()]


Command = Callable[..., Ran]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command in this process."""
    for name in ("ADDRESS", "SETTINGS", "TLS_CA", "TLS_CERTIFICATE", "TLS_KEY", "TLS_SERVER_NAME"):
        monkeypatch.delenv(f"ALLOCATOR_{name}", raising=False)

    def ran(*arguments: str) -> Ran:
        code = run(list(arguments))
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return ran


@pytest.fixture
def fake() -> Iterator[FakeServer]:
    """A running fake with two stores."""
    server = FakeServer()
    server.state.add("leeds", APPLE=10, PEAR=3).add("york", APPLE=4)
    with serve(server):
        yield server


@pytest.fixture
def allocator(command: Command, fake: FakeServer) -> Command:
    """Runs a command against the fake."""
    return lambda *arguments: command("--address", fake.address, *arguments)
