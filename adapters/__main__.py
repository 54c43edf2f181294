"""`python -m adapters`: run the adapters of the settings.

`allocator serve` starts this as a child: settings as one line of JSON on stdin, which stays open as long as the service
lives, and `ready` on stdout. Started by hand it takes a settings file.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Final

from adapters.runner import EXIT_SETTINGS, run
from allocator.client import InvalidRequest, Tls
from allocator.config import SettingsError, load_settings, settings_from_json
from allocator.logs import configure_logs

TLS_OPTIONS: Final = {
    "ca": "PEM file of the roots to trust, or `system`; default: the certificate in the settings",
    "certificate": "PEM file of a certificate to show the service",
    "key": "PEM file of its private key",
    "server_name": "name that the service's certificate is for",
}
"""Options of the connection; each has a twin in the environment, such as ALLOCATOR_TLS_CA."""


def main() -> int:
    """Run the adapters; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m adapters", description="Run the adapters of the settings.")
    parser.add_argument("--address", required=True, help="of the service, host:port")
    parser.add_argument("--settings", type=Path, help="TOML file; without it a line of JSON is expected on stdin")
    for name, meaning in TLS_OPTIONS.items():
        default = os.environ.get(f"ALLOCATOR_TLS_{name.upper()}", "")
        parser.add_argument(f"--tls-{name.replace('_', '-')}", default=default, help=meaning)
    options = parser.parse_args()
    given = {name: getattr(options, f"tls_{name}") for name in TLS_OPTIONS}
    try:
        tls = Tls.from_texts(**given)
        settings = load_settings(options.settings) if options.settings else settings_from_json(sys.stdin.readline())
    except (SettingsError, InvalidRequest) as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_SETTINGS
    configure_logs(settings.log.level, settings.log.format, process="adapters")
    if not options.settings:
        threading.Thread(target=_end_with_service, name="stdin", daemon=True).start()
    return run(settings, options.address, _say_ready, tls=tls)


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    os.dup2(2, 1)  # nobody reads the pipe any more: an adapter that prints would hang once it is full


def _end_with_service() -> None:
    """Stop at the end of stdin: a folder or a cursor must not be held by a process that nobody looks after."""
    while os.read(sys.stdin.fileno(), 4096):  # not sys.stdin.read: its lock would block the interpreter's own end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
