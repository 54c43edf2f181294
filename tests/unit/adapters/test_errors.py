from __future__ import annotations

import pickle

import pytest

from adapters import errors
from allocator.core.errors import AllocatorError

EXAMPLES = [
    errors.AdapterError("what"),
    errors.AdapterSettingsError("what"),
    errors.CoreUnavailableError("draining", 1.5),
    errors.BatchInvalidError("what"),
    errors.SourceUnavailableError("what"),
    errors.TargetUnavailableError("429", 2.5),
    errors.LocationUnreadableError("what"),
    errors.CursorAheadError("leeds-2", 9, 1),
    errors.CursorBehindError("leeds-2", 2, 5),
]


def test_every_error_has_an_example() -> None:
    """So that none escapes the checks below."""
    classes = {cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, AllocatorError)}
    assert {type(example) for example in EXAMPLES} | {AllocatorError} == classes


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error: AllocatorError) -> None:
    """With its message and its attributes."""
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)
