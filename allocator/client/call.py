"""What to send and how to read the answer, apart from sending it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from google.protobuf.message import Message

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Call(Generic[R_co]):
    """One call with one answer.

    Attributes:
        stub: generated class of the service.
        method: name of the method.
        request: what to send; a write's `request_id` may still be empty.
        parse: makes the result of the answer.
        writes: whether it changes anything.
    """

    stub: Callable[..., Any]
    method: str
    request: Message
    parse: Callable[[Any], R_co]
    writes: bool = False

    @property
    def request_id(self) -> str:
        """Of a write; "" when it has none, or one for each of its parts."""
        return getattr(_part(self.request), "request_id", "")


@dataclass(frozen=True, slots=True)
class Page(Generic[R_co]):
    """A page of a list; `next_token` is "" at the end."""

    items: tuple[R_co, ...]
    next_token: str


@dataclass(frozen=True, slots=True)
class Pages(Generic[R]):
    """A list in pages: `call` makes the call for the page that a token leads to."""

    call: Callable[[str], Call[Page[R]]]


def fill_request_ids(request: Message, make_id: Callable[[], str]) -> None:
    """Give a write, and each part of a batch, the request id it lacks."""
    request = _part(request)
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        if not request.request_id:  # type: ignore[attr-defined]  # the descriptor has just said so
            request.request_id = make_id()  # type: ignore[attr-defined]  # as above
        return
    for part in getattr(request, "reserves", ()):
        fill_request_ids(part, make_id)


def _part(request: Message) -> Any:  # noqa: ANN401  # a message, of which only the fields matter
    """What a request of a stream wraps; any other is returned as it is."""
    return getattr(request, "reserve", request)
