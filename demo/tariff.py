"""What a parcel costs and how long it takes, by the lanes of the network file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, date, datetime
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np

from allocator.core import sourcing
from allocator.core.limits import NS_PER_S
from allocator.core.sourcing import CAPACITY_UNLIMITED, NetworkTable, SourcingOrder, StockPicture
from allocator.network_file import NetworkFile
from demo.acks import Parcel
from demo.asks import unit_weight_g
from demo.places import Place

PLENTY = 10**9
"""Units that every location has here: whether it has them is somebody else's question."""


class Tariff:
    """Prices parcels as of one moment.

    Args:
        network: with the lanes.
        now_s: when the orders come in, seconds since 1970 UTC.
        zone: whose days are counted.
    """

    def __init__(self, network: NetworkFile, now_s: float, zone: ZoneInfo) -> None:
        self._table = NetworkTable(network.locations, network.groups, network.lanes, ZoneInfo)
        self._now_ns = int(now_s * NS_PER_S)
        self._today = (datetime.fromtimestamp(now_s, UTC).astimezone(zone).date() - date(1970, 1, 1)).days
        self.nearest = cache(self._nearest)

    def parcel(self, location: str, lines: Mapping[str, int], place: Place, service_level: str) -> Parcel | None:
        """What a parcel of these units from there costs, and when it arrives; None: no lane goes there."""
        found = self._send(location, lines, place, service_level)
        if found is None:
            return None
        return Parcel(location, found.units, found.cost_micros, found.delivery_day - self._today)

    def _nearest(self, place: Place, service_level: str) -> tuple[str, ...]:
        """Locations from which a lane goes to a place, the nearest first."""
        parcels = [self._send(location, {"any": 1}, place, service_level) for location in self._table.locations]
        found = [(parcel.distance_km, parcel.location) for parcel in parcels if parcel is not None]
        assert not any(math.isnan(distance_km) for distance_km, _ in found), "every location of the demo has a position"
        return tuple(location for _, location in sorted(found))

    def _send(
        self, location: str, lines: Mapping[str, int], place: Place, service_level: str
    ) -> sourcing.Parcel | None:
        """The one parcel of the one plan that there is when only one location may serve."""
        order = SourcingOrder(
            tuple((sku, units, unit_weight_g(sku)) for sku, units in lines.items()),
            self._now_ns,
            service_level,
            only=(location,),
            destination=(place.latitude, place.longitude),
            country=place.country,
        )
        plans = sourcing.source(self._table, order, self._plenty(len(lines)), plans_max=1).plans
        return plans[0].parcels[0] if plans else None

    def _plenty(self, lines: int) -> StockPicture:
        locations = len(self._table.locations)
        unlimited = np.full(locations, CAPACITY_UNLIMITED, dtype=np.int64)
        return StockPicture(
            np.full((lines, locations), PLENTY, dtype=np.int64),
            unlimited,
            unlimited,
            np.zeros(locations, dtype=np.bool_),
            np.zeros(locations),
        )
