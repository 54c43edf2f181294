"""Channel quotas of one location: units ring-fenced for one sales channel, sparse by SKU."""

from __future__ import annotations


class QuotaBook:
    """SKU index -> channel -> [units still ring-fenced, units its reservations hold].

    A sold unit leaves its ring-fence, so `quota - reserved` is what the channel has not used yet.
    """

    __slots__ = ("by_sku",)

    def __init__(self) -> None:
        self.by_sku: dict[int, dict[str, list[int]]] = {}

    def unused_by_others(self, i: int, channel: str) -> int:
        """Units of SKU `i` that only other channels may take."""
        entry = self.by_sku.get(i)
        if entry is None:
            return 0
        return sum(max(0, q[0] - q[1]) for name, q in entry.items() if name != channel)

    def unused(self, i: int) -> dict[str, int]:
        """Unused units of SKU `i` by channel."""
        return {name: max(0, q[0] - q[1]) for name, q in self.by_sku.get(i, {}).items()}

    def reserve(self, i: int, channel: str, quantity: int) -> None:
        """Count `quantity` units (negative: given back) as reserved by `channel`."""
        entry = self.by_sku.get(i)
        if entry is not None and channel in entry:
            entry[channel][1] += quantity

    def sell(self, i: int, channel: str, quantity: int) -> None:
        """Take `quantity` reserved units out of the channel's reserve and of its ring-fence."""
        entry = self.by_sku.get(i)
        if entry is not None and channel in entry:
            quota = entry[channel]
            quota[0] -= min(quota[0], quantity)
            quota[1] -= quantity

    def replace(self, i: int, quotas: dict[str, tuple[int, int]]) -> None:
        """Replace all quotas of SKU `i` by channel -> (quota, reserved)."""
        if quotas or i in self.by_sku:  # an emptied entry stays, so that readers are told it is empty
            self.by_sku[i] = {channel: list(pair) for channel, pair in quotas.items()}
