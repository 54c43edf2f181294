"""Random lives of a location: the ledger against the slow reference, command by command, and against its replay."""

from __future__ import annotations

from typing import ClassVar

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from allocator.core.commands import (
    Capacity,
    Commit,
    Configure,
    Extend,
    Fulfil,
    Lines,
    MovementType,
    Policy,
    PolicyLine,
    Release,
    Reserve,
    SetCount,
    SetStockPolicy,
)
from allocator.core.ledger import StockLedger
from allocator.core.limits import LedgerLimits
from tests.unit.core.helpers import HOUR, S
from tests.unit.core.strategies import (
    DISPOSITIONS,
    SKUS,
    agos,
    capacities,
    channels,
    counted_lines,
    numbers,
    parts,
    policy_lines,
    quantities,
    skus,
    some_lines,
    ttls,
)
from tests.unit.core.two_ledgers import TwoLedgers

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


class LedgerMachine(TwoLedgers):
    """Everything that can happen to a location."""

    @initialize(
        received=st.tuples(*[st.integers(3, 12)] * 3),
        capacity=st.none() | capacities,
        policy=st.none() | policy_lines,
        made=st.lists(st.tuples(some_lines, ttls, channels, st.booleans()), max_size=4),
    )
    def open_with_stock(
        self,
        received: tuple[int, ...],
        capacity: Capacity | None,
        policy: PolicyLine | None,
        made: list[tuple[Lines, int, str, bool]],
    ) -> None:
        """Most lives begin with stock and some reservations."""
        for sku, quantity in zip(SKUS, received, strict=False):
            self.tell(sku, MovementType.RECEIPT, quantity, 3600)
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
        """Time goes on."""
        self.now_ns += seconds * S

    @rule(nanoseconds=st.sampled_from((1, 5 * S)))
    def set_clock_back(self, nanoseconds: int) -> None:
        """The caller's clock may do what it likes."""
        self.now_ns -= nanoseconds

    @rule(sku=skus, quantity=quantities, channel=channels)
    def reserve_one_line(self, sku: str, quantity: int, channel: str) -> None:
        """Reserve the usual way."""
        self.reserve(((sku, quantity),), HOUR, channel, Policy.ALL_OR_NOTHING, "", None)

    @rule(
        lines=some_lines,
        ttl_ns=ttls,
        channel=channels,
        policy=st.sampled_from(Policy),
        order=st.sampled_from(("", "o1", "o2")),
        pick_in=st.none() | st.sampled_from((0, 60 * S, HOUR)),
    )
    def reserve(self, lines: Lines, ttl_ns: int, channel: str, policy: int, order: str, pick_in: int | None) -> None:
        """Reserve with everything."""
        request_id = self.new_id()
        pick_at_ns = 0 if pick_in is None else self.now_ns + pick_in
        self.reservations.append(f"r-{request_id}")
        self.write(Reserve(request_id, f"r-{request_id}", lines, ttl_ns, channel, policy, order, pick_at_ns))

    @rule(number=numbers)
    def commit(self, number: int) -> None:
        """Commit a reservation."""
        self.write(Commit(self.new_id(), self.some_reservation(number)))

    @rule(number=numbers, ttl_ns=ttls)
    def extend(self, number: int, ttl_ns: int) -> None:
        """Extend a reservation."""
        self.write(Extend(self.new_id(), self.some_reservation(number), ttl_ns))

    @rule(number=numbers, amounts=parts, stray=st.integers(0, 9))
    def release(self, number: int, amounts: list[int], stray: int) -> None:
        """Release all or some of a reservation."""
        reservation = self.some_reservation(number)
        lines = self.lines_of(reservation, amounts) if stray else (("plum", 1),)
        self.write(Release(self.new_id(), reservation, lines))

    @rule(number=numbers, amounts=parts, first_commit=st.booleans())
    def fulfil(self, *, number: int, amounts: list[int], first_commit: bool) -> None:
        """Fulfil all or some of a reservation."""
        reservation = self.some_reservation(number)
        if first_commit:
            self.write(Commit(self.new_id(), reservation))
        self.write(Fulfil(self.new_id(), reservation, self.lines_of(reservation, amounts)))

    @rule(number=numbers, quantity=quantities, ago_s=agos)
    def sell_reserved(self, number: int, quantity: int, ago_s: int | None) -> None:
        """Sell units of a reservation by a movement."""
        reservation = self.some_reservation(number)
        sku = next((sku for sku, _ in self.lines_of(reservation, [number % 2, 1])), "apple")
        self.tell(sku, MovementType.SALE, quantity, ago_s, source="till", reservation=reservation)

    @rule(
        sku=skus,
        kind=st.sampled_from(
            sorted({*MovementType} - {MovementType.DISPOSITION_CHANGE, MovementType.COUNT, MovementType.SUPPLY})
        ),
        quantity=quantities,
        disposition=st.sampled_from(("", "", *DISPOSITIONS)),
        ago_s=agos,
    )
    def move(self, sku: str, kind: MovementType, quantity: int, disposition: str, ago_s: int | None) -> None:
        """Tell any physical movement, late or not."""
        self.tell(sku, kind, quantity, ago_s, disposition=disposition)

    @rule(sku=skus, quantity=quantities, sequence=st.integers(1, 8), ago_s=agos)
    def adjust_in_sequence(self, sku: str, quantity: int, sequence: int, ago_s: int | None) -> None:
        """Tell losses with sequences, late and repeated."""
        self.tell(sku, MovementType.ADJUSTMENT, -quantity, ago_s, source="till", sequence=sequence)

    @rule(sku=skus, quantity=quantities, move=st.permutations(("", *DISPOSITIONS)), ago_s=agos)
    def change_disposition(self, sku: str, quantity: int, move: list[str], ago_s: int | None) -> None:
        """Move units between dispositions."""
        told = {"from_disposition": move[0], "disposition": move[1]}
        self.tell(sku, MovementType.DISPOSITION_CHANGE, quantity, ago_s, **told)

    @rule(sku=skus, quantity=st.integers(0, 8), ago_s=agos)
    def count_by_movement(self, sku: str, quantity: int, ago_s: int | None) -> None:
        """Tell a count as a movement."""
        self.tell(sku, MovementType.COUNT, quantity, ago_s)

    @rule(lines=counted_lines, ago_s=agos, behind=st.none() | st.integers(0, 3), validate_only=st.booleans())
    def count(self, *, lines: Lines, ago_s: int | None, behind: int | None, validate_only: bool) -> None:
        """Set counts, or ask what they would do."""
        command = SetCount(self.new_id(), lines, self.moment(ago_s or 0), validate_only=validate_only)
        expected = 0 if behind is None else max(0, self.live.version - behind)
        self.write(command._replace(expected_version=expected))

    @rule(
        lines=st.lists(policy_lines, min_size=1, max_size=2, unique_by=lambda line: line.sku).map(tuple),
        allow_missing=st.booleans(),
    )
    def set_policy(self, *, lines: tuple[PolicyLine, ...], allow_missing: bool) -> None:
        """Set safety stock and quotas, move dispositions."""
        self.write(SetStockPolicy(self.new_id(), lines, allow_missing))

    @rule(accepting=st.sampled_from((None, None, None, False, True)), capacity=st.none() | capacities)
    def configure(self, *, accepting: bool | None, capacity: Capacity | None) -> None:
        """Close or open the location, set its capacity."""
        self.write(Configure(self.new_id(), accepting, capacity))

    @rule()
    def open_wide(self) -> None:
        """Lift what would refuse everything from here on."""
        self.write(Configure(self.new_id(), accepting=True, clear_capacity=True))

    @precondition(lambda self: self.writes)
    @rule(number=numbers)
    def repeat(self, number: int) -> None:
        """Ask again, with the same request id and the same content."""
        self.do(self.writes[-1 - number % len(self.writes)])

    @precondition(lambda self: self.writes)
    @rule(number=numbers, other=numbers)
    def reuse_request_id(self, number: int, other: int) -> None:
        """Ask for something else with a request id used before."""
        first, second = (self.writes[-1 - index % min(12, len(self.writes))] for index in (number, other))
        changed = second._replace(request_id=first.request_id)
        if isinstance(changed, Reserve):
            changed = changed._replace(reservation=f"r-{first.request_id}")
            self.reservations.append(changed.reservation)
        self.do(changed)

    @rule(number=numbers)
    def repeat_movement(self, number: int) -> None:
        """Tell a movement again."""
        self.do(self.movements[-1 - number % len(self.movements)])

    @precondition(lambda self: self.batch)
    @rule()
    def journal_batch(self) -> None:
        """Journal what happened."""
        self.end_batch()

    @rule()
    def restart(self) -> None:
        """Go on with a ledger restored from a snapshot."""
        snapshot = self.live.snapshot()
        self.live = StockLedger.restore(snapshot)
        assert self.live.snapshot() == snapshot


class SmallTablesMachine(LedgerMachine):
    """The same with tables so small that they forget all the time."""

    limits: ClassVar[LedgerLimits] = SMALL


LedgerMachine.TestCase.settings = settings(max_examples=250, stateful_step_count=40, deadline=None)
SmallTablesMachine.TestCase.settings = LedgerMachine.TestCase.settings
TestLedgerAgainstReference = LedgerMachine.TestCase
TestSmallTablesAgainstReference = SmallTablesMachine.TestCase
