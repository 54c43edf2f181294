"""The rules of the house that neither ruff nor import-linter can check."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = sorted((ROOT / "allocator" / "core").rglob("*.py"))

# What the core may import besides itself: nothing that brings a clock, chance, threads or the outside world.
PURE = {
    "__future__",
    "abc",
    "array",
    "bisect",
    "collections",
    "copy",
    "dataclasses",
    "datetime",
    "enum",
    "functools",
    "hashlib",
    "heapq",
    "itertools",
    "math",
    "msgpack",
    "numpy",
    "operator",
    "re",
    "struct",
    "typing",
    "zlib",
}
# hash() of a string differs from process to process, and id() from object to object.
IMPURE_CALLS = {"__import__", "hash", "id", "input", "open", "print"}
# datetime.now() and numpy.random are clock and chance behind a pure module's name.
IMPURE_ATTRIBUTES = {"fromtimestamp", "now", "random", "today", "utcnow"}


def test_there_is_a_core_to_check() -> None:
    """The checks below look at files, not at an empty folder."""
    assert CORE


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_the_core_has_no_clock_no_chance_and_no_outside_world(path: Path) -> None:
    """Every module of the core is a function of its arguments, so a replay equals what was lived through."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert list(impurities(tree)) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "from random import choice",
        "from uuid import uuid4",
        "import ray",
        "from allocator.config import Settings",
        "from allocator import config",
        "from datetime import datetime\nat = datetime.now()",
        "import numpy as np\nnp.random.default_rng()",
        "open('stock')",
        "key = hash('sku')",
    ],
)
def test_an_impure_line_is_found(source: str) -> None:
    """The check sees each way for a clock, chance, another layer or I/O to get into the core."""
    assert len(list(impurities(ast.parse(source)))) == 1


@pytest.mark.parametrize("name", ["base", "dev"])
def test_requirements_name_no_index_and_no_path(name: str) -> None:
    """Pinned requirements install from whatever index the reader uses."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    assert re.findall(r"://|--(?:extra-)?index|--find-links|^/|\s/\w|file:", text, flags=re.MULTILINE) == []


@pytest.mark.parametrize("name", ["base", "dev"])
def test_every_requirement_is_exact_and_hashed(name: str) -> None:
    """Each requirement has one version and at least one hash."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def impurities(tree: ast.AST) -> Iterator[str]:
    """Yield what a module of the core must not import, call or reach for, with its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt | ast.expr):
            yield from (f"{name} in line {node.lineno}" for name in impure_names(node))


def impure_names(node: ast.stmt | ast.expr) -> list[str]:
    """Return the forbidden names one node of the syntax tree uses."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names if not is_pure(alias.name)]
        case ast.ImportFrom(module=module, names=names, level=0):
            full = [module] if module != "allocator" else [f"allocator.{alias.name}" for alias in names]
            return [name for name in full if name and not is_pure(name)]
        case ast.Call(func=ast.Name(id=name)) if name in IMPURE_CALLS:
            return [name]
        case ast.Attribute(attr=name) if name in IMPURE_ATTRIBUTES:
            return [name]
    return []


def is_pure(module: str) -> bool:
    """Tell whether the core may import a module."""
    return module.partition(".")[0] in PURE or (module + ".").startswith("allocator.core.")
