from __future__ import annotations

import random
from collections import deque

import pytest

from allocator.runtime.worth import LEAST, SETTLES_S, STANDING_S, Gate, Valve, WaitTargets, Worth, room_for

TARGET_S = WaitTargets().browse_s


def stood(gate: Gate, wait_s: float, from_s: float = 0.0) -> float:
    """Let a wait stand; returns the time."""
    gate.observe(wait_s, from_s)
    gate.observe(wait_s, from_s + STANDING_S)
    return from_s + STANDING_S


def test_a_burst_passes() -> None:
    """A wait over the target that is gone within the interval refuses nobody, however often."""
    gate = Gate(TARGET_S)
    for n in range(10):
        assert not gate.observe(9.0, n)
        assert not gate.observe(9.0, n + 0.9 * STANDING_S)
        assert gate.passes(0.999)
        gate.observe(0.0, n + 0.95 * STANDING_S)


def test_a_standing_wait_refuses_in_proportion() -> None:
    """Four times the target: an eighth pass; no more than the target: all."""
    gate = Gate(TARGET_S)
    now_s = stood(gate, 4 * TARGET_S)
    assert (gate.standing, gate.share) == (True, 0.125)
    assert (gate.passes(0.124), gate.passes(0.126)) == (True, False)
    gate.observe(TARGET_S, now_s + 0.001)
    assert (gate.standing, gate.share) == (True, 1.0)


def test_it_stands_until_the_wait_was_short_for_the_interval() -> None:
    """A dip does not begin the interval anew: the next wait over the target refuses at once."""
    gate = Gate(TARGET_S)
    now_s = stood(gate, 1.0)
    gate.observe(0.0, now_s)
    assert not gate.observe(1.0, now_s + 0.5 * STANDING_S)
    assert gate.share < 1
    assert not gate.observe(0.0, now_s + STANDING_S)
    assert gate.observe(0.0, now_s + 2 * STANDING_S)
    assert not gate.standing


def test_no_target_is_no_gate() -> None:
    """0 lets everything pass, whatever waits."""
    gate = Gate(0)
    stood(gate, 100.0)
    assert (gate.standing, gate.passes(0.999)) == (False, True)


def test_the_defaults_refuse_the_lesser_first() -> None:
    """Each worth has a longer wait than the one below it."""
    targets = WaitTargets()
    assert list(targets) == sorted(set(targets))


@pytest.mark.parametrize("most", [1, 2, 7, 8, 9, 40_000])
def test_tables_keep_room_for_what_is_worth_more(most: int) -> None:
    """What settles may have every place; each lesser worth no more than the next, and at least one."""
    rooms = [room_for(worth, most) for worth in Worth]
    assert rooms == sorted(rooms)
    assert rooms[0] >= 1
    assert rooms[-1] == most
    if most >= 8:
        assert rooms[0] < rooms[1] < rooms[2]


class Server:
    """A server with one worker and a queue, whose calls decide on admission when they are taken up.

    Like an event loop, it takes up everything that has come in one turn, and measures how long a turn waited.
    """

    def __init__(self, gate: Gate, served_s: float, refused_s: float) -> None:
        self._gate, self._served_s, self._refused_s = gate, served_s, refused_s
        self._chance = random.Random(11)
        self._now_s = self._arrived_s = 0.0
        self.served: list[tuple[float, float]] = []

    def run(self, per_s: float, until_s: float) -> None:
        """Take calls that come evenly, so many per second."""
        while self._arrived_s < until_s:
            turn_s = max(self._now_s, self._arrived_s + 1 / per_s)
            coming = max(1, int((min(turn_s, until_s) - self._arrived_s) * per_s))
            self._gate.observe(turn_s - self._arrived_s, turn_s)
            for n in range(coming):
                came_s = self._arrived_s + (n + 1) / per_s
                if self._gate.passes(self._chance.random()):
                    turn_s += self._served_s
                    self.served.append((turn_s, turn_s - came_s))
                else:
                    turn_s += self._refused_s
            self._arrived_s += coming / per_s
            self._now_s = turn_s

    def goodput(self, from_s: float, until_s: float, within_s: float) -> float:
        """Calls per second that were answered in time."""
        good = sum(1 for at_s, took_s in self.served if from_s <= at_s < until_s and took_s <= within_s)
        return good / (until_s - from_s)


@pytest.mark.parametrize("times", [1.1, 1.5, 3.0, 6.0])
def test_goodput_holds_under_overload(times: float) -> None:
    """At up to 3 times the peak at least 0.8 of it is answered within a second, second by second; no swings.

    A refusal costs a twentieth of an answer here; at 6 times the peak those take 0.25 of the worker.
    """
    server = Server(Gate(TARGET_S), served_s=0.001, refused_s=0.000_05)
    server.run(500, 2.0)
    server.run(1000 * times, 12.0)
    least = 0.8 if times <= 3 else 0.65
    for second in range(3, 11):
        assert server.goodput(second, second + 1, 1.0 if times <= 3 else 2.0) >= least * 1000, second


