"""The door: under overload Envoy itself refuses the share of calls that has to go, before Python hears of them.

A call that Python refuses has cost most of what an answered one costs on this front: the way from Envoy into the
interpreter and back. So what `Shedding` decides is done at the door, by Envoy's local rate limit: each method of the
contract has a route with a bucket that is empty, and a runtime key per worth says which share of the calls has to take
a token. The share is told over the admin socket, and only when it changed.

All of that has a thread of its own. On the event loop it would come to its turn when everybody else does, which under
overload is seconds later: the queue had tens of thousands of calls by the time the door closed.
"""

from __future__ import annotations

import asyncio
import base64
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import structlog

from allocator.gateway.errors import ApiError, to_proto
from allocator.gateway.refusals import RETRY_S
from allocator.gateway.shedding import worth_of
from allocator.gateway.turnstile import ARRIVED
from allocator.runtime.worth import Worth
from allocator.v1 import availability_pb2, inventory_pb2, network_pb2, reservation_pb2, sourcing_pb2

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.gateway.envoy_admin import EnvoyAdmin
    from allocator.gateway.shedding import Pulse, Shedding

log = structlog.get_logger("allocator.gateway")

FILTER: Final = "envoy.filters.http.local_ratelimit"
MILLION: Final = 1_000_000
LOOK_S: Final = 0.025
"""How often the shares are looked at, seconds."""
LEAST_CHANGE: Final = 0.05
"""A change of what passes that is told, as a share of it."""

_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_FILES: Final = (availability_pb2, reservation_pb2, inventory_pb2, sourcing_pb2, network_pb2)
_WHY: Final = "local_rate_limited"
"""What Envoy says; clients compare it with the message of the details."""


def runtime_key(worth: Worth) -> str:
    """Under which Envoy looks up how many in a million calls of a worth are refused."""
    return f"allocator.refused.{worth.name.lower()}"


def door_filter() -> dict[str, Any]:
    """The filter in Envoy's chain; what it does is said per route."""
    return {"name": FILTER, "typed_config": {"@type": _TYPE, "stat_prefix": "door"}}


def arrival_filter() -> dict[str, Any]:
    """The filter that notes on each call when it came, whatever the caller says of that."""
    header = {"key": ARRIVED.decode(), "value": "%START_TIME(%s.%6f)%"}
    mutation = {"append": {"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}
    kind = "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation"
    config = {"@type": kind, "mutations": {"request_mutations": [mutation]}}
    return {"name": "envoy.filters.http.header_mutation", "typed_config": config}


def door_routes() -> dict[str, Any]:
    """A route for each method of the contract, those called most first; nothing is routed anywhere."""
    routes = [
        {**_route({"path": f"/{service.full_name}/{method.name}"}), "typed_per_filter_config": _limit(method.name)}
        for file in _FILES
        for service in file.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    ]
    host = {"name": "allocator", "domains": ["*"], "routes": [*routes, _route({"prefix": "/"})]}
    return {"virtual_hosts": [host]}


def _route(match: dict[str, str]) -> dict[str, Any]:
    # Never answered like this: the application inside is the last filter, and answers everything.
    return {"match": match, "direct_response": {"status": 404}}


def _limit(method: str) -> dict[str, Any]:
    worth = worth_of(method)
    details = to_proto(ApiError("OVERLOADED", _WHY, retry_after_s=RETRY_S[worth])).SerializeToString()
    header = {"key": "grpc-status-details-bin", "value": base64.b64encode(details).decode().rstrip("=")}
    limit = {
        "@type": _TYPE,
        "stat_prefix": f"door_{worth.name.lower()}",
        "token_bucket": {"max_tokens": 1, "tokens_per_fill": 1, "fill_interval": "3600s"},
        "filter_enabled": {
            "runtime_key": runtime_key(worth),
            "default_value": {"numerator": 0, "denominator": "MILLION"},
        },
        "filter_enforced": {"default_value": {"numerator": 100, "denominator": "HUNDRED"}},
        "rate_limited_as_resource_exhausted": True,
        "response_headers_to_add": [{"header": header, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }
    return {FILTER: limit}


class Door:
    """Tells Envoy the shares that `shedding` decides on.

    Args:
        admin: of the Envoy around us.
        shedding: decides; refuses nothing itself any more because work waits too long.
        pulse: knows how long work waits.
    """

    def __init__(self, admin: EnvoyAdmin, shedding: Shedding, pulse: Pulse) -> None:
        self._admin = admin
        self._shedding = shedding
        self._pulse = pulse
        self._refused = [0.0 for _ in Worth]
        self._closed = threading.Event()

    def open(self) -> None:
        """Keep the door from now on, in a thread of its own."""
        threading.Thread(target=self._run, name="door", daemon=True).start()

    def close(self) -> None:
        """Leave it as it is."""
        self._closed.set()

    def _run(self) -> None:
        self._shedding.at_the_door = True
        try:
            asyncio.run(self._keep())
        except Exception:
            log.exception("nobody keeps the door any more: calls are refused in Python again")
            self._shedding.at_the_door = False

    async def _keep(self) -> None:
        while not self._closed.is_set():
            now_s = time.monotonic()
            self._shedding.observe(self._pulse.waits_s(now_s), now_s)
            await self._tell([1 - valve.share for valve in self._shedding.valves])
            await asyncio.sleep(LOOK_S)

    async def _tell(self, refused: Sequence[float]) -> None:
        if any(map(_differ, refused, self._refused)):
            values = {runtime_key(worth): int(share * MILLION) for worth, share in zip(Worth, refused, strict=True)}
            if await self._admin.set_runtime(values):  # else it is told again
                self._refused = list(refused)


def _differ(refused: float, told: float) -> bool:
    """Whether a share is worth telling: none, or one that lets clearly more or less pass than the one told last."""
    return abs(refused - told) > LEAST_CHANGE * min(1 - refused, 1 - told) or (refused == 0) != (told == 0)
