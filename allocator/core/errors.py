"""The root of every exception that Allocator raises."""

from __future__ import annotations


class AllocatorError(Exception):
    """Root of all our exceptions: a bug or broken infrastructure, never a business refusal.

    Subclasses keep `args` equal to their constructor's arguments, so that they cross process borders by pickle.
    """


class BrokenInvariantError(AllocatorError):
    """A state that cannot be: the ledger's counters disagree with its reservations, or a replay with its journal."""
