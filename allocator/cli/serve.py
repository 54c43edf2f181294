"""`allocator serve`, and the hidden `allocator adapters`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from allocator.cli import parameters as p
from allocator.cli.output import console
from allocator.cli.session import session_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Told = Callable[[str, int, int], None]

PANEL = "Service"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(rich_help_panel=PANEL, epilog="Example: allocator serve --network demo/network.yaml --data data")(serve)
    app.command(hidden=True)(adapters)


def serve(
    *,
    settings: p.SettingsFile = None,
    network: Annotated[
        Path | None, typer.Option("--network", metavar="FILE", help="YAML file of locations and groups, to load.")
    ] = None,
    data: p.DataDir = None,
    host: Annotated[str | None, typer.Option("--host", help="Address to listen on; default: 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option("--port", min=0, max=65_535, help="0 picks a free one; default: 50051.")
    ] = None,
    gateways: Annotated[
        int | None, typer.Option("--gateways", min=1, max=64, help="Processes that answer calls; default: 1.")
    ] = None,
    front: Annotated[
        str | None,
        typer.Option(
            "--front",
            metavar="auto|envoy|grpcio",
            help="What answers the sockets; auto, the default: envoy where pyvoy is installed, else grpcio.",
        ),
    ] = None,
    journal: p.JournalUrl = None,
    log_format: Annotated[
        str | None,
        typer.Option("--log-format", metavar="auto|json|console", help="auto: readable on a terminal, else JSON."),
    ] = None,
) -> None:
    """Run the service until Ctrl-C or SIGTERM.

    Options win over the settings file and the environment. With neither, data
    goes into ./data.
    """
    from allocator.config import load_settings
    from allocator.serving import serve as run

    overrides = settings_overrides(
        {
            "network_file": network,
            "data_dir": data,
            "server": {"host": host, "port": port, "gateways": gateways, "front": front},
            "journal": {"url": journal},
            "log": {"format": log_format},
        }
    )
    loaded = load_settings(settings, overrides)
    with _telling(loaded.server.host) as told:
        code = run(loaded, told)
    raise typer.Exit(code)


def adapters(context: typer.Context, settings: p.SettingsFile = None, data: p.DataDir = None) -> None:
    """Run the adapters of the settings against the service at --address; `serve` does this by itself."""
    from adapters.runner import run
    from allocator.config import load_settings
    from allocator.logs import configure_logs

    loaded = load_settings(settings, settings_overrides({"data_dir": data}))
    configure_logs(loaded.log.level, loaded.log.format, process="adapters")
    session = session_of(context)
    raise typer.Exit(run(loaded, session.address, tls=session.tls.read()))


def settings_overrides(values: dict[str, Any]) -> dict[str, Any]:
    """The values that were given, by section; None was not."""
    given = {name: settings_overrides(part) if isinstance(part, dict) else part for name, part in values.items()}
    return {name: part for name, part in given.items() if part is not None and part != {}}


@contextmanager
def _telling(host: str) -> Iterator[Told]:
    """Tell on a terminal how far the start has come; elsewhere the log does."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    screen = console(err=True)
    with screen.status("Starting") as status:

        def told(what: str, done: int, of: int) -> None:
            if what == "ready":
                status.stop()
                screen.print(f"Serving on {host}:{done}. Stop with Ctrl-C.")
            else:
                status.update(f"Starting: {what} {done} of {of}")

        yield told
