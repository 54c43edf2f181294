"""Sourcing: which locations serve an order. Pure functions over numpy columns."""

from allocator.core.sourcing.explain import explain
from allocator.core.sourcing.planning import source
from allocator.core.sourcing.profiles import DEFAULT
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import (
    CAPACITY_UNLIMITED,
    Assignment,
    Explanation,
    Filter,
    Outcome,
    Parcel,
    Plan,
    Sourcing,
    SourcingOrder,
    StockPicture,
    Term,
    TermValue,
    Verdict,
)

__all__ = [
    "CAPACITY_UNLIMITED",
    "DEFAULT",
    "Assignment",
    "Explanation",
    "Filter",
    "NetworkTable",
    "Outcome",
    "Parcel",
    "Plan",
    "Sourcing",
    "SourcingOrder",
    "StockPicture",
    "Term",
    "TermValue",
    "Verdict",
    "explain",
    "source",
]
