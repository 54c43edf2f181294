"""One call under way, and the names by which it can be found afterwards."""

from __future__ import annotations

import re
import secrets
import time
from copy import copy
from itertools import count
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from allocator.core.ids import is_request_id
from allocator.gateway.limits import CORRELATION_ID_LENGTH_MAX
from allocator.runtime.batcher import CONTEXT_OF, Context
from allocator.runtime.worth import Worth

if TYPE_CHECKING:
    import grpc

    ServicerContext = grpc.aio.ServicerContext[Any, Any]

CORRELATION_KEY: Final = "x-correlation-id"
TRACE_KEY: Final = "traceparent"

_CORRELATION_ID: Final = re.compile(rf"[!-~]{{1,{CORRELATION_ID_LENGTH_MAX}}}")
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

_PREFIX: Final = secrets.token_hex(8)
"""Begins the correlation ids that this process makes; a counter follows, which is ten times cheaper than chance."""
_SUFFIXES: Final = map("{:016x}".format, count(secrets.randbits(32)))


class Call:
    """One call under way.

    Attributes:
        method: name of the rpc.
        request_id: of a write; "" until it is known.
        work: what a front began of it at a glance; None for most.
        started_s: monotonic time, seconds.
    """

    __slots__ = (
        "_context",
        "_correlation_id",
        "_given",
        "_traceparent",
        "_worth",
        "method",
        "request_id",
        "started_s",
        "work",
    )

    def __init__(self, method: str, context: ServicerContext, worth: Worth = Worth.SETTLE) -> None:
        begun = getattr(context, "begun", None)
        self.method = method
        self.started_s = time.monotonic() if begun is None else begun.began_s
        self.work = None if begun is None else begun.work
        self.request_id = ""
        self._given = ""
        self._context: ServicerContext | None = context
        self._worth = worth
        self._correlation_id, self._traceparent = _named_by_caller(context)

    @property
    def correlation_id(self) -> str:
        """Names the call in logs, journal and postings.

        The caller's, else the request id of a write, else one that is made here when it is needed first.
        """
        if not self._correlation_id:
            own = self.request_id if is_request_id(self.request_id) else ""
            self._correlation_id = own or _PREFIX + next(_SUFFIXES)
        return self._correlation_id

    @property
    def known_to_caller(self) -> bool:
        """Whether there is nothing to be found by a correlation id that the caller does not know already."""
        return not self._correlation_id or self._correlation_id == self._given

    @property
    def trail(self) -> Context:
        """What follows its commands to the ledgers."""
        return CONTEXT_OF[self._worth](self.correlation_id, self._traceparent)

    def named(self, request_id: str) -> str:
        """The caller's request id, or a fresh one; errors of this call tell it."""
        if not self._correlation_id:
            self._given = request_id
        self.request_id = request_id or uuid4().hex
        return self.request_id

    def part(self) -> Call:
        """One of several writes in this call: it has a request id of its own."""
        part = self._copy()
        part.request_id, part.work = "", None
        return part

    def detached(self) -> Call:
        """The call as work that goes on after its answer sees it: there is no deadline any more."""
        detached = self._copy()
        detached._context = None  # noqa: SLF001  # one of us
        return detached

    def _copy(self) -> Call:
        self._correlation_id = self.correlation_id  # the same for all copies
        return copy(self)

    def time_left_s(self) -> float | None:
        """Seconds until the caller's deadline; None when there is none."""
        return self._context.time_remaining() if self._context is not None else None


def _named_by_caller(context: ServicerContext) -> tuple[str, str]:
    """The caller's correlation id and traceparent, "" for what is missing or malformed."""
    headers = getattr(context, "headers", None)
    if headers is not None:  # a front that need not decode everything that came along
        given, trace = headers.get(b"x-correlation-id"), headers.get(b"traceparent")
        if given is None and trace is None:
            return "", ""
        correlation_id, traceparent = (given or b"").decode("latin-1"), (trace or b"").decode("latin-1")
    else:
        told = dict(context.invocation_metadata() or ())
        correlation_id, traceparent = str(told.get(CORRELATION_KEY, "")), str(told.get(TRACE_KEY, ""))
    return (
        correlation_id if correlation_id and _CORRELATION_ID.fullmatch(correlation_id) else "",
        traceparent if traceparent and _TRACEPARENT.fullmatch(traceparent) else "",
    )