def test_without_a_gate_nothing_is_answered_in_time() -> None:
    """The same server that refuses nobody answers everybody too late: what the gate is for."""
    server = Server(Gate(0), served_s=0.001, refused_s=0.000_05)
    server.run(3000, 12.0)
    assert server.goodput(6, 12, 1.0) == 0


def test_it_recovers_within_a_second() -> None:
    """After the load has ended everything passes again, and waits nobody notices."""
    server = Server(gate := Gate(TARGET_S), served_s=0.001, refused_s=0.000_05)
    server.run(3000, 8.0)
    assert gate.share < 1
    server.run(500, 9.0)
    assert gate.share == 1
    answered = len(server.served)
    server.run(500, 11.0)
    late = [took_s for _, took_s in server.served[answered:] if took_s > 0.01]
    assert (len(server.served) - answered, late) == (1000, [])


def test_a_valve_takes_back_a_part_and_waits_until_that_shows() -> None:
    """The longer the wait the more, and not again for what was let in before, which waits as long."""
    valve = Valve(TARGET_S)
    shows_s = 2 * TARGET_S + SETTLES_S
    valve.observe(2 * TARGET_S, 1.0, standing=True)
    assert valve.share == pytest.approx(0.5)
    valve.observe(2 * TARGET_S, 1.0 + 0.9 * shows_s, standing=True)
    assert valve.share == pytest.approx(0.5)
    valve.observe(2 * TARGET_S, 1.0 + 1.1 * shows_s, standing=True)
    assert valve.share == pytest.approx(0.25)


def cut(valve: Valve, from_s: float, times: int) -> float:
    """Let work wait for five times the target until a valve was cut so many times; returns the time."""
    for _ in range(times):
        valve.observe(5 * TARGET_S, from_s, standing=True)
        from_s += 5 * TARGET_S + 1.1 * SETTLES_S
    return from_s


def opened(valve: Valve, from_s: float, seconds: float) -> float:
    """Let nothing wait; returns the time."""
    for _ in range(round(20 * seconds)):
        from_s += 0.05
        valve.observe(0.4 * TARGET_S, from_s, standing=False)
    return from_s


def test_a_valve_stays_near_the_share_that_was_too_much() -> None:
    """It is there again within a second, hardly above it in the next, and all open within five."""
    valve = Valve(TARGET_S)
    now_s = cut(valve, 1.0, 9)
    assert valve.share == LEAST
    now_s = opened(valve, now_s, 1.0)
    too_much = valve.share
    now_s = cut(valve, now_s, 2)
    valve.observe(0.6 * TARGET_S, now_s, standing=False)
    assert valve.share == pytest.approx(0.09 * too_much)  # the wait is too long to open
    now_s = opened(valve, now_s, 1.0)
    assert 0.8 * too_much < valve.share <= too_much
    now_s = opened(valve, now_s, 0.5)
    assert valve.share < 1.3 * too_much
    opened(valve, now_s, 3.5)
    assert valve.share == 1


def test_a_very_long_wait_shuts_a_valve_no_longer_than_what_it_let_in_may_wait() -> None:
    """What is older is refused at its turn, so the queue is gone by then: an hour is no reason to wait one."""
    valve = Valve(TARGET_S)
    valve.observe(3_600.0, 1.0, standing=True)
    shut = valve.share
    valve.observe(0.0, 1.0 + 2 * TARGET_S + 1.1 * SETTLES_S, standing=False)
    assert valve.share > shut


def test_a_valve_leaves_bursts_alone_and_never_shuts() -> None:
    """A wait that does not stand changes nothing; one that stands for ever lets the least through."""
    valve = Valve(TARGET_S)
    valve.observe(9.0, 1.0, standing=False)
    assert valve.share == 1
    for second in range(2, 60):
        valve.observe(9.0, second, standing=True)
    assert valve.share == LEAST


@pytest.mark.parametrize("times", [1.5, 3.0, 6.0])
def test_goodput_holds_behind_a_valve(times: float) -> None:
    """At a door refusals cost the server nothing and are not seen; it is busy in 6 of 10 turns."""
    gate, valve = Gate(TARGET_S), Valve(TARGET_S)
    chance, peak_per_s, step_s = random.Random(11), 1_000, 0.02
    queue: deque[float] = deque()
    answered: list[tuple[float, float]] = []
    for step in range(int(12 / step_s)):
        now_s = step * step_s
        coming = int(peak_per_s * times * step_s)
        queue += [now_s] * sum(chance.random() < valve.share for _ in range(coming))
        taken = min(len(queue), int(peak_per_s * step_s))
        answered += [(now_s, now_s - queue.popleft()) for _ in range(taken)]
        wait_s = now_s - queue[0] if queue else 0.0
        gate.observe(wait_s, now_s)
        valve.observe(wait_s, now_s, standing=gate.standing)
    good = sum(1 for at_s, took_s in answered if at_s >= 2 and took_s <= 1)
    assert good / 10 >= 0.6 * peak_per_s
