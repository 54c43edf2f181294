from __future__ import annotations

import pytest

from demo.acks import Ack, Finished, Grant, Parcel, Played, Return, Turn, read_ack, write_ack


@pytest.mark.parametrize(
    "ack",
    [
        Grant(order="1", latency_ms=1.5),
        Grant(
            order="1",
            reservation="R",
            channel="marketplace",
            lines=(("A", "leeds", 2),),
            parcels=(Parcel("leeds", 2, 4_500_000, 1),),
            expires_s=9.5,
            latency_ms=1.5,
        ),
        Turn(turn="fulfil", reservation="R", lines=(("A", "leeds", 2),)),
        Return(location="leeds", lines=(("A", 2),)),
        Played(order="1", lines=3, whole=2, allocates=1),
        Finished(retries=4),
    ],
    ids=lambda ack: type(ack).__name__,
)
def test_an_acknowledgement_is_read_as_it_was_written(ack: Ack) -> None:
    """One line each, whole."""
    line = write_ack(ack)
    assert line.count(b"\n") == 1
    assert read_ack(line) == ack
