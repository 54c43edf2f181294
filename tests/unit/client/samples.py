"""What several tests send."""

from __future__ import annotations

from allocator.client import Movement, MovementType


def movement(number: int, location: str = "leeds", **changes: object) -> Movement:
    """A receipt of one apple."""
    fields = {"source": "test", "movement_id": f"m{number}", "location": location, "sku": "APPLE"}
    return Movement(**{**fields, "type": MovementType.RECEIPT, "quantity": 1, **changes})  # type: ignore[arg-type]  # by name
