from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from bench import h2load
from bench.echo import FRONTS, Echo, missing
from bench.errors import BenchError
from bench.registry import Bench, scenarios
from bench.scenarios import ceiling

CHECK = "/shop.Stock/Check"
RESERVE = "/shop.Stock/Reserve"
LARGE = bytes(range(256)) * 400


def told(text: str) -> None:
    """Nobody listens."""


def here(front: str) -> str:
    """The front; the test skips where it does not run, and in CI it fails."""
    if reason := missing(front):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    return front


def method(channel: grpc.Channel, path: str) -> Callable[..., Any]:
    """A method, without any message class."""
    return channel.unary_unary(path)


@pytest.mark.parametrize("front", FRONTS)
def test_an_echo_has_an_answer_for_each_path(front: str, tmp_path: Path) -> None:
    """Whatever is asked, as a client of grpcio sees it; other paths are not there."""
    answers = {CHECK: b"checked", RESERVE: LARGE}
    with Echo(tmp_path, here(front), answers) as echo, grpc.insecure_channel(echo.address) as channel:
        assert method(channel, CHECK)(b"x" * 100_000, timeout=30) == b"checked"
        assert method(channel, RESERVE)(b"", timeout=30) == LARGE
        with pytest.raises(grpc.RpcError) as raised:
            method(channel, "/shop.Stock/None")(b"", timeout=30)
        assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_the_ceiling_is_measured_on_what_is_here(tmp_path: Path) -> None:
    """All figures are there or told to be absent."""
    bench = Bench(0.5, tmp_path, told)
    figures = ceiling.run(bench, ceiling.Size(processes=1, warm_up_s=0.1, rate_per_s=500))
    assert {*figures, *bench.absent} == {figure.name for figure in scenarios()["ceiling"].figures}
    assert figures["errors"] == 0


def test_h2load_that_fails_is_told(tmp_path: Path) -> None:
    """When nobody answers it."""
    if reason := h2load.missing():
        pytest.skip(reason)
    with pytest.raises(BenchError, match="h2load failed"):
        h2load.run("http://127.0.0.1:1/shop.Stock/Check", b"", tmp_path, 1, 1, 1)
