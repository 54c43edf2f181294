from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allocator.core import codec
from allocator.core.commands import Commit, Reserve
from allocator.core.results import Done
from allocator.runtime.batcher import Answer, BrowseContext, CommandBatcher, Context, HoldContext
from allocator.runtime.errors import OutcomeUnknownError, OverloadedError

CONTEXT = Context("correlation", "00-trace-parent-01")


class Actor:
    """Stands at the other end: keeps the batches it gets, and answers each when told to.

    Attributes:
        batches: the request ids of each call.
        version: told with every answer.
    """

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.contexts: list[tuple[str, str]] = []
        self.known: list[Mapping[str, int]] = []
        self.learned: list[Mapping[str, Any]] = []
        self.version = 7
        self._open = asyncio.Event()
        self._open.set()
        self._arrived = asyncio.Semaphore(0)
        self._failure: Exception | None = None

    def hold(self) -> None:
        """Keep calls waiting."""
        self._open.clear()

    def answer(self) -> None:
        """Answer the calls that wait, and later ones at once."""
        self._open.set()

    def fail(self, error: Exception) -> None:
        """Fail the calls that wait, and later ones at once."""
        self._failure = error
        self._open.set()

    async def arrival(self) -> None:
        """Wait until one more call has arrived."""
        async with asyncio.timeout(10):
            await self._arrived.acquire()

    async def send(self, data: bytes) -> bytes:
        """One call."""
        known, calls = codec.unpack(data)
        self.known.append(known)
        self.batches.append([codec.untagged(array).request_id for _, array, _, _ in calls])
        self.contexts += [(correlation, trace) for _, _, correlation, trace in calls]
        self._arrived.release()
        await self._open.wait()
        if self._failure is not None:
            raise self._failure
        names = {name for name, _, _, _ in calls}
        results = [codec.tagged(Done(repeated=True)) for _ in calls]
        return codec.pack(({name: (self.version, []) for name in names}, results))

    async def learn(self, progress: Mapping[str, tuple[int, Sequence[Any] | None]]) -> None:
        """Take over what came with an answer."""
        self.learned.append(progress)


def batcher(actor: Actor, *, queue_max: int = 100, batch_max: int = 10, in_flight_max: int = 1) -> CommandBatcher:
    """Make a batcher that knows version 3 of `dc` and nothing of any other."""
    known = {"dc": 3}
    return CommandBatcher(
        actor.send, known.get, actor.learn, queue_max=queue_max, batch_max=batch_max, in_flight_max=in_flight_max
    )


def command(name: str) -> Commit:
    """Any command."""
    return Commit(name, "a reservation")


def submit(batcher: CommandBatcher, *names: str) -> list[asyncio.Future[Answer]]:
    """Submit a command per name."""
    return [batcher.submit("dc", command(name), CONTEXT) for name in names]


async def test_who_is_ready_at_the_same_time_goes_together() -> None:
    """No timer is needed: the first call waits for one turn of the loop."""
    actor = Actor()
    answers = await asyncio.gather(*submit(batcher(actor), "a", "b", "c"))
    assert actor.batches == [["a", "b", "c"]]
    assert answers == [Answer(Done(repeated=True), 7)] * 3


async def test_a_single_command_is_sent_at_once() -> None:
    """An idle system adds no delay."""
    actor = Actor()
    await submit(batcher(actor), "a")[0]
    assert actor.batches == [["a"]]


async def test_while_a_call_is_in_flight_the_next_batch_collects() -> None:
    """Load makes the batches larger, and nothing waits longer than one call."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor)
    first = submit(batches, "a")
    await actor.arrival()
    rest = [future for name in "bcde" for future in submit(batches, name)]
    actor.answer()
    await asyncio.gather(*first, *rest)
    assert actor.batches == [["a"], ["b", "c", "d", "e"]]


async def test_so_many_calls_are_in_flight_and_no_more() -> None:
    """The bound holds while commands keep coming."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor, in_flight_max=2)
    futures = submit(batches, "a")
    await actor.arrival()
    futures += submit(batches, "b")
    await actor.arrival()
    futures += submit(batches, "c", "d")
    await asyncio.sleep(0)
    assert actor.batches == [["a"], ["b"]]
    actor.answer()
    await asyncio.gather(*futures)
    assert actor.batches == [["a"], ["b"], ["c", "d"]]


