"""What calls came to, counted per method and logged now and then instead of a line for each."""

from __future__ import annotations

from typing import Any, Final

import structlog

ERROR_LINES_MAX: Final = 20
"""Errors logged one by one between two reports; the rest of a flood is only counted."""

log = structlog.get_logger("allocator.gateway")


class Tally:
    """Counts of the calls since the last report."""

    def __init__(self) -> None:
        self._calls: dict[str, list[float]] = {}
        self._errors: dict[str, int] = {}
        self._refused: dict[tuple[str, str], int] = {}
        self._error_lines = 0

    def note(self, method: str, took_s: float) -> None:
        """Count a call that is over."""
        counts = self._calls.get(method)
        if counts is None:
            counts = self._calls[method] = [0, 0.0, 0.0]
        counts[0] += 1
        counts[1] += took_s
        if took_s > counts[2]:  # noqa: PLR1730  # a call of max() costs three times as much, for each call
            counts[2] = took_s

    def note_error(self, reason: str) -> bool:
        """Count an error; tells whether it may have a line of its own."""
        self._errors[reason] = self._errors.get(reason, 0) + 1
        self._error_lines += 1
        return self._error_lines <= ERROR_LINES_MAX

    def note_refusal(self, worth: str, reason: str) -> None:
        """Count a call that was refused before it was looked at; there may be very many."""
        key = worth, reason
        self._refused[key] = self._refused.get(key, 0) + 1

    def report(self, **more: Any) -> None:  # noqa: ANN401  # fields of a log line
        """Log what was counted, if anything was, and begin anew."""
        if self._calls or self._errors or self._refused:
            methods = {
                method: {"calls": int(count), "mean_ms": _ms(total_s / count), "most_ms": _ms(most_s)}
                for method, (count, total_s, most_s) in self._calls.items()
            }
            refused = {f"{worth} {reason}": count for (worth, reason), count in sorted(self._refused.items())}
            log.info("calls", methods=methods, errors=self._errors, refused=refused, **more)
        self._calls, self._errors, self._refused, self._error_lines = {}, {}, {}, 0


def _ms(length_s: float) -> float:
    return round(1e3 * length_s, 2)
