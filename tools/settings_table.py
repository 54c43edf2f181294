"""Print the settings as a Markdown table, or put it into the README: `python tools/settings_table.py [--write]`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from allocator.config import Settings

README = Path(__file__).parent.parent / "README.md"
BEGIN, END = "<!-- settings: begin -->\n", "<!-- settings: end -->\n"


def table() -> str:
    """The table: setting, environment variable, default, meaning."""
    rows = ["| setting | default | meaning |", "| --- | --- | --- |"]
    rows += [f"| `{name}` | {default} | {meaning} |" for name, default, meaning in _rows(Settings, "")]
    return "\n".join(rows) + "\n"


def with_table(text: str) -> str:
    """`text` with what stands between the marks replaced by the table."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        default: Any = field.default
        if isinstance(default, BaseModel):
            yield from _rows(type(default), f"{prefix}{name}.")
        else:
            yield prefix + name, _shown(default), field.description or ""


def _shown(default: Any) -> str:  # noqa: ANN401  # any default
    if default is PydanticUndefined:
        return "none"
    if default in ("", None):
        return "empty"
    return f"`{default}`"


if __name__ == "__main__":
    if "--write" in sys.argv[1:]:
        README.write_text(with_table(README.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print(table(), end="")
