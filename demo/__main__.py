"""`python -m demo` plays the demo; `python -m demo run` starts its network and stays up."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from allocator.core.errors import AllocatorError
from demo.errors import DemoError
from demo.play import Cast, Outcome, Play
from demo.report import print_report, write_json, write_pages
from demo.scene import make_scene
from demo.screen import Screen
from demo.service import ROOT, Service
from demo.stay import stay_up

PORT: Final = 50051
OUT: Final = ROOT / "build" / "demo"
CLEAN: Final = 0
NOT_CLEAN: Final = 1
FAILED: Final = 2
INTERRUPTED: Final = 130


def main() -> None:
    """Do as asked; the exit code of a play is 0 only when nothing was oversold and nothing drifted."""
    args = _arguments()
    try:
        sys.exit(asyncio.run(_interruptible(_stay(args) if args.command == "run" else _play(args))))
    except AllocatorError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(FAILED)


def _arguments() -> argparse.Namespace:
    parser, usual = argparse.ArgumentParser(prog="python -m demo", description=__doc__), Cast()
    parser.add_argument("command", nargs="?", choices=("play", "run"), default="play")
    parser.add_argument("--data-dir", type=Path, metavar="DIR", help="keep all data here (default: a folder that goes)")
    parser.add_argument("--seed", type=int, default=usual.seed, help="of all lots (default: %(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="play: write the figures here, too")
    parser.add_argument(
        "--out", type=Path, metavar="DIR", default=OUT, help="play: report and picture go here (default: build/demo)"
    )
    parser.add_argument("--clients", type=int, default=usual.clients, help="play: side by side (default: %(default)s)")
    parser.add_argument(
        "--processes",
        type=int,
        default=usual.processes,
        help="play: that the clients are spread over (default: %(default)s)",
    )
    parser.add_argument("--port", type=int, default=PORT, help="run: where to listen (default: %(default)s)")
    args = parser.parse_args()
    if not 1 <= args.processes <= args.clients:
        parser.error("--clients must be at least --processes, and that at least 1")
    return args


async def _interruptible(work: Coroutine[Any, Any, int]) -> int:
    """Do the work; Ctrl-C and SIGTERM cancel it once, so that its cleaning up is not interrupted."""
    task = asyncio.ensure_future(work)

    def interrupt() -> None:
        if not task.cancelling():
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, interrupt)
    try:
        return await task
    except asyncio.CancelledError:
        return INTERRUPTED


async def _play(args: argparse.Namespace) -> int:
    folder = _data_dir(args.data_dir)
    if any(folder.iterdir()):
        raise DemoError(f"{folder} is not empty, and the audit could not tell what was there before")
    keep = True
    try:
        outcome = await _perform(Service(folder), Cast(args.clients, args.processes, args.seed))
        keep = not outcome.verdict.clean
    except asyncio.CancelledError:
        keep = False
        raise
    finally:
        if args.data_dir is None:
            _leave(folder, keep=keep)
    if args.json:
        write_json(args.json, outcome)
    page = write_pages(args.out, outcome)
    print(f"demo: report and picture are in {page.parent}", file=sys.stderr)
    print_report(Console(), outcome)
    return CLEAN if outcome.verdict.clean else NOT_CLEAN


async def _perform(service: Service, cast: Cast) -> Outcome:
    screen = Screen(Console(stderr=True))
    try:
        with screen.stage("Starting the service"):
            scene = make_scene(cast.seed)
            address = await service.start()
        return await Play(service, address, scene, cast, screen).run()
    finally:
        with screen.stage("Stopping the service"):
            await service.stop()


async def _stay(args: argparse.Namespace) -> int:
    folder = _data_dir(args.data_dir)
    keep = True
    try:
        await stay_up(Service(folder, args.port), Screen(Console(stderr=True)), Console(), args.seed)
    except asyncio.CancelledError:
        keep = False
    finally:
        if args.data_dir is None:
            _leave(folder, keep=keep)
    return CLEAN


def _data_dir(given: Path | None) -> Path:
    if given is None:
        return Path(tempfile.mkdtemp(prefix="allocator-demo-"))
    given.mkdir(parents=True, exist_ok=True)
    return given


def _leave(folder: Path, *, keep: bool) -> None:
    """Clear the temporary data away, or tell where it is for whoever looks into what went wrong."""
    if keep:
        print(f"demo: what it left is in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
