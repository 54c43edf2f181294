"""The Python client of Allocator, for threads (`Client`) and for asyncio (`AsyncClient`).

from allocator.client import Client

with Client("127.0.0.1:50051") as client:
held = client.reserve({"SKU-1": 2}, at="london-1", order="A-1001")
if held.ok:
client.commit(held.reservation.name)
"""

from __future__ import annotations

from allocator.client.aio import AsyncClient
from allocator.client.enums import (
    CapacityMeasure,
    FulfilmentMode,
    LineStatus,
    LocationKind,
    LocationState,
    MovementRejection,
    MovementStatus,
    MovementType,
    ReservationState,
    ReservePolicy,
    ReserveStatus,
    ServingStatus,
    SetCountStatus,
    TransitionStatus,
)
from allocator.client.errors import (
    AlreadyExists,
    Cancelled,
    DataLoss,
    DeadlineExceeded,
    ErrorDetails,
    FailedPrecondition,
    FieldViolation,
    InvalidRequest,
    MessageTooLarge,
    NotFound,
    Overloaded,
    PermissionDenied,
    RequestError,
    RequestIdReused,
    ServerError,
    Unauthenticated,
    Unavailable,
)
from allocator.client.retry import RetryPolicy
from allocator.client.sync import Client
from allocator.client.types.availability import (
    AvailabilityChange,
    AvailabilityMatrix,
    CheckedLine,
    CheckResult,
    WatchUpdate,
)
from allocator.client.types.inventory import (
    ChannelQuota,
    CountLine,
    CountResult,
    DispositionMove,
    Movement,
    MovementResult,
    RecordResult,
    Shortage,
    Stock,
    StockPolicy,
    Written,
)
from allocator.client.types.lanes import Lane, SourcingProfile, TransitBand
from allocator.client.types.network import (
    Capacity,
    Location,
    LocationGroup,
    OpeningException,
    OpeningHours,
    Position,
)
from allocator.client.types.reservations import (
    LineQuantity,
    Reservation,
    ReservationLine,
    Reserve,
    ReserveLine,
    ReserveResult,
    TransitionResult,
)
from allocator.core.errors import AllocatorError

__all__ = [
    "AllocatorError",
    "AlreadyExists",
    "AsyncClient",
    "AvailabilityChange",
    "AvailabilityMatrix",
    "Cancelled",
    "Capacity",
    "CapacityMeasure",
    "ChannelQuota",
    "CheckResult",
    "CheckedLine",
    "Client",
    "CountLine",
    "CountResult",
    "DataLoss",
    "DeadlineExceeded",
    "DispositionMove",
    "ErrorDetails",
    "FailedPrecondition",
    "FieldViolation",
    "FulfilmentMode",
    "InvalidRequest",
    "Lane",
    "LineQuantity",
    "LineStatus",
    "Location",
    "LocationGroup",
    "LocationKind",
    "LocationState",
    "MessageTooLarge",
    "Movement",
    "MovementRejection",
    "MovementResult",
    "MovementStatus",
    "MovementType",
    "NotFound",
    "OpeningException",
    "OpeningHours",
    "Overloaded",
    "PermissionDenied",
    "Position",
    "RecordResult",
    "RequestError",
    "RequestIdReused",
    "Reservation",
    "ReservationLine",
    "ReservationState",
    "Reserve",
    "ReserveLine",
    "ReservePolicy",
    "ReserveResult",
    "ReserveStatus",
    "RetryPolicy",
    "ServerError",
    "ServingStatus",
    "SetCountStatus",
    "Shortage",
    "SourcingProfile",
    "Stock",
    "StockPolicy",
    "TransitBand",
    "TransitionResult",
    "TransitionStatus",
    "Unauthenticated",
    "Unavailable",
    "WatchUpdate",
    "Written",
]
