"""Random lives of a location: the ledger against the slow reference, command by command, and against its own replay."""

from __future__ import annotations

from typing import Any, ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from allocator.core.codec import pack_events, unpack_events
from allocator.core.commands import (
    Capacity,
    Commit,
    Configure,
    Extend,
    Fulfil,
    GetReservation,
    GetStock,
    ListReservations,
    ListStock,
    Measure,
    Movement,
    MovementType,
    Policy,
    PolicyLine,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
    Summarise,
    Write,
)
from allocator.core.events import ShortageFound
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from allocator.core.results import MovementResult, Rejected, ReservationPage, State, StockPage
from tests.unit.core.helpers import EVERYTHING, HOUR, NOW, S
from tests.unit.core.reference import ReferenceLedger

SKUS = ("apple", "fig", "pear", "plum")
CHANNELS = ("", "shop", "web")
DISPOSITIONS = ("damaged", "returned")
SMALL = LedgerLimits(
    skus_max=3,
    reservations_max=4,
    requests_max=6,
    requests_age_ns=90 * S,
    closed_max=2,
    closed_age_ns=60 * S,
    movements_max=4,
    movement_ids_max=3,
    movements_age_ns=120 * S,
    windows_max=2,
)

skus = st.sampled_from((*SKUS[:3], *SKUS[:3], *SKUS))  # the last is seldom stocked
channels = st.sampled_from(CHANNELS)
quantities = st.integers(1, 6)
numbers = st.integers(0, 40)
ttls = st.sampled_from((S, 30 * S, HOUR, HOUR))
agos = st.sampled_from((None, 0, 0, 1, 5, 60, 7200))
some_lines = st.dictionaries(skus, quantities, min_size=1, max_size=3).map(lambda lines: tuple(lines.items()))
parts = st.lists(st.integers(0, 3), max_size=2)
policy_lines = st.builds(
    PolicyLine,
    sku=skus,
    safety_stock=st.none() | st.integers(0, 3),
    quotas=st.none()
    | st.dictionaries(st.sampled_from(CHANNELS[1:]), st.integers(0, 5)).map(lambda quotas: tuple(quotas.items())),
    moves=st.lists(
        st.tuples(st.sampled_from(("", *DISPOSITIONS)), st.sampled_from(("", *DISPOSITIONS)), st.integers(1, 4)).filter(
            lambda move: move[0] != move[1]
        ),
        max_size=2,
    ).map(tuple),
)
capacities = st.builds(
    lambda measure, window_ns, limit, override: Capacity(
        measure, window_ns, limit, () if override is None else ((NOW - NOW % window_ns, override),)
    ),
    st.sampled_from(Measure),
    st.sampled_from((60 * S, HOUR)),
    st.integers(0, 20),
    st.none() | st.integers(0, 20),
)


def essence(answer: Any) -> tuple[type, Any]:
    """Everything of an answer but what only a human reads, and the order of what has none."""
    if isinstance(answer, Rejected | MovementResult):
        answer = answer._replace(detail="")
    if isinstance(answer, StockPage):
        rows = [row._replace(unsellable=sorted(row.unsellable), quotas=sorted(row.quotas)) for row in answer.rows]
        answer = answer._replace(rows=rows)
    return type(answer), answer


