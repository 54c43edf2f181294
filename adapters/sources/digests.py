"""Digests of the files that were taken whole, so that a file dropped again counts once however late that is.

The core tells repeated movements too, but remembers a bounded number of them for a bounded time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from adapters.files import append_durably, write_durably

DIGESTS_MAX: Final = 250_000
"""Digests remembered; the oldest are forgotten."""


class Digests:
    """A set of digests in a file, one per line, in the order they came.

    Args:
        path: of the file; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, None] = {}

    def load(self) -> None:
        """Read the file, and shorten one that has grown too long."""
        lines = self._path.read_text(encoding="ascii").split() if self._path.exists() else []
        self._known = dict.fromkeys(lines[-DIGESTS_MAX:])
        if len(lines) > DIGESTS_MAX:
            write_durably(self._path, _text(self._known))

    def __contains__(self, digest: str) -> bool:
        return digest in self._known

    def add(self, digest: str) -> None:
        """Remember a digest, durably."""
        if digest not in self._known:
            self._known[digest] = None
            append_durably(self._path, _text([digest]))


def _text(digests: dict[str, None] | list[str]) -> bytes:
    return "".join(f"{digest}\n" for digest in digests).encode("ascii")
