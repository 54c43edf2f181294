"""One simulation: a seed decides the network, the clocks, the calls and everything that goes wrong."""

from __future__ import annotations

from typing import NamedTuple

from allocator.core.codec import unpack_batch
from allocator.core.limits import LedgerLimits
from allocator.core.protocol.errands import Errands
from tests.simulation.client import Callers
from tests.simulation.gateway import Gateway
from tests.simulation.history import History
from tests.simulation.network import Network, Weather
from tests.simulation.node import Place, Settings
from tests.simulation.oracle import Oracle
from tests.simulation.shop import Shop
from tests.simulation.verdict import Violation
from tests.simulation.world import MS, START_NS, Clock, S, World

CLOCKS_WRONG_NS = 8 * S
DRIFT_PPM = 200
TROUBLE_S = 45
"""How long callers call and things go wrong."""
CALM_S = 165
"""How long it takes afterwards until the last hold has ended and everybody has heard."""


class Outcome(NamedTuple):
    """How a seed went: what broke, and how much happened."""

    seed: int
    broken: BaseException | None
    calls: int = 0
    versions: int = 0
    crashes: int = 0
    trace: tuple[str, ...] = ()


class Simulation:
    """A world with locations, gateways, callers and an oracle."""

    def __init__(self, seed: int, *, traced: bool = False) -> None:
        self.world = world = World(seed, traced=traced)
        rough = world.random.choice((0.0, 0.2, 1.0, 3.0))
        self.network = Network(world, Weather(0.05 * rough, 0.05 * rough, 0.05 * rough))
        locations = ["leeds", "paris", "york", "kiel"][: world.random.randint(2, 4)]
        history = History(world)
        self.oracle = Oracle(world, history, locations)
        self.places = {name: self._place(name) for name in locations}
        self.oracle.places = self.places
        for place in self.places.values():
            place.peers = self.places
        self.gateways = [Gateway(world, self.network, history, f"gw{n}", self.places) for n in range(2)]
        callers = Callers(world, self.network, self.gateways, self.oracle)
        skus = ["apple", "fig", "plum"][: world.random.randint(1, 3)]
        self.shop = Shop(world, callers, locations, skus)
        self.harsh = world.random.choice((0.0, 0.3, 1.0))
        self.calls = 0
        self.crashes = 0

    def run(self) -> None:
        """Stock up, let things go wrong, let them heal, and see whether anything is broken."""
        world = self.world
        for place in self.places.values():
            place.start()
        self.shop.stock_up()
        world.run(START_NS + 2 * S)
        self._make_frail(0.02 * self.harsh)
        self._call()
        self._trouble()
        world.run(START_NS + TROUBLE_S * S)
        self._heal()
        world.run(START_NS + (TROUBLE_S + CALM_S) * S)
        self._check_silence()
        self.oracle.check_rest()
        self.oracle.check_lines()

    def deeds(self) -> set[str]:
        """Kinds of events on the disks, and of troubles in the trace."""
        entries = (entry for place in self.places.values() for entry in place.storage.entries)
        kinds = {type(event).__name__ for entry in entries for event, _, _ in unpack_batch(entry.payload)}
        troubles = ("crashes", "is taken over", "is fenced", "is cut off", "dies")
        return kinds | {trouble for trouble in troubles for line in self.world.trace or () if trouble in line}

    def _place(self, name: str) -> Place:
        world = self.world
        wrong_ns = CLOCKS_WRONG_NS if world.chance(0.5) else 100 * MS
        clock = Clock(world, world.random.randint(-wrong_ns, wrong_ns), world.random.randint(-DRIFT_PPM, DRIFT_PPM))
        grace_ns = world.random.choice((2, 5, 30)) * S
        limits = LedgerLimits(closed_max=3 if world.chance(0.1) else 1_000, open_grace_ns=grace_ns)
        settings = Settings(limits, world.random.choice((0.0, 0.02, 0.1)), world.random.choice((0.0, 0.02, 0.3)))
        return Place(world, self.network, self.oracle, name, clock, settings)

    def _call(self) -> None:
        """Make calls until the trouble ends."""
        if self.world.now_ns < START_NS + TROUBLE_S * S:
            self.calls += 1
            self.shop.act()
            self.world.after(self.world.between(5 * MS, 3 * S), self._call)

    def _trouble(self) -> None:
        """Let something go wrong, now and then."""
        world = self.world
        if world.now_ns >= START_NS + TROUBLE_S * S:
            return
        deeds = (self._crash, self._cut, self._take_over, self._snapshot)
        if world.chance(self.harsh):
            world.random.choices(deeds, (4, 2, 1, 3))[0]()
        world.after(world.between(100 * MS, 5 * S), self._trouble)

    def _crash(self) -> None:
        """Crash a location, one that others wait for rather than any, and often just after a snapshot."""
        self.crashes += 1
        busy = [place for place in self.places.values() if place.process and place.process.ledger.headers.owing]
        place = self.world.random.choice(busy) if busy and self.world.chance(0.7) else self._some_place()
        if place.process is not None and self.world.chance(0.5):
            place.process.snapshot()
        place.fail()

    def _cut(self) -> None:
        """Cut a node off for a while."""
        node = self.world.random.choice([*self.places, *(gateway.name for gateway in self.gateways)])
        self.network.cut.add(node)
        self.world.note(node, "is cut off")
        self.world.after(self.world.between(200 * MS, 30 * S), lambda: self.network.cut.discard(node))

    def _take_over(self) -> None:
        self._some_place().take_over()

    def _some_place(self) -> Place:
        return self.world.random.choice(list(self.places.values()))

    def _snapshot(self) -> None:
        place = self._some_place()
        if place.process is not None:
            place.process.snapshot()

    def _make_frail(self, frail: float) -> None:
        for gateway in self.gateways:
            gateway.frail = 2 * frail
        for place in self.places.values():
            place.frail = frail

    def _heal(self) -> None:
        self.world.note("world", "heals")
        self.network.heal()
        self._make_frail(0.0)
        for place in self.places.values():
            place.start()

    def _check_silence(self) -> None:
        """Nobody has anything left to say to anybody."""
        for name, place in self.places.items():
            assert place.process is not None
            errands, now_ns = Errands(), place.process.now_ns()
            errands.due(place.process.ledger, now_ns)
            left = errands.due(place.process.ledger, now_ns + 3600 * S)
            if left:
                raise Violation(5, f"{name} still has to say {left}")


def simulate(seed: int, *, traced: bool = False) -> Outcome:
    """Run one seed; an exception of whatever runs in it is a broken seed, too."""
    simulation = Simulation(seed, traced=traced)
    broken: BaseException | None = None
    try:
        simulation.run()
    except Exception as error:  # noqa: BLE001  # any error breaks the seed
        broken = error
    versions = sum(place.storage.head for place in simulation.places.values())
    trace = tuple(simulation.world.trace or ())
    return Outcome(seed, broken, simulation.calls, versions, simulation.crashes, trace)
