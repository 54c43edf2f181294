from __future__ import annotations

import re
from pathlib import Path

import grpc
import pytest

from allocator.client import Client, RequestError
from allocator.client import errors as client_errors
from tests.unit.client.certificates import Authority
from tests.unit.client.fake import FakeServer, serve

TEXT = (Path(__file__).parents[3] / "docs" / "client.md").read_text("utf-8")
EXAMPLES = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_examples_run(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the page shows works as it stands, but for the address, where the files it names are."""
    monkeypatch.chdir(tmp_path)
    fake = FakeServer()
    fake.state.add("daventry-dc", **{"85123A": 5, "22423": 1})
    with serve(fake, credentials=credentials(tmp_path) if "Tls(" in example else None):
        exec(example.replace("127.0.0.1:50051", fake.address), {})  # noqa: S102  # it is the page's own code
    assert fake.seen


def credentials(folder: Path) -> grpc.ServerCredentials:
    """Those of a service that wants a certificate, and beside them the files of a client."""
    authority = Authority(folder)
    files = authority.files("till-1")
    for path, name in [(files.ca, "ca.pem"), (files.certificate, "till-1.pem"), (files.key, "till-1.key.pem")]:
        path.rename(folder / name)
    return authority.server(wants_certificate=True)


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
