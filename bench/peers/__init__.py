"""What Allocator is compared with: the same contract on Redis, on PostgreSQL and on Ray without batching."""

from bench.peers.peer import NAMES, Peer, available

__all__ = ["NAMES", "Peer", "available"]
