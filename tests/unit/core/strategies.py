"""Parts of random commands: few SKUs and channels and small quantities, so that they meet."""

from __future__ import annotations

from typing import Final

from hypothesis import strategies as st

from allocator.core.commands import Capacity, Measure, PolicyLine
from tests.unit.core.helpers import HOUR, NOW, S

SKUS: Final = ("apple", "fig", "pear", "plum")
CHANNELS: Final = ("", "shop", "web")
DISPOSITIONS: Final = ("damaged", "returned")

skus = st.sampled_from((*SKUS[:3], *SKUS[:3], *SKUS))  # the last one is seldom stocked
channels = st.sampled_from(CHANNELS)
quantities = st.integers(1, 6)
numbers = st.integers(0, 40)
ttls = st.sampled_from((S, 30 * S, HOUR, HOUR))
agos = st.sampled_from((None, 0, 0, 1, 5, 60, 7200, -60))
"""Seconds ago; None leaves the time out, and -60 is a clock ahead of ours."""

some_lines = st.dictionaries(skus, quantities, min_size=1, max_size=3).map(lambda lines: tuple(lines.items()))
counted_lines = st.dictionaries(skus, st.integers(0, 8), min_size=1, max_size=2).map(lambda lines: tuple(lines.items()))
parts = st.lists(st.integers(0, 3), max_size=2)

_somewhere = st.sampled_from(("", *DISPOSITIONS))
policy_lines = st.builds(
    PolicyLine,
    sku=skus,
    safety_stock=st.none() | st.integers(0, 3),
    quotas=st.none()
    | st.dictionaries(st.sampled_from(CHANNELS[1:]), st.integers(0, 5)).map(lambda q: tuple(q.items())),
    moves=st.lists(
        st.tuples(_somewhere, _somewhere, st.integers(1, 4)).filter(lambda move: move[0] != move[1]), max_size=2
    ).map(tuple),
)
capacities = st.builds(
    lambda measure, window_ns, limit, override: Capacity(
        measure, window_ns, limit, () if override is None else ((NOW - NOW % window_ns, override),)
    ),
    st.sampled_from(Measure),
    st.sampled_from((60 * S, HOUR)),
    st.integers(0, 20),
    st.none() | st.integers(0, 20),
)