async def test_a_batch_has_a_named_maximum() -> None:
    """What does not fit goes with the next call, in order."""
    actor = Actor()
    await asyncio.gather(*submit(batcher(actor, batch_max=2), *"abcde"))
    assert actor.batches == [["a", "b"], ["c", "d"], ["e"]]


async def test_beyond_the_queue_callers_are_refused_at_once() -> None:
    """Nothing was done then, and the others are answered."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor, queue_max=2)
    futures = submit(batches, "a")
    await actor.arrival()
    futures += submit(batches, "b", "c")
    with pytest.raises(OverloadedError, match="2 commands wait for the actor of dc"):
        submit(batches, "d")
    actor.answer()
    await asyncio.gather(*futures)
    assert actor.batches == [["a"], ["b", "c"]]
    await asyncio.gather(*submit(batches, "e"))


async def test_what_is_worth_less_leaves_room_in_the_queue() -> None:
    """Reads are refused first, then holds; what settles has every place."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor, queue_max=8)
    futures = submit(batches, "a")
    await actor.arrival()
    for context, room in ((BrowseContext(), 6), (HoldContext(), 7), (CONTEXT, 8)):
        while len(futures) - 1 < room:
            futures.append(batches.submit("dc", command("b"), context))
        with pytest.raises(OverloadedError):
            futures.append(batches.submit("dc", command("c"), context))
    actor.answer()
    await asyncio.gather(*futures)


async def test_a_late_actor_is_given_fewer_holds_and_everything_that_settles() -> None:
    """Only what calls begin with is refused, and nothing any more once the queue moves on."""
    actor, now_s = Actor(), 0.0
    actor.hold()
    known: dict[str, int] = {}
    batches = CommandBatcher(
        actor.send, known.get, actor.learn, queue_max=10_000, batch_max=10_000, in_flight_max=1, clock_s=lambda: now_s
    )
    reserve = Reserve("r", "hold", (("apple", 1),), 10**9)
    futures = submit(batches, "a")
    await actor.arrival()
    futures += [batches.submit("dc", reserve, HoldContext()) for _ in range(100)]
    taken = len(futures)
    assert taken == 101
    for now_s in (30.0, 31.0):  # noqa: B007  # the clock reads it
        taken = len(futures)
        for _ in range(200):
            with suppress(OverloadedError):
                futures.append(batches.submit("dc", reserve, HoldContext()))
    assert len(futures) - taken < 20
    futures += submit(batches, "b")
    futures.append(batches.submit("dc", command("c"), HoldContext()))
    futures.append(batches.submit("dc", reserve, CONTEXT))
    actor.answer()
    await asyncio.gather(*futures)
    await asyncio.gather(*(batches.submit("dc", reserve, HoldContext()) for _ in range(100)))


async def test_a_command_whose_caller_has_gone_is_never_sent() -> None:
    """A deadline that passed in the queue costs nobody anything; a call of none but such is not made."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor)
    first = submit(batches, "a")
    await actor.arrival()
    gone, stays = submit(batches, "gone", "stays")
    gone.cancel()
    actor.answer()
    await asyncio.gather(*first, stays)
    assert actor.batches == [["a"], ["stays"]]
    submit(batches, "gone too")[0].cancel()
    await batches.drain()
    assert actor.batches == [["a"], ["stays"]]


async def test_a_caller_that_goes_while_the_call_is_under_way_disturbs_nobody() -> None:
    """Its answer is dropped, the others get theirs."""
    actor = Actor()
    actor.hold()
    gone, stays = submit(batcher(actor), "gone", "stays")
    await actor.arrival()
    gone.cancel()
    actor.answer()
    assert (await stays).result == Done(repeated=True)


async def test_when_the_actor_goes_away_the_outcome_is_unknown_to_all_of_the_batch() -> None:
    """Each caller gets an error of his own that says so; the next call is a new one."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor)
    futures = submit(batches, "a", "b")
    await actor.arrival()
    actor.fail(ConnectionResetError("gone"))
    errors = await asyncio.gather(*futures, return_exceptions=True)
    assert [str(error) for error in errors] == ["the actor of dc went away: ConnectionResetError"] * 2
    assert all(isinstance(error, OutcomeUnknownError) for error in errors)
    with pytest.raises(OutcomeUnknownError):
        await submit(batches, "c")[0]
    assert actor.batches == [["a", "b"], ["c"]]


