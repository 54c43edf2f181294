from __future__ import annotations

import importlib.util

import pytest

from allocator.gateway import fronts
from allocator.gateway.fronts import ENVOY, GRPCIO, choose
from allocator.runtime.errors import BootError


@pytest.fixture
def _no_envoy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where Envoy does not install."""
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in {"pyvoy", "envoy"} else find(name))


@pytest.fixture
def _envoy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where it is installed."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)


@pytest.mark.usefixtures("_envoy")
def test_envoy_is_taken_where_it_is_installed() -> None:
    """Unless the other one was asked for; the reason is told."""
    assert choose("auto") == (ENVOY, "pyvoy is installed")
    assert choose(ENVOY) == (ENVOY, "asked for")
    assert choose(GRPCIO) == (GRPCIO, "asked for")


@pytest.mark.usefixtures("_no_envoy")
def test_without_envoy_it_is_grpcio_and_the_reason_says_what_to_install() -> None:
    """It runs everywhere."""
    assert not fronts.envoy_installed()
    front, why = choose("auto")
    assert front == GRPCIO
    assert "allocator[envoy]" in why
    assert choose(GRPCIO).front == GRPCIO


@pytest.mark.usefixtures("_no_envoy")
def test_envoy_that_was_asked_for_and_is_not_there_is_an_error() -> None:
    """Nobody is given another front than the one asked for."""
    with pytest.raises(BootError, match=r"install allocator\[envoy\].*or take --front grpcio"):
        choose(ENVOY)
