from __future__ import annotations

import re
from pathlib import Path

import pytest

from allocator.client import Client, RequestError
from allocator.client import errors as client_errors
from tests.unit.client.fake import FakeServer

TEXT = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_run(fake: FakeServer, example: str) -> None:
    """What the page shows works as it stands, but for the address."""
    fake.state.add("daventry-dc", **{"85123A": 5, "22423": 1})
    exec(example.replace("127.0.0.1:50051", fake.address), {})  # noqa: S102  # it is the page's own code
    assert fake.seen


def test_every_error_is_on_the_page() -> None:
    """But for their root and the ones that only say more of another."""
    named = set(re.findall(r"`(\w+)`", TEXT))
    classes = {name for name, thing in vars(client_errors).items() if _is_error(thing)}
    assert classes - named == {"MessageTooLarge"}


def _is_error(thing: object) -> bool:
    return isinstance(thing, type) and issubclass(thing, RequestError)


def test_every_setting_on_the_page_is_one() -> None:
    """Names and defaults of the table are those of the client."""
    rows = dict(re.findall(r"^\| `(\w+)` \| ([\d.]+) \|", TEXT, flags=re.MULTILINE))
    defaults = Client.__init__.__kwdefaults__ or {}
    assert rows
    assert {name: float(text) for name, text in rows.items()} == {name: defaults[name] for name in rows}
