"""How a client calls: the settings of a client, and of a copy of it for some calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from allocator.client.errors import invalid
from allocator.client.retry import RetryPolicy

CORRELATION_KEY: Final = "x-correlation-id"
CORRELATION_LENGTH_MAX: Final = 128
"""Characters of a correlation id."""
MESSAGE_BYTES_MAX: Final = 16 * 1024 * 1024
"""Largest message either way, bytes; gRPC's own default of 4 MiB is too little for large batches."""

_CHANNEL_OPTIONS: Final[Mapping[str, Any]] = {
    "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
    "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
    # A channel that lost its server looks again after 1 second by default, then 1.6 times as long each time, up
    # to 2 minutes; calls fail at once meanwhile, so our retries would meet a closed door.
    "grpc.initial_reconnect_backoff_ms": 100,
    "grpc.min_reconnect_backoff_ms": 100,
    "grpc.max_reconnect_backoff_ms": 1_000,
    "grpc.service_config": '{"loadBalancingConfig": [{"round_robin": {}}]}',
}


@dataclass(frozen=True, slots=True)
class CallOptions:
    """What goes with every call.

    Attributes:
        policy: how long and how often it is tried.
        correlation_id: travels into logs, the journal and ERP postings; "": none.
        metadata: more pairs to send.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    correlation_id: str = ""
    metadata: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        text = self.correlation_id
        if text and not (text.isascii() and text.isprintable() and len(text) <= CORRELATION_LENGTH_MAX):
            raise invalid("correlation_id", f"up to {CORRELATION_LENGTH_MAX} printable ASCII characters are expected")

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The metadata to send."""
        return ((CORRELATION_KEY, self.correlation_id), *self.metadata) if self.correlation_id else self.metadata

    def changed(self, changes: Mapping[str, Any]) -> CallOptions:
        """A copy with the changes that are not None; those of the policy by their own names."""
        given = {name: value for name, value in changes.items() if value is not None}
        own = {name: given.pop(name) for name in ("correlation_id", "metadata") if name in given}
        if "metadata" in own:
            own["metadata"] = tuple(own["metadata"])
        return replace(self, policy=replace(self.policy, **given), **own)


def as_channel_options(more: Mapping[str, Any] | None) -> Sequence[tuple[str, Any]]:
    """The options of a channel, where `more` wins."""
    return tuple({**_CHANNEL_OPTIONS, **(more or {})}.items())
