"""`Planner`: sourcing over this gateway's copy of the network and of the stock. Holds nothing, waits for nobody."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from allocator.core import sourcing
from allocator.core.limits import PROMISE_HORIZON_DEFAULT_NS
from allocator.core.sourcing import DEFAULT, NetworkTable, StockPicture
from allocator.gateway.errors import (
    group_unknown,
    location_unknown,
    profile_unknown,
    service_level_unknown,
    sku_unknown,
    too_many,
)
from allocator.gateway.limits import SOURCING_CELLS_MAX
from allocator.gateway.names import PROFILES
from allocator.gateway.promises import check_ahead
from allocator.gateway.translate_order import to_order, weighed
from allocator.gateway.translate_sourcing import PLANS_DEFAULT

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from google.protobuf.timestamp_pb2 import Timestamp
    from numpy.typing import NDArray

    from allocator.core.network.types import Profile
    from allocator.core.sourcing import Explanation, Sourcing, SourcingOrder
    from allocator.gateway.faults import Faults
    from allocator.runtime.router import Router
    from allocator.v1 import sourcing_pb2 as pb

    Refused = Sequence[tuple[str, str, int]]
    """(SKU, location, units): what a location said it really has."""


class _Compiled(NamedTuple):
    """The network as of a version; `columns` are those of the read model, in the order of the table."""

    version: int
    table: NetworkTable
    columns: NDArray[np.int64]


class Planner:
    """Finds the best places for orders; one for each gateway process.

    Args:
        router: whose network and read model are looked at.
        horizon_ns: how far ahead units are promised.
    """

    def __init__(self, router: Router, horizon_ns: int = PROMISE_HORIZON_DEFAULT_NS) -> None:
        self._network = router.network
        self._model = router.model
        self._horizon_ns = horizon_ns
        self._compiled: _Compiled | None = None

    def to_order(self, message: pb.SourcingOrder, faults: Faults, now_ns: int, prefix: str = "order") -> SourcingOrder:
        """The order that `message` means; every name in it exists.

        Args:
            message: of the contract.
            faults: what is wrong with the rest of the request; told together with what is wrong with the order.
            now_ns: when the order came in, ns since 1970 UTC.
            prefix: where the order stands in the request.

        Raises:
            ApiError: INVALID with all `faults`, BATCH_TOO_LARGE, SKU_UNKNOWN, LOCATION_UNKNOWN,
                LOCATION_GROUP_UNKNOWN, SERVICE_LEVEL_UNKNOWN or SOURCING_PROFILE_UNKNOWN.
        """
        order = to_order(message, faults, now_ns, self._horizon_ns, prefix)
        name = message.sourcing_profile
        profile = faults.name(f"{prefix}.sourcing_profile", name, PROFILES) if name else ""
        weighed(DEFAULT, message, faults, prefix)
        faults.check()
        cells = len(order.lines) * len(self._network.locations)
        if cells > SOURCING_CELLS_MAX:
            raise too_many(f"{prefix}.lines", cells, SOURCING_CELLS_MAX, "lines times locations")
        self._check_names(order)
        return order._replace(profile=weighed(self._profile(profile), message, faults, prefix))

    def check_promise(self, stamp: Timestamp) -> None:
        """Check that the promise date of a reserve is not beyond the horizon.

        Raises:
            ApiError: INVALID.
        """
        check_ahead(stamp, time.time_ns(), self._horizon_ns)

    def source(
        self, order: SourcingOrder, refused: Refused = (), full: Collection[str] = (), plans_max: int = 1
    ) -> Sourcing:
        """The best plans for an order, as far as this gateway knows.

        Args:
            order: of `to_order`.
            refused: what locations said they really have; no more is taken to be there.
            full: locations that said that they are closed or cannot pick; left out as if their capacity were used up.
            plans_max: plans wanted, 1 to `PLANS_MAX`.
        """
        table = self._now().table
        return sourcing.source(table, order, self.picture(order, refused, full), plans_max)

    def explain(self, order: SourcingOrder) -> Explanation:
        """What `source` finds, and a verdict on every location, in the order of priority and name.

        Args:
            order: of `to_order`.
        """
        return sourcing.explain(self._now().table, order, self.picture(order), PLANS_DEFAULT)

    def picture(self, order: SourcingOrder, refused: Refused = (), full: Collection[str] = ()) -> StockPicture:
        """What is known of the stock for `order`; arguments as for `source`."""
        model, compiled = self._model, self._now()
        columns = compiled.columns
        rows = np.array([model.rows[sku] for sku, _, _ in order.lines], dtype=np.int64)
        if order.promise_by_ns:
            dates = order.promise_by_ns, order.now_ns, order.now_ns + self._horizon_ns
            available = model.promised(rows, columns, order.channel, *dates)
        else:
            available = model.available(rows, columns, order.channel)
        left, limit, by_order = model.capacity(columns, order.now_ns)
        if refused or full:
            _correct(compiled.table, order, available, refused)
            left[compiled.table.mask_of(full)] = 0
        return StockPicture(available, left, limit, by_order, model.ages_s(columns))

    def _now(self) -> _Compiled:
        """The network as it is, compiled at most once for each version."""
        network, compiled = self._network, self._compiled
        if compiled is None or compiled.version != network.version:
            places = sorted(network.locations.values(), key=lambda place: (place.priority, place.location))
            table = NetworkTable(places, network.groups.values(), network.lanes.values(), ZoneInfo)
            compiled = _Compiled(network.version, table, self._model.columns(table.locations))
            self._compiled = compiled
        return compiled

    def _check_names(self, order: SourcingOrder) -> None:
        network, known = self._network, self._model.rows
        for sku, _, _ in order.lines:
            if sku not in known:
                raise sku_unknown(sku)
        if order.service_level and order.service_level not in self._now().table.service_levels:
            raise service_level_unknown(order.service_level)
        if order.group and order.group not in network.groups:
            raise group_unknown(order.group)
        for location in (*order.only, *order.excluded, *filter(None, [order.pickup_location])):
            if location not in network.locations:
                raise location_unknown(location)

    def _profile(self, name: str) -> Profile:
        """The named profile; without a name the network's own default, or the built-in one."""
        profiles = self._network.profiles
        if not name:
            return profiles.get(DEFAULT.profile, DEFAULT)
        if name not in profiles:
            raise profile_unknown(name)
        return profiles[name]


def _correct(table: NetworkTable, order: SourcingOrder, available: NDArray[np.int64], refused: Refused) -> None:
    """Take no more to be there than the locations said."""
    lines = {sku: row for row, (sku, _, _) in enumerate(order.lines)}
    for sku, location, units in refused:
        row, column = lines.get(sku), table.index.get(location)
        if row is not None and column is not None:
            available[row, column] = min(available[row, column], units)
