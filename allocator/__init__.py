"""Allocator: an in-memory inventory allocation core for omnichannel retail."""
