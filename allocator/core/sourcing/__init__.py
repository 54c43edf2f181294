"""Sourcing: which locations serve an order. Pure functions over numpy columns."""

from allocator.core.sourcing.checks import check_order, check_profile
from allocator.core.sourcing.explain import explain
from allocator.core.sourcing.planning import source
from allocator.core.sourcing.profiles import DEFAULT
from allocator.core.sourcing.table import NetworkTable
from allocator.core.sourcing.types import (
    CAPACITY_UNLIMITED,
    Assignment,
    Explanation,
    Fault,
    Filter,
    Outcome,
    Parcel,
    Plan,
    Problem,
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
    "Fault",
    "Filter",
    "NetworkTable",
    "Outcome",
    "Parcel",
    "Plan",
    "Problem",
    "Sourcing",
    "SourcingOrder",
    "StockPicture",
    "Term",
    "TermValue",
    "Verdict",
    "check_order",
    "check_profile",
    "explain",
    "source",
]
