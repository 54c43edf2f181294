"""The commands together, the options before them, and how a run ends."""

from __future__ import annotations

import sys
import traceback
from typing import Annotated

import typer

from allocator.cli import audit, journal, load, network, orders, replay, serve, sourcing, stock
from allocator.cli.output import warn
from allocator.cli.parameters import TlsCa, TlsCertificate, TlsKey, TlsServerName
from allocator.cli.problems import in_one_line
from allocator.cli.session import DEFAULT_ADDRESS, Session, TlsOptions, session_of

OPTIONS = (
    "--address",
    "-a",
    "--tls-ca",
    "--tls-certificate",
    "--tls-key",
    "--tls-server-name",
    "--timeout",
    "--correlation-id",
    "--debug",
)
"""What goes before the command."""
EXIT_FAILED = 1
EXIT_BROKEN_PIPE = 141

app = typer.Typer(
    name="allocator",
    help="How much can be promised, where; and hold it for an order, never twice.",
    epilog="Begin with `allocator serve --network demo/network.yaml`, then, in another terminal, "
    "`allocator network show`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def options(  # noqa: PLR0917  # each is an option of its own
    context: typer.Context,
    address: Annotated[
        str,
        typer.Option("--address", "-a", envvar="ALLOCATOR_ADDRESS", metavar="HOST:PORT", help="The service."),
    ] = DEFAULT_ADDRESS,
    tls_ca: TlsCa = "",
    tls_certificate: TlsCertificate = "",
    tls_key: TlsKey = "",
    tls_server_name: TlsServerName = "",
    timeout_s: Annotated[
        float,
        typer.Option("--timeout", min=0.1, metavar="SECONDS", help="How long a call may take, with its retries."),
    ] = 10.0,
    correlation_id: Annotated[
        str, typer.Option("--correlation-id", help="Goes along into logs, journal and ERP postings.")
    ] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """How much can be promised, where; and hold it for an order, never twice."""
    session = session_of(context)
    session.address, session.timeout_s = address, timeout_s
    session.correlation_id, session.debug = correlation_id, debug
    session.tls = TlsOptions(tls_ca, tls_certificate, tls_key, tls_server_name)


serve.register(app)
orders.register(app)
sourcing.register(app)
stock.register(app)
load.register(app)
network.register(app)
audit.register(app)
replay.register(app)
journal.register(app)


def main() -> None:
    """Run the command of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run a command and return its exit code: 0, 1 for refusals and errors, 2 for wrong usage."""
    session = Session(debug="--debug" in arguments)
    try:
        result = app(args=arguments, prog_name="allocator", standalone_mode=False, obj=session)
        sys.stdout.flush()
    except typer.TyperException as error:
        return _told(error)
    except typer.Abort:
        warn("allocator: aborted")
        return EXIT_FAILED
    except BrokenPipeError:
        # Whoever read our output has had enough; there is nothing left to flush either.
        sys.stdout = None
        return EXIT_BROKEN_PIPE
    except Exception as error:  # noqa: BLE001  # the one place where every error becomes a line
        if session.debug:
            traceback.print_exc()
        warn(f"allocator: {in_one_line(error, session)}")
        return EXIT_FAILED
    return result if isinstance(result, int) else 0


def _told(error: typer.TyperException) -> int:
    message = " ".join(error.format_message().split())
    if message:
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "allocator"
        option = message.rpartition(" ")[2]
        advice = f"it goes before the command: `allocator {option} ...`" if option in OPTIONS else ""
        warn(f"{command}: {message.rstrip('.')}; {advice or f'see `{command} --help`'}")
    return error.exit_code
