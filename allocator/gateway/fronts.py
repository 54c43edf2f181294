"""Which front answers the sockets: Envoy with Python inside where it is installed, grpc.aio everywhere."""

from __future__ import annotations

import importlib.util
from typing import Final, NamedTuple

from allocator.runtime.errors import BootError

ENVOY: Final = "envoy"
GRPCIO: Final = "grpcio"


class Chosen(NamedTuple):
    """A front and why it is this one."""

    front: str
    why: str


def choose(wanted: str) -> Chosen:
    """The front for the setting `wanted`: auto, envoy or grpcio.

    Raises:
        BootError: envoy was asked for and is not installed.
    """
    if wanted == GRPCIO:
        return Chosen(GRPCIO, "asked for")
    if envoy_installed():
        return Chosen(ENVOY, "asked for" if wanted == ENVOY else "pyvoy is installed")
    if wanted == ENVOY:
        hint = "install allocator[envoy] (Linux on x86-64), or take --front grpcio"
        raise BootError(f"the front envoy was asked for, and pyvoy is not installed: {hint}")
    return Chosen(GRPCIO, "pyvoy is not installed: with allocator[envoy] it would be envoy, which is faster")


def envoy_installed() -> bool:
    """Whether Envoy with Python inside can run here."""
    return all(importlib.util.find_spec(package) is not None for package in ("pyvoy", "envoy"))