async def test_a_command_that_cannot_be_packed_leaves_no_caller_waiting() -> None:
    """Not even its own."""
    actor = Actor()
    batches = batcher(actor)
    bad = batches.submit("dc", ("no", "command"), CONTEXT)
    with pytest.raises(OutcomeUnknownError):
        await bad
    await submit(batches, "a")[0]


async def test_callers_are_answered_after_the_read_model_has_learned() -> None:
    """So each sees his own write in what he reads next."""
    actor = Actor()
    batches = batcher(actor)
    future = submit(batches, "a")[0]
    learned_before = []
    future.add_done_callback(lambda _: learned_before.extend(actor.learned))
    await future
    await asyncio.sleep(0)
    assert learned_before == [{"dc": (7, ())}]


async def test_a_call_tells_what_is_known_already_and_who_asks() -> None:
    """The actor sends back only what is new; the context goes with each command."""
    actor = Actor()
    batches = batcher(actor)
    await asyncio.gather(*submit(batches, "a"), batches.submit("shop", command("b"), Context()))
    assert actor.known == [{"dc": 3}]
    assert actor.contexts == [CONTEXT, ("", "")]


@pytest.mark.parametrize("in_flight_max", [1, 2])
async def test_who_submits_again_right_after_his_answer_is_not_forgotten(in_flight_max: int) -> None:
    """Also when every call ended in this very turn of the loop and nobody else comes."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor, in_flight_max=in_flight_max)

    async def twice(name: str) -> None:
        await submit(batches, name)[0]
        await submit(batches, f"{name} again")[0]

    callers = []
    for name in "ab"[:in_flight_max]:
        callers.append(asyncio.ensure_future(twice(name)))
        await actor.arrival()
    actor.answer()
    async with asyncio.timeout(10):
        await asyncio.gather(*callers)


async def test_a_group_stays_together_and_in_order() -> None:
    """It takes room in queue and batch for each of its commands; one that does not fit waits for the next call."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor, batch_max=4, queue_max=6)
    first = submit(batches, "a")
    await actor.arrival()
    futures = submit(batches, "b", "c")
    group = batches.submit_group("dc", [command(name) for name in "def"], CONTEXT)
    with pytest.raises(OverloadedError):
        await batches.submit_group("dc", [command(name) for name in "gh"], CONTEXT)
    actor.answer()
    await asyncio.gather(*first, *futures)
    assert await group == [Answer(Done(repeated=True), 7)] * 3
    assert actor.batches == [["a"], ["b", "c"], ["d", "e", "f"]]


async def test_draining_waits_for_everything_accepted() -> None:
    """Also for what still waits in the queue."""
    actor = Actor()
    actor.hold()
    batches = batcher(actor, batch_max=1)
    futures = submit(batches, "a", "b", "c")
    await actor.arrival()
    drained = asyncio.ensure_future(batches.drain())
    await asyncio.sleep(0)
    assert not drained.done()
    actor.answer()
    await drained
    assert [future.done() for future in futures] == [True] * 3
    await batches.drain()


@given(
    submissions=st.lists(st.tuples(st.integers(1, 4), st.booleans(), st.integers(0, 2)), max_size=30),
    batch_max=st.integers(1, 5),
    in_flight_max=st.integers(1, 3),
)
def test_everything_submitted_is_sent_once_in_order_within_the_bounds(
    submissions: list[tuple[int, bool, int]], batch_max: int, in_flight_max: int
) -> None:
    """Whatever comes when, cancelled or not: calls are within their bounds, and nothing is lost or doubled."""

    async def run() -> None:
        actor = Actor()
        batches = batcher(actor, queue_max=1_000, batch_max=batch_max, in_flight_max=in_flight_max)
        futures, expected = [], []
        for n, (size, cancelled, turns) in enumerate(submissions):
            names = [f"{n}-{k}" for k in range(size)]
            if cancelled:
                for future in submit(batches, *names):
                    future.cancel()
            else:
                expected += names
                futures += submit(batches, *names)
            for _ in range(turns):
                await asyncio.sleep(0)
        await asyncio.gather(*futures)
        assert sorted(name for batch in actor.batches for name in batch) == sorted(expected)
        assert all(batch == sorted(batch, key=expected.index) for batch in actor.batches)
        assert all(1 <= len(batch) <= batch_max for batch in actor.batches)

    asyncio.run(run())
