"""Arguments and options that several commands share, and how their texts are read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from allocator.client import LineQuantity

_SPANS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([dhms])")

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts: one object, or for lists one a line.")]
Limit = Annotated[
    int | None, typer.Option("--limit", min=1, help="At most this many rows; default: 100; all with --json.")
]
Lines = Annotated[list[str], typer.Argument(metavar="SKU=QTY...", help="SKUs and units, such as APPLE=2.")]
SomeLines = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SKU=QTY...]", help="SKUs and units; none: everything that is open."),
]
PlacedLines = Annotated[
    list[str], typer.Argument(metavar="SKU=QTY...", help="SKUs and units, such as APPLE=2, or where: APPLE=2@leeds.")
]
SomePlacedLines = Annotated[
    list[str] | None,
    typer.Argument(metavar="[SKU=QTY...]", help="SKUs and units, maybe where: APPLE=2@leeds; none: all that is open."),
]
LinesAt = Annotated[str, typer.Option("--at", metavar="LOCATION", help="Where lines are that do not say.")]
ReservationName = Annotated[str, typer.Argument(metavar="NAME", help="The reservation, as `reserve` told it.")]
RequestId = Annotated[
    str | None,
    typer.Option(
        "--request-id",
        help="Id of this request, up to 36 characters: the same again gets the first answer and acts once; "
        "default: a new one.",
    ),
]
Channel = Annotated[str, typer.Option("--channel", help="Sales channel, whose own quotas then count.")]

TlsCa = Annotated[
    str,
    typer.Option(
        "--tls-ca",
        envvar="ALLOCATOR_TLS_CA",
        metavar="FILE",
        help="Encrypt, and trust the certificates in this PEM file; `system`: those of the system.",
    ),
]
TlsCertificate = Annotated[
    str,
    typer.Option(
        "--tls-certificate",
        envvar="ALLOCATOR_TLS_CERTIFICATE",
        metavar="FILE",
        help="Encrypt, and show the service this PEM certificate.",
    ),
]
TlsKey = Annotated[
    str,
    typer.Option(
        "--tls-key",
        envvar="ALLOCATOR_TLS_KEY",
        metavar="FILE",
        help="PEM file of the private key of --tls-certificate.",
    ),
]
TlsServerName = Annotated[
    str,
    typer.Option(
        "--tls-server-name",
        envvar="ALLOCATOR_TLS_SERVER_NAME",
        metavar="NAME",
        help="Name that the service's certificate is for, when it is not the host of --address.",
    ),
]

SettingsFile = Annotated[
    Path | None,
    typer.Option("--settings", envvar="ALLOCATOR_SETTINGS", metavar="FILE", help="TOML file of the service."),
]
DataDir = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", help="Data folder of the service; default: data.")
]
JournalUrl = Annotated[
    str | None,
    typer.Option("--journal", metavar="URL", help="Journal, if it is elsewhere: a folder or postgresql://..."),
]

ROWS_DEFAULT = 100
"""Rows of a table when nobody says how many."""


def lines_of(texts: list[str] | None) -> list[tuple[str, int]]:
    """Read SKU=QTY arguments.

    Raises:
        BadParameter: one of them is something else.
    """
    return [_line(text) for text in texts or ()]


def _line(text: str) -> tuple[str, int]:
    sku, _, quantity = text.rpartition("=")
    if not sku or not re.fullmatch(r"[0-9]{1,18}", quantity):
        raise typer.BadParameter(f"{text!r} is not SKU=QTY, such as APPLE=2", param_hint="'SKU=QTY...'")
    return sku, int(quantity)


def placed_lines_of(texts: list[str] | None, at: str | None = None) -> list[tuple[str, int] | LineQuantity]:
    """Read SKU=QTY arguments, each of which may say `@LOCATION`.

    Args:
        texts: the arguments.
        at: where those are that do not; "": nowhere, so they have to.

    Raises:
        BadParameter: one of them is something else.
    """
    from allocator.client import LineQuantity

    found: list[tuple[str, int] | LineQuantity] = []
    for text in texts or ():
        bare, _, location = text.partition("@")
        if at == "" and not location:
            raise typer.BadParameter(f"{text!r} does not say where, as {text}@LOCATION would", param_hint="'--at'")
        sku, quantity = _line(bare)
        found.append(LineQuantity(sku, location, quantity) if location else (sku, quantity))
    return found


def span_s(text: str) -> float:
    """Read a length of time such as 90s, 15m or 1h30m; a plain number is seconds.

    Raises:
        BadParameter: it is something else.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = _SPAN.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise typer.BadParameter(f"{text!r} is not a length of time such as 90s, 15m or 1h30m")
    return sum(float(number) * _SPANS[unit] for number, unit in parts)


Ttl = Annotated[
    float | None,
    typer.Option("--ttl", parser=span_s, metavar="TIME", help="How long to hold, such as 15m; up to 4h; default: 15m."),
]


def row_limit(limit: int | None, *, as_json: bool) -> int | None:
    """How many rows to print; None: all."""
    return limit if limit is not None or as_json else ROWS_DEFAULT
