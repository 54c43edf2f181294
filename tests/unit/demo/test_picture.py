from __future__ import annotations

from itertools import combinations
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from demo.labels import Label, place_labels
from demo.picture import draw
from tests.unit.demo.theatre import Theatre


def test_labels_that_have_room_do_not_touch() -> None:
    """Twelve places in a small circle: each label goes where no other one and no mark is."""
    axes = Figure(figsize=(6, 6)).add_subplot()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    labels = [Label(f"place {n}", 4 + n % 3, 4 + n // 3 / 2, 3.0, "black") for n in range(12)]
    boxes = place_labels(axes, labels)
    marks = [axes.transData.transform((label.x, label.y)) for label in labels]
    assert not [pair for pair in combinations(boxes, 2) if Bbox.intersection(*pair) is not None]
    assert not [mark for mark in marks for box in boxes if box.contains(*mark)]


def test_a_label_at_the_edge_stays_inside() -> None:
    """It goes to the other side."""
    axes = Figure(figsize=(4, 4)).add_subplot()
    axes.set(xlim=(0, 10), ylim=(0, 10))
    (box,) = place_labels(axes, [Label("far out in the east", 9.9, 5, 3.0, "black")])
    assert box.x1 <= axes.get_window_extent().x1


def test_there_is_room_where_everything_is_taken() -> None:
    """A label that must cover something is still written, once."""
    axes = Figure(figsize=(1, 1)).add_subplot()
    assert len(place_labels(axes, [Label("much too long for this", 0.5, 0.5, 40.0, "black")] * 3)) == 3
    assert len(axes.texts) == 3


def test_the_same_play_draws_the_same_picture(played: Theatre, tmp_path: Path) -> None:
    """Both files, byte for byte."""
    parcels = played.score.parcels
    (tmp_path / "again").mkdir()
    first, second = (draw(folder, played.scene, parcels, parcels) for folder in (tmp_path, tmp_path / "again"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert [path.suffix for path in first] == [".png", ".svg"]
