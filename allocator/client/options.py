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
CLIENT_KEY: Final = "x-client-id"
CLIENT_LENGTH_MAX: Final = 128
"""Characters of a client id."""
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
        client_id: who is calling, for limits by client; "": the server tells callers apart by itself.
    """

    policy: RetryPolicy = field(default_factory=RetryPolicy)
    correlation_id: str = ""
    metadata: tuple[tuple[str, str], ...] = ()
    client_id: str = ""

    def __post_init__(self) -> None:
        _check_header("correlation_id", self.correlation_id, CORRELATION_LENGTH_MAX)
        _check_header("client_id", self.client_id, CLIENT_LENGTH_MAX)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """The metadata to send."""
        ours = ((CORRELATION_KEY, self.correlation_id), (CLIENT_KEY, self.client_id))
        return (*(pair for pair in ours if pair[1]), *self.metadata)

    def changed(self, changes: Mapping[str, Any]) -> CallOptions:
        """A copy with the changes that are not None; those of the policy by their own names."""
        given = {name: value for name, value in changes.items() if value is not None}
        own = {name: given.pop(name) for name in ("correlation_id", "metadata", "client_id") if name in given}
        if "metadata" in own:
            own["metadata"] = tuple(own["metadata"])
        return replace(self, policy=replace(self.policy, **given), **own)


def _check_header(name: str, text: str, length_max: int) -> None:
    if text and not (text.isascii() and text.isprintable() and len(text) <= length_max):
        raise invalid(name, f"up to {length_max} printable ASCII characters are expected")


def as_channel_options(more: Mapping[str, Any] | None) -> Sequence[tuple[str, Any]]:
    """The options of a channel, where `more` wins."""
    return tuple({**_CHANNEL_OPTIONS, **(more or {})}.items())
