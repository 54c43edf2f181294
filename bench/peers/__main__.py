"""Run one peer: `python -m bench.peers redis --port 50052`."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

from allocator.gateway.fronts import GRPCIO
from bench.errors import BenchError
from bench.peers import NAMES, available
from bench.peers.fronts import FRONTS, serve
from bench.peers.kinds import KINDS, Serving


def main() -> int:
    """Serve until SIGTERM; the exit code is 2 when the peer cannot run here."""
    options = _options()
    reason = available(options.name, options.front)
    if reason:
        print(f"{options.name} cannot run here: {reason}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # until the front serves: what was started is stopped
    try:
        if options.folder:
            _run(options, options.folder)
        else:
            with tempfile.TemporaryDirectory(prefix="allocator-peer-", ignore_cleanup_errors=True) as folder:
                _run(options, Path(folder))
    except BenchError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _run(options: argparse.Namespace, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    backing = KINDS[options.name].backing(folder)
    try:
        at = backing.start()
        serve(Serving(options.name, at, options.width), options.port, options.front, _say_ready)
    finally:
        backing.stop()


def _say_ready(port: int) -> None:
    sys.stdout.write(f"ready {port}\n")
    sys.stdout.flush()
    os.dup2(2, 1)  # nobody reads it any more


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("name", choices=NAMES, help="which peer")
    parser.add_argument("--port", type=int, default=0, help="TCP port on the loopback; 0 picks a free one")
    parser.add_argument("--front", choices=FRONTS, default=GRPCIO, help="what answers the sockets")
    parser.add_argument("--width", type=int, default=0, help="connections, pipelines or threads; 0: the measured best")
    parser.add_argument("--folder", type=Path, help="for its data, kept if it is killed; else a temporary one")
    return parser.parse_args()


if __name__ == "__main__":
    raise SystemExit(main())
