"""What a peer needs besides its own process: a server, a schema, a cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod


class Backing(ABC):
    """Started before the front, stopped after it. What it keeps in its folder outlives a crash of all of it."""

    @abstractmethod
    def start(self) -> str:
        """Start, going on with what an earlier one left; returns what a store needs to find it."""

    @abstractmethod
    def stop(self) -> None:
        """Stop, and remove what is not in the folder."""
