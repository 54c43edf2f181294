"""What can go wrong between a gateway and the actors."""

from __future__ import annotations

from allocator.core.errors import AllocatorError


class OutcomeUnknownError(AllocatorError):
    """The actor went away while the command was with it: it happened once or not at all; the same id may be retried."""


class OverloadedError(AllocatorError):
    """The queue of an actor is full: nothing was done."""


class VersionNotReachedError(AllocatorError):
    """A read asked for a version that did not arrive in time."""


class BootError(AllocatorError):
    """An actor did not come up in time; the message names it and what it said."""


class FoldFailedError(AllocatorError):
    """A snapshot could not be made of what the journal holds; nothing is lost, as the journal still holds it."""

    def __init__(self, shard: str, what: str) -> None:
        told = f"no snapshot of shard {shard!r} could be made of its journal: "
        super().__init__(told + what.removeprefix(told))


class HostFailedError(AllocatorError):
    """The journal failed under a host: what was executed is not durable and the process is about to end."""
