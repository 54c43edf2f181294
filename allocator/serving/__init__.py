"""`allocator serve`: brings up Ray, the actors, the gateways and the adapters, and keeps them up."""

from __future__ import annotations

from allocator.serving.supervisor import serve

__all__ = ["serve"]
