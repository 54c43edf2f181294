"""Calls of AvailabilityService."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from allocator.client import wire
from allocator.client.call import Call
from allocator.client.errors import RequestError
from allocator.client.failures import from_status
from allocator.client.types.availability import (
    AvailabilityChange,
    AvailabilityMatrix,
    Check,
    CheckedLine,
    CheckResult,
    WatchUpdate,
)
from allocator.client.types.lines import Lines
from allocator.v1 import availability_pb2 as pb
from allocator.v1.availability_pb2_grpc import AvailabilityServiceStub


def check(
    lines: Lines,
    *,
    channel: str = "",
    locations: Iterable[str] = (),
    group: str = "",
    promise_by: datetime | None = None,
    min_versions: Mapping[str, int] | None = None,
) -> Call[CheckResult]:
    """Check a cart. Holds nothing: what is sufficient now may be gone at reserve.

    Args:
        lines: quantities by SKU, or pairs of them.
        channel: sales channel, whose own quotas then count.
        locations: where to look; none of them and no group: everywhere.
        group: where to look: a location group.
        promise_by: tell what can be promised by this date, of stock and of what is expected until then; None: from
            stock. At most the service's horizon ahead (30 days by default).
        min_versions: read at least this state, by location: the `versions` of a write reads that write.

    Raises:
        NotFound: a SKU, location or group is unknown.
    """
    request = _check_request(Check(lines, channel, tuple(locations), group, promise_by, min_versions))
    return Call(AvailabilityServiceStub, "CheckAvailability", request, _check_result)


def query(check: Check) -> Call[CheckResult | RequestError]:
    """One check of a stream; limits as in `check`."""
    request = pb.QueryAvailabilityRequest(check=_check_request(check))
    return Call(AvailabilityServiceStub, "QueryAvailability", request, _query_result)


def availability(
    skus: Sequence[str],
    *,
    channel: str = "",
    locations: Iterable[str] = (),
    group: str = "",
    min_versions: Mapping[str, int] | None = None,
) -> Call[AvailabilityMatrix]:
    """Read a matrix of up to 1,000 SKUs by locations, for listing pages and exports.

    Args:
        skus: the rows; unknown ones are zeros.
        channel: sales channel, whose own quotas then count.
        locations: the columns; none of them and no group: all locations.
        group: the columns: a location group.
        min_versions: read at least this state, by location.

    Raises:
        NotFound: a location or group is unknown.
    """
    request = pb.BatchGetAvailabilityRequest(
        skus=skus,
        channel=channel,
        locations=map(wire.location_name, locations),
        location_group=wire.group_name(group),
        min_versions=wire.version_list(min_versions),
    )
    return Call(AvailabilityServiceStub, "BatchGetAvailability", request, _matrix)


def watch(
    skus: Sequence[str],
    *,
    channel: str = "",
    locations: Iterable[str] = (),
    group: str = "",
    threshold: int | None = None,
    resume_versions: Mapping[str, int] | None = None,
) -> Call[WatchUpdate]:
    """Stream what is available of up to 1,000 SKUs: first a full picture, then changes once they are durable.

    The stream goes on until it is closed. When the connection breaks, it is opened again where it was.

    Args:
        skus: which.
        channel: sales channel, whose own quotas then count.
        locations: where to look; none of them and no group: everywhere.
        group: where to look: a location group.
        threshold: tell a change only when available crosses this many units; None: every change.
        resume_versions: go on after this state, by location: the last `versions` of an earlier watch.

    Raises:
        NotFound: a location or group is unknown.
        Unavailable: the service stayed away for as many attempts as a call may take.
    """
    request = pb.WatchAvailabilityRequest(
        skus=skus,
        channel=channel,
        locations=map(wire.location_name, locations),
        location_group=wire.group_name(group),
        threshold=threshold,
        resume_versions=wire.version_list(resume_versions),
    )
    return Call(AvailabilityServiceStub, "WatchAvailability", request, _update)


def _check_request(check: Check) -> pb.CheckAvailabilityRequest:
    return pb.CheckAvailabilityRequest(
        lines=[pb.AvailabilityLine(sku=sku, quantity=quantity) for sku, quantity in wire.pairs(check.lines)],
        channel=check.channel,
        locations=map(wire.location_name, check.locations),
        location_group=wire.group_name(check.group),
        min_versions=wire.version_list(check.min_versions),
        promise_by=wire.timestamp("promise_by", check.promise_by),
    )


def _query_result(message: pb.QueryAvailabilityResponse) -> CheckResult | RequestError:
    return from_status(message.error) if message.HasField("error") else _check_result(message.check)


def _check_result(message: pb.CheckAvailabilityResponse) -> CheckResult:
    return CheckResult(
        ok=message.sufficient,
        lines=tuple(map(_line, message.lines)),
        versions=wire.versions_of(message.versions),
        ages_s=wire.ages_of(message.ages),
    )


def _line(message: pb.CheckedLine) -> CheckedLine:
    return CheckedLine(
        sku=message.sku,
        requested=message.requested,
        sufficient=message.sufficient,
        total=message.total,
        quantities={wire.plain_id(part.location): part.available for part in message.quantities},
    )


def _matrix(message: pb.BatchGetAvailabilityResponse) -> AvailabilityMatrix:
    import numpy as np  # noqa: PLC0415  # only this needs it, and every start of the command line would pay

    shape = (len(message.skus), len(message.locations))
    return AvailabilityMatrix(
        skus=tuple(message.skus),
        locations=tuple(map(wire.plain_id, message.locations)),
        cells=np.frombuffer(message.cells, "<i8").astype(np.int64, copy=False).reshape(shape),
        unknown_skus=tuple(message.unknown_skus),
        versions=wire.versions_of(message.versions),
        ages_s=wire.ages_of(message.ages),
    )


def _update(message: pb.WatchAvailabilityResponse) -> WatchUpdate:
    return WatchUpdate(
        changes=tuple(
            AvailabilityChange(change.sku, wire.plain_id(change.location), change.available)
            for change in message.changes
        ),
        versions=wire.versions_of(message.versions),
        snapshot=message.snapshot,
    )
