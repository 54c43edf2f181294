"""A location: its disk outlives its processes, and a process does nothing in public before the disk has it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from allocator.core import codec
from allocator.core.commands import GetReservation, GetStock
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.protocol.errands import Errand, Errands, carried
from allocator.core.results import Reason, Rejected
from tests.simulation.storage import FencedError, Storage
from tests.simulation.world import MS, US, Clock, S

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulation.network import Network
    from tests.simulation.world import Act, World

QUERIES = (GetReservation, GetStock)
TICK_MAX_NS = S
RECOVERING = codec.encode_result(Rejected(Reason.RECOVERING, "location", "it is recovering"))


class Witness(Protocol):
    """Who watches locations: the oracle."""

    def started(self, location: str, ledger: StockLedger, local_ns: int) -> None:
        """A process has recovered."""

    def executed(self, location: str, epoch: int, version: int) -> None:
        """A batch was executed in memory."""

    def durable(self, location: str, epoch: int, version: int, payload: bytes) -> None:
        """A batch is on disk."""

    def published(self, location: str, epoch: int, version: int) -> None:
        """Readers were told of a version."""

    def replied(self, location: str, command: Any, result: Any) -> None:  # noqa: ANN401  # any
        """An answer is on its way."""

    def idle(self, location: str, ledger: StockLedger) -> None:
        """All that a ledger did is durable."""


class Settings(NamedTuple):
    """What a location is like: how bounded its tables, how often its disk is slow and a snapshot is taken."""

    limits: LedgerLimits = LedgerLimits()
    slow_disk: float = 0.02
    snapshots: float = 0.0


class Place:
    """One location and whatever processes serve it: one as a rule, none after a crash, and sometimes a zombie more.

    `frail` is the probability that it crashes when something is durable and nobody was told yet.
    """

    def __init__(  # what surrounds a location
        self, world: World, network: Network, witness: Witness, name: str, clock: Clock, settings: Settings
    ) -> None:
        self.world = world
        self.network = network
        self.witness = witness
        self.name = name
        self.clock = clock
        self.settings = settings
        self.storage = Storage()
        self.peers: dict[str, Place] = {}
        self.process: Process | None = None
        self.frail = 0.0
        self.zombies: list[Process] = []

    def start(self) -> None:
        """Serve, unless it is served already."""
        if self.process is None:
            self.process = Process(self)
            self.process.begin()

    def crash(self) -> None:
        """Lose everything that is not on disk."""
        if self.process is not None:
            self.world.note(self.name, "crashes")
            self.process.crash()
            self.process = None

    def fail(self) -> None:
        """Crash, and come back after a while, perhaps with the clock set anew."""
        self.crash()
        if self.world.chance(0.2):
            self.clock.offset_ns = self.world.random.randint(-8 * S, 8 * S)
        self.world.after(self.world.between(50 * MS, 20 * S), self.start)

    def take_over(self) -> None:
        """Start anew while the old process lives on, cut off from its disk only."""
        if self.process is not None:
            self.world.note(self.name, "is taken over")
            self.zombies = [*(zombie for zombie in self.zombies if zombie.alive), self.process]
            self.process = None
            self.start()

    def handle(self, data: bytes, reply: Callable[[bytes], None]) -> None:
        """Take a call; it may come to a zombie, or to nobody."""
        zombies = [zombie for zombie in self.zombies if zombie.alive]
        if zombies and self.world.chance(0.5):
            zombies[0].handle(data, reply)
        elif self.process is not None:
            self.process.handle(data, reply)
        elif self.world.chance(0.5):
            reply(RECOVERING)


class Process:
    """A ledger in memory with a group commit, like `LedgerHost`: execute, append, fsync, publish, answer."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.world = place.world
        self.alive = True
        self.epoch, data, tail = place.storage.open()
        self.ledger = StockLedger.restore(data) if data else StockLedger(place.name, place.settings.limits)
        for entry in tail:
            self.ledger.replay(entry.version, [event for event, _, _ in codec.unpack_batch(entry.payload)])
        self.lead_ns = max(0, self.ledger.clock_ns - place.clock.now_ns())
        self.errands = Errands()
        self._pending: list[tuple[int, bytes]] = []
        self._syncing: list[tuple[int, bytes]] = []
        self._waiting: list[tuple[int, Act]] = []
        self._durable = self.ledger.version

    def begin(self) -> None:
        """Tell that it serves, and tick from now on."""
        self.world.note(self.place.name, "serves", "epoch", self.epoch, "version", self.ledger.version)
        self.place.witness.started(self.place.name, self.ledger, self.now_ns())
        self._tick()

    def now_ns(self) -> int:
        """The time by the ledger's clock, which never goes back."""
        return self.place.clock.now_ns() + self.lead_ns

    def handle(self, data: bytes, reply: Callable[[bytes], None]) -> None:
        """Execute a command and answer it once it is durable."""
        command: Any = codec.decode_command(data)
        result = self.ledger.query(command) if type(command) in QUERIES else self.execute(command)
        answer = codec.pack(codec.tagged(result))

        def tell() -> None:
            self.world.note(self.place.name, "answers", command, "->", result)
            self.place.witness.replied(self.place.name, command, result)
            reply(answer)

        self.once_durable(tell)

    def execute(self, command: Any) -> Any:  # noqa: ANN401  # any command, any result
        """Execute a command as one batch."""
        result, events = self.ledger.execute(command, self.now_ns())
        self._close(events)
        return result

    def once_durable(self, act: Act) -> None:
        """Do something when all that was executed so far is durable."""
        self._waiting.append((self.ledger.version, act))
        self._sync()

    def crash(self) -> None:
        """Stop at once; what was being written reached the disk or did not."""
        self.alive = False
        if self._syncing and self.world.chance(0.5):
            self._append(self._syncing)

    def snapshot(self) -> None:
        """Save a snapshot as of now, once now is durable."""
        version, data = self.ledger.version, self.ledger.snapshot()
        self.once_durable(lambda: self._save(version, data))

    def _save(self, version: int, data: bytes) -> None:
        try:
            self.place.storage.save_snapshot(self.epoch, version, data)
        except FencedError:
            self.alive = False

    def _tick(self) -> None:
        if not self.alive:
            return
        now_ns = self.now_ns()
        self._close(self.ledger.tick(now_ns))
        for errand in self.errands.due(self.ledger, now_ns):
            self.once_durable(lambda errand=errand: self._carry(errand))  # type: ignore[misc]  # its own errand
        self._sync()
        next_ns = self.ledger.next_expiry_ns()
        wait_ns = TICK_MAX_NS if next_ns is None else min(max(next_ns - now_ns, MS), TICK_MAX_NS)
        self.world.after(wait_ns, self._tick)

    def _carry(self, errand: Errand) -> None:
        """Bring an errand to its location, and do what its answer asks for."""
        data = codec.pack(codec.tagged(errand.message))
        self.world.note(self.place.name, "carries", errand)

        def answered(answer: bytes) -> None:
            if self.alive:
                for command in carried(errand, codec.decode_result(answer)):
                    self.execute(command)
                self._sync()

        peer = self.place.peers[errand.location]
        self.place.network.call(self.place.name, peer.name, lambda reply: peer.handle(data, reply), answered)

    def _close(self, events: list[Any]) -> None:
        """End a batch of events, if there are any."""
        if events:
            payload = codec.pack_batch([(event, "", "") for event in events])
            version = self.ledger.close_batch()
            self._pending.append((version, payload))
            self.place.witness.executed(self.place.name, self.epoch, version)

    def _sync(self) -> None:
        """Write what is pending, unless something is being written; then do what waited."""
        if self._syncing or not self.alive:
            return
        if self._pending:
            self._syncing, self._pending = self._pending, []
            slow = self.world.chance(self.place.settings.slow_disk)
            self.world.after(
                self.world.between(50 * MS, 3 * S) if slow else self.world.between(200 * US, 5 * MS), self._synced
            )
            return
        self._do_what_waited()
        if self._durable == self.ledger.version and self is self.place.process:
            self.place.witness.idle(self.place.name, self.ledger)

    def _synced(self) -> None:
        if not self.alive:
            return
        group, self._syncing = self._syncing, []
        if not self._append(group):
            return
        if self.world.chance(self.place.frail) and self is self.place.process:
            self.place.fail()
            return
        self._durable = group[-1][0]
        for version, _ in group:
            self.place.witness.published(self.place.name, self.epoch, version)
        self._do_what_waited()
        if self.world.chance(self.place.settings.snapshots):
            self.snapshot()
        self._sync()

    def _do_what_waited(self) -> None:
        ready = [act for version, act in self._waiting if version <= self._durable]
        self._waiting = [entry for entry in self._waiting if entry[0] > self._durable]
        for act in ready:
            act()

    def _append(self, group: list[tuple[int, bytes]]) -> bool:
        """Put a group on disk, all of it or nothing; a fenced process ends."""
        try:
            self.place.storage.check(self.epoch)
        except FencedError:
            self.world.note(self.place.name, "is fenced", "epoch", self.epoch)
            self.alive = False
            return False
        for version, payload in group:
            self.place.storage.append(self.epoch, version, payload)
            self.place.witness.durable(self.place.name, self.epoch, version, payload)
        return True
