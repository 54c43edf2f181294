from __future__ import annotations

import io
import re

import pytest

from adapters.erp.sql import SqlOptions
from adapters.erp.sql_tables import erp_tables
from adapters.formats import StockMovement, parse_cloudevents, parse_csv
from adapters.formats.fields import EXPECTED
from adapters.sources.folder import FolderOptions
from tests.unit.adapters.conftest import ROOT

TEXT = (ROOT / "docs" / "adapters.md").read_text(encoding="utf-8")


def example(language: str) -> io.BytesIO:
    """The first example in a language."""
    found = re.search(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)
    assert found
    return io.BytesIO(found[1].encode())


def test_the_examples_are_movements() -> None:
    """Every line of them."""
    lines = [*parse_cloudevents(example("json")), *parse_csv(example("csv"))]
    assert len(lines) == 3
    assert all(isinstance(line.outcome, StockMovement) for line in lines)


@pytest.mark.parametrize("name", sorted({*FolderOptions.model_fields, *SqlOptions.model_fields}))
def test_every_setting_is_documented(name: str) -> None:
    """In a table row of its own."""
    assert f"\n| `{name}` | " in TEXT


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_every_column_of_csv_is_documented(name: str) -> None:
    """By name."""
    assert f"`{name}`" in TEXT


@pytest.mark.parametrize("name", sorted(erp_tables(None).postings.c.keys() + erp_tables(None).positions.c.keys()))
def test_every_column_of_the_erp_is_documented(name: str) -> None:
    """By name."""
    assert re.search(rf"\b{name}\b", TEXT)