class LedgerMachine(RuleBasedStateMachine):
    """One location, lived through twice."""

    limits: ClassVar[LedgerLimits] = EVERYTHING

    def __init__(self) -> None:
        super().__init__()
        self.live = StockLedger("here", self.limits)
        self.reference = ReferenceLedger(self.limits)
        self.now_ns = NOW
        self.batch: list[Any] = []
        self.journal: list[bytes] = []
        self.writes: list[Write] = []
        self.movements: list[Movement] = []
        self.reservations: list[str] = ["r-unknown"]
        self.over: dict[str, int] = {}

    # --- what is done

    def do(self, command: Any) -> None:
        """Let both do it and compare everything they say."""
        result, events = self.live.execute(command, self.now_ns)
        self.batch += events
        assert essence(result) == essence(self.reference.execute(command, self.now_ns))
        found = [event for event in events if isinstance(event, ShortageFound)]
        assert [event[1:] for event in found] == [tuple(shortage) for shortage in self.reference.shortages]
        self._check_promises({event.sku: event.missing for event in found})

    def write(self, command: Write) -> None:
        """Do a command under a new request id, and keep it for later repeats."""
        self.writes.append(command)
        self.do(command)

    def tell(self, movement: Movement) -> None:
        """Tell a movement, and keep it for later repeats."""
        self.movements.append(movement)
        self.do(movement)

    def new_id(self) -> str:
        """Give a request id not used so far."""
        return f"q{len(self.writes)}"

    def some_reservation(self, number: int) -> str:
        """Choose a live reservation, or any asked for lately, or one never made."""
        live = [r.command.reservation for r in self.reference.reservations if r.live]
        if live and number % 5:
            return live[-1 - number % len(live)]
        return self.reservations[-1 - number % min(8, len(self.reservations))]

    def lines_of(self, reservation: str, quantities: list[int]) -> Any:
        """Choose lines of a reservation, often more than is open."""
        found: Any = self.reference.query(GetReservation(reservation))
        lines = found.rows[0].lines if isinstance(found, ReservationPage) else ()
        return tuple((line.sku, quantity) for line, quantity in zip(lines, quantities, strict=False) if quantity)

    def moment(self, ago_s: int | None) -> int:
        """So long ago; 0 is the command's way of saying now."""
        return 0 if ago_s is None else self.now_ns - ago_s * S

    def _check_promises(self, told: dict[str, int]) -> None:
        page: Any = self.live.query(ListStock(0, 100))
        for row in page.rows:
            promised = row.held + row.committed
            over = promised and promised - row.on_hand + sum(units for _, units in row.unsellable)
            assert over <= max(0, self.over.get(row.sku, 0)) or told.get(row.sku) == over
            self.over[row.sku] = over

    # --- rules

    @initialize(
        received=st.tuples(*[st.integers(3, 12)] * 3),
        capacity=st.none() | capacities,
        policy=st.none() | policy_lines,
        made=st.lists(st.tuples(some_lines, ttls, channels, st.booleans()), max_size=4),
    )
    def open_with_stock(self, received: Any, capacity: Capacity | None, policy: PolicyLine | None, made: Any) -> None:
        for sku, quantity in zip(SKUS, received, strict=False):
            told = Movement("erp", f"m{len(self.movements)}", 0, sku, MovementType.RECEIPT, quantity)
            self.tell(told._replace(occurred_ns=NOW - HOUR))
        if capacity is not None:
            self.write(Configure(self.new_id(), capacity=capacity))
        if policy is not None:
            self.write(SetStockPolicy(self.new_id(), (policy,), allow_missing=True))
        for lines, ttl_ns, channel, committed in made:
            self.reserve(lines, ttl_ns, channel, Policy.PARTIAL, "", None)
            if committed:
                self.write(Commit(self.new_id(), self.reservations[-1]))

    @rule(seconds=st.sampled_from((1, 1, 1, 4, 5, 30, 60, 100, 3600, 10 * 24 * 3600)))
    def wait(self, seconds: int) -> None:
        self.now_ns += seconds * S

    @rule(nanoseconds=st.sampled_from((1, 5 * S)))
    def set_clock_back(self, nanoseconds: int) -> None:
        self.now_ns -= nanoseconds

    @rule(sku=skus, quantity=quantities, channel=channels)
    def reserve_one_line(self, sku: str, quantity: int, channel: str) -> None:
        self.reserve(((sku, quantity),), HOUR, channel, Policy.ALL_OR_NOTHING, "", None)

    @rule(
        lines=some_lines,
        ttl_ns=ttls,
        channel=channels,
        policy=st.sampled_from(Policy),
        order=st.sampled_from(("", "o1", "o2")),
        pick_in=st.none() | st.sampled_from((0, 60 * S, HOUR)),
    )
    def reserve(self, lines: Any, ttl_ns: int, channel: str, policy: int, order: str, pick_in: int | None) -> None:
        request_id = self.new_id()
        pick_at_ns = 0 if pick_in is None else self.now_ns + pick_in
        self.reservations.append(f"r-{request_id}")
        self.write(Reserve(request_id, f"r-{request_id}", lines, ttl_ns, channel, policy, order, pick_at_ns))

    @rule(number=numbers)
    def commit(self, number: int) -> None:
        self.write(Commit(self.new_id(), self.some_reservation(number)))

    @rule(number=numbers, ttl_ns=ttls)
    def extend(self, number: int, ttl_ns: int) -> None:
        self.write(Extend(self.new_id(), self.some_reservation(number), ttl_ns))

    @rule(number=numbers, parts=parts, stray=st.integers(0, 9))
    def release(self, number: int, parts: list[int], stray: int) -> None:
        reservation = self.some_reservation(number)
        lines = self.lines_of(reservation, parts) if stray else (("plum", 1),)
        self.write(Release(self.new_id(), reservation, lines))

    @rule(number=numbers, parts=parts, first_commit=st.booleans())
    def fulfil(self, number: int, parts: list[int], first_commit: bool) -> None:  # noqa: FBT001  # passed by name
        reservation = self.some_reservation(number)
        if first_commit:
            self.write(Commit(self.new_id(), reservation))
        self.write(Fulfil(self.new_id(), reservation, self.lines_of(reservation, parts)))

    @rule(number=numbers, quantity=quantities, ago_s=agos)
    def sell_reserved(self, number: int, quantity: int, ago_s: int | None) -> None:
        reservation = self.some_reservation(number)
        sku = next((sku for sku, _ in self.lines_of(reservation, [number % 2, 1])), "apple")
        told = Movement("till", f"m{len(self.movements)}", 0, sku, MovementType.SALE, quantity)
        self.tell(told._replace(reservation=reservation, occurred_ns=self.moment(ago_s)))

    @rule(
        sku=skus,
        kind=st.sampled_from([kind for kind in MovementType if kind != MovementType.DISPOSITION_CHANGE]),
        quantity=quantities,
        down=st.booleans(),
        disposition=st.sampled_from(("", "", *DISPOSITIONS)),
        ago_s=agos,
        sequence=st.none() | st.integers(1, 8),
        number=st.none() | numbers,
    )
    def move(
        self,
        sku: str,
        kind: MovementType,
        quantity: int,
        down: bool,  # noqa: FBT001  # passed by name
        disposition: str,
        ago_s: int | None,
        sequence: int | None,
        number: int | None,
    ) -> None:
        sold = kind in (MovementType.SALE, MovementType.SHIPMENT)
        self.tell(
            Movement(
                source="erp" if sequence is None else "till",
                movement_id=f"m{len(self.movements)}",
                sequence=0 if sequence is None else sequence,
                sku=sku,
                type=kind,
                quantity=-quantity if down and kind == MovementType.ADJUSTMENT else quantity,
                disposition="" if kind == MovementType.COUNT else disposition,
                reservation=self.some_reservation(number) if sold and number is not None else "",
                occurred_ns=self.moment(ago_s),
            )
        )

    @rule(sku=skus, quantity=quantities, move=st.permutations(("", *DISPOSITIONS)), ago_s=agos)
    def change_disposition(self, sku: str, quantity: int, move: list[str], ago_s: int | None) -> None:
        self.tell(
            Movement(
                source="erp",
                movement_id=f"m{len(self.movements)}",
                sequence=0,
                sku=sku,
                type=MovementType.DISPOSITION_CHANGE,
                quantity=quantity,
                disposition=move[0],
                from_disposition=move[1],
                occurred_ns=self.moment(ago_s),
            )
        )

    @rule(
        lines=st.dictionaries(skus, st.integers(0, 8), min_size=1, max_size=2).map(lambda lines: tuple(lines.items())),
        ago_s=agos,
        behind=st.none() | st.integers(0, 3),
        validate_only=st.booleans(),
    )
    def count(self, lines: Any, ago_s: int | None, behind: int | None, validate_only: bool) -> None:  # noqa: FBT001  # passed by name
        expected = 0 if behind is None else max(0, self.live.version - behind)
        self.write(
            SetCount(
                self.new_id(),
                lines,
                as_of_ns=self.moment(ago_s or 0),
                expected_version=expected,
                validate_only=validate_only,
            )
        )

    @rule(
        lines=st.lists(policy_lines, min_size=1, max_size=2, unique_by=lambda line: line.sku).map(tuple),
        allow_missing=st.booleans(),
    )
    def set_policy(self, lines: Any, allow_missing: bool) -> None:  # noqa: FBT001  # passed by name
        self.write(SetStockPolicy(self.new_id(), lines, allow_missing))

    @rule(accepting=st.sampled_from((None, None, None, False, True)), capacity=st.none() | capacities)
    def configure(self, accepting: bool | None, capacity: Capacity | None) -> None:
        self.write(Configure(self.new_id(), accepting, capacity))

    @rule()
    def open_wide(self) -> None:
        self.write(Configure(self.new_id(), accepting=True, clear_capacity=True))

    @precondition(lambda self: self.writes)
    @rule(number=numbers)
    def repeat(self, number: int) -> None:
        self.do(self.writes[-1 - number % len(self.writes)])

    @precondition(lambda self: self.writes)
    @rule(number=numbers, other=numbers)
    def reuse_request_id(self, number: int, other: int) -> None:
        first, second = (self.writes[-1 - index % min(12, len(self.writes))] for index in (number, other))
        changed: Any = second._replace(request_id=first.request_id)
        if isinstance(changed, Reserve):
            changed = changed._replace(reservation=f"r-{first.request_id}")
            self.reservations.append(changed.reservation)
        self.do(changed)

    @rule(number=numbers)
    def repeat_movement(self, number: int) -> None:
        self.do(self.movements[-1 - number % len(self.movements)])

    @precondition(lambda self: self.batch)
    @rule()
    def end_batch(self) -> None:
        self.journal.append(pack_events(self.batch))
        self.batch.clear()
        assert self.live.close_batch() == self.reference.close_batch() == len(self.journal)

    @rule()
    def restart(self) -> None:
        snapshot = self.live.snapshot()
        self.live = StockLedger.restore(snapshot)
        assert self.live.snapshot() == snapshot

    # --- what always holds

    @invariant()
    def all_stock_agrees(self) -> None:
        for page in (ListStock(0, 100), ListStock(1, 2), Summarise(), GetStock(tuple(self.reference.skus))):
            assert essence(self.live.query(page)) == essence(self.reference.query(page))

    @invariant()
    def all_reservations_agree(self) -> None:
        for page in (ListReservations(0, 1000), ListReservations(2, 3), ListReservations(0, 2, State.HELD, "o1")):
            assert essence(self.live.query(page)) == essence(self.reference.query(page))
        for reservation in self.reservations[-8:]:
            expected = self.reference.query(GetReservation(reservation))
            assert essence(self.live.query(GetReservation(reservation))) == essence(expected)

    @invariant()
    def counters_agree_with_reservations(self) -> None:
        self.live.check_invariants()
        held = [r.expires_ns for r in self.reference.reservations if r.state == State.HELD]
        assert self.live.next_expiry_ns() == min(held, default=None)

    def teardown(self) -> None:
        """Replay the journal into a fresh ledger: the same bytes."""
        if self.batch:
            self.end_batch()
        replayed = StockLedger("here", self.limits)
        for entry in self.journal:
            for event in unpack_events(entry):
                replayed.apply(event)
            replayed.close_batch()
        assert replayed.snapshot() == self.live.snapshot()


class SmallTablesMachine(LedgerMachine):
    """The same with tables so small that they forget all the time."""

    limits: ClassVar[LedgerLimits] = SMALL


LedgerMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
SmallTablesMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestLedgerAgainstReference = LedgerMachine.TestCase
TestSmallTablesAgainstReference = SmallTablesMachine.TestCase
