"""How long a big network takes to come up: first start, and start with stock in the journals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from bench.errors import BenchError
from bench.registry import Bench, Figure, Figures, scenario
from bench.service import Service
from bench.stock import Cell, held_units, receive

UNITS: Final = 10


class Size(NamedTuple):
    """How big the network is, and how much stock each location has at the second start."""

    locations: int = 400
    skus: int = 100


@scenario(
    "boot",
    Figure("boot_s", "from the start of the process until all 400 empty locations serve", at_most=40),
    Figure("boot_cpu_s", "CPU time of all processes of the service by then"),
    Figure("boot_again_s", "the same for the second start, with 100 SKUs each to recover", at_most=40),
)
def measure(bench: Bench) -> Figures:
    """400 locations up on Ray: from `allocator serve` until health says SERVING."""
    return run(bench, Size())


def run(bench: Bench, size: Size) -> Figures:
    """Measure at a given size.

    One start each; the time given is not used. Health is SERVING when every location's ledger answers and the gateway
    has a picture of it.
    """
    locations = [f"store-{number:04d}" for number in range(size.locations)]
    service = Service(bench.folder, locations)
    bench.tell(f"starting {size.locations} locations")
    with service:
        boot_s, boot_cpu_s = service.started_s, service.cpu_s()
        bench.tell(f"up in {boot_s:.1f} s; stocking")
        stock(bench, service.address, locations, size.skus)
    bench.tell("starting again")
    with service:
        check(service.address, locations, size.skus)
        return {"boot_s": boot_s, "boot_cpu_s": boot_cpu_s, "boot_again_s": service.started_s}


def stock(bench: Bench, address: str, locations: Sequence[str], skus: int) -> None:
    """Give each location some of each SKU."""
    receive(address, _opening(locations, skus), bench.tell)


def check(address: str, locations: Sequence[str], skus: int) -> None:
    """See that the stock is there, at the first and the last location.

    Raises:
        BenchError: it is not.
    """
    names = [_sku(i) for i in range(skus)]
    for location in (locations[0], locations[-1]):
        on_hand, _ = held_units(address, location, names)
        if on_hand != [UNITS] * skus:
            raise BenchError(f"{location} came back with other stock than it had")


def _opening(locations: Sequence[str], skus: int) -> Iterator[Cell]:
    for location in locations:
        for i in range(skus):
            yield location, _sku(i), UNITS


def _sku(i: int) -> str:
    return f"boot-{i:08d}"
