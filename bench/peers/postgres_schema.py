"""A schema of our own for the PostgreSQL peer, in a database that others use as well."""

from __future__ import annotations

import asyncio
import os
import uuid
from pathlib import Path
from typing import Final

import asyncpg

from bench.peers.backing import Backing

VARIABLE: Final = "ALLOCATOR_TEST_POSTGRES"
URL_DEFAULT: Final = "postgresql://postgres@127.0.0.1:5432/test"
CONNECT_S: Final = 5.0


def url() -> str:
    """The database, as asyncpg takes it; the variable is the one of the tests, which name a driver."""
    scheme, separator, rest = os.environ.get(VARIABLE, URL_DEFAULT).partition("://")
    return scheme.partition("+")[0] + separator + rest


def missing() -> str:
    """Why there can be none here; "" when there can."""
    try:
        asyncio.run(_execute("SELECT 1"))
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        return f"no PostgreSQL ({VARIABLE}): {error}"
    return ""


class PostgresSchema(Backing):
    """Tables in a schema whose name is in the folder, so that it is found again after a crash."""

    def __init__(self, folder: Path) -> None:
        self._note = folder / "schema"
        if not self._note.exists():
            self._note.write_text(f"allocator_peer_{uuid.uuid4().hex[:12]}", encoding="utf-8")
        self._name = self._note.read_text(encoding="utf-8")

    def start(self) -> str:
        """Make what is not there yet; database and schema, each on a line."""
        tables = Path(__file__).with_name("schema.sql").read_text(encoding="utf-8")
        name = self._name
        asyncio.run(_execute(f"CREATE SCHEMA IF NOT EXISTS {name}; SET search_path TO {name}; {tables}"))
        return f"{url()}\n{self._name}"

    def stop(self) -> None:
        """Drop all of it."""
        asyncio.run(_execute(f"SET client_min_messages TO error; DROP SCHEMA IF EXISTS {self._name} CASCADE"))
        self._note.unlink(missing_ok=True)


async def _execute(script: str) -> None:
    connection = await asyncpg.connect(url(), timeout=CONNECT_S)
    try:
        await connection.execute(script)
    finally:
        await connection.close()
