"""How a gateway reaches an actor: three calls, bytes to bytes. Ray and lines in production, plain threads in tests."""

from __future__ import annotations

from abc import ABC, abstractmethod


class ActorLink(ABC):
    """A way to one actor. Every call raises when the actor is away."""

    @abstractmethod
    async def execute(self, data: bytes) -> bytes:
        """Run a batch of commands."""

    @abstractmethod
    async def changes(self, data: bytes) -> bytes:
        """Wait for news of its ledgers."""

    @abstractmethod
    async def adopt(self, location: str) -> bool:
        """Have it host one more location."""

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Let go of what this way holds; calls under way fail."""


class Links(ABC):
    """Ways to all actors."""

    @abstractmethod
    def link(self, actor: str) -> ActorLink:
        """The way to `actor`."""
