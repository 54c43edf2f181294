"""Reads that wait until this gateway's copy of the stock has the versions asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allocator.gateway.errors import ApiError
from allocator.gateway.limits import REACH_MAX_S
from allocator.gateway.names import location_name
from allocator.gateway.scope import versions_wanted
from allocator.runtime.errors import VersionNotReachedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allocator.gateway.call import Call
    from allocator.runtime.router import Router
    from allocator.v1.common_pb2 import LocationVersion

REACH_MARGIN_S: Final = 0.02
"""How long before the caller's deadline waiting for versions ends, so that the answer still arrives."""


async def reach(router: Router, versions: Sequence[LocationVersion], call: Call) -> None:
    """Wait until the read model has the `min_versions` of a request.

    Raises:
        ApiError: INVALID, BATCH_TOO_LARGE, LOCATION_UNKNOWN or VERSION_NOT_REACHED.
    """
    wanted = versions_wanted("min_versions", versions, router.network)
    left_s = call.time_left_s()
    wait_s = REACH_MAX_S if left_s is None else min(REACH_MAX_S, max(0.0, left_s - REACH_MARGIN_S))
    try:
        await router.reach(wanted, wait_s)
    except VersionNotReachedError as error:
        location = next(name for name, version in wanted.items() if (router.model.version(name) or 0) < version)
        metadata = {"location": location_name(location), "version": str(wanted[location])}
        raise ApiError("VERSION_NOT_REACHED", str(error), metadata) from None
