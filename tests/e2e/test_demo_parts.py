from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf import json_format

from allocator.v1.availability_pb2 import CheckAvailabilityRequest
from demo.service import process_title

ROOT = Path(__file__).parents[2]
END = "Stop with Ctrl-C."


class Running:
    """`make run`, up, and the commands it told to try."""

    def __init__(self, process: subprocess.Popen[str], told: str, data_dir: Path) -> None:
        self.process, self.told, self.data_dir = process, told, data_dir
        self.commands: list[str] = re.findall(r"^  # [^\n]+\n(.+?)\n\n", told, re.MULTILINE | re.DOTALL)

    def command(self, program: str) -> str:
        """The one that begins with this program."""
        (found,) = [text.strip() for text in self.commands if Path(text.split()[0]).name == program]
        return found

    def run(self, program: str) -> str:
        """Do as told, in a shell; returns what it printed."""
        script = self.command(program)
        done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)  # noqa: S607
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The demo's network, up for all tests of this file, on a port that is free."""
    data_dir = tmp_path_factory.mktemp("run")
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "run", "--port", "0", "--data-dir", str(data_dir)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Running(process, read_invitation(process), data_dir)
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(90)
        assert process.stdout is not None
        process.stdout.close()


def read_invitation(process: subprocess.Popen[str]) -> str:
    """What it tells once it is up; whatever it has told when it ends before."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith(END):
            break
    return "".join(lines)


def test_three_commands_are_told(running: Running) -> None:
    """One of them for grpcurl, one for the command line, one for Python."""
    programs = [Path(text.split()[0]).name for text in running.commands]
    assert programs == ["grpcurl", "allocator", "python"], running.told


def test_the_request_for_grpcurl_is_one(running: Running) -> None:
    """It names a real method, and its JSON is a request of that method."""
    *_, flag, request, _, method = shlex.split(running.command("grpcurl"))
    assert (flag, method) == ("-d", "allocator.v1.AvailabilityService/CheckAvailability")
    assert len(json_format.Parse(request, CheckAvailabilityRequest()).lines) == 2


@pytest.mark.skipif(not shutil.which("grpcurl"), reason="grpcurl is not installed")
def test_grpcurl_is_answered(running: Running) -> None:
    """Reflection tells it the contract, so it needs no files."""
    assert json.loads(running.run("grpcurl"))["sufficient"] is True


def test_the_command_line_answers(running: Running) -> None:
    """It tells from where it would go, so it exits with 0."""
    assert "chosen" in running.run("allocator")


def test_python_holds_and_commits(running: Running) -> None:
    """The order is held and placed."""
    held, committed = running.run("python").splitlines()
    assert held.startswith("HELD ")
    assert committed == "DONE"


def test_ctrl_c_ends_it_and_leaves_nothing_running(running: Running) -> None:
    """Comes last. The service, its gateways and its actors end with it."""
    notice = json.loads((running.data_dir / "service.json").read_bytes())
    pids = [notice["pid"], *notice["children"].values(), *(actor["pid"] for actor in notice["actors"].values())]
    assert all(map(process_title, pids))
    running.process.send_signal(signal.SIGINT)
    assert running.process.wait(90) == 0
    assert [title for pid in pids if (title := process_title(pid))] == []
