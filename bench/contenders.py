"""Who else is measured in a run: peers, and the service set up in other ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Final, NamedTuple

from allocator.gateway.fronts import GRPCIO
from bench.peers import Peer, available
from bench.registry import Bench
from bench.service import Service

OURS: Final = "service"


class Contender(NamedTuple):
    """One that the service is compared with.

    Attributes:
        peer: name of the peer; `OURS`: the service itself, set up in another way.
        front: it answers on; "" is that of the service.
        actors: locations packed into so many, when it is ours.
    """

    peer: str
    front: str = GRPCIO
    actors: int = 0


Absent = Callable[[str], Sequence[str]]
"""The figures that are missing when a contender of some name cannot run."""


def start(
    bench: Bench, stack: ExitStack, wanted: Mapping[str, Contender], locations: Sequence[str], absent: Absent
) -> Iterator[tuple[str, str]]:
    """Start each, with its address; tell who is left out, and why."""
    for name, contender in wanted.items():
        if reason := _missing(bench, contender):
            bench.leave_out(reason, *absent(name))
            continue
        bench.tell(f"starting {name}")
        folder = bench.folder / name
        folder.mkdir()
        if contender.peer == OURS:
            settings = {"runtime": {"actors": contender.actors}}
            front = contender.front or bench.front
            yield name, stack.enter_context(Service(folder, locations, front, settings=settings)).address
        else:
            yield name, stack.enter_context(Peer(contender.peer, folder, contender.front)).address


def _missing(bench: Bench, contender: Contender) -> str:
    if contender.peer != OURS:
        return available(contender.peer, contender.front)
    return "the service is measured on it" if contender.front == GRPCIO == bench.front else ""
