"""How one call on the ASGI front ends: its status, what goes out beside it, and who wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

import grpc
import structlog

from allocator.gateway import framing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from allocator.gateway.asgi_incoming import Event

_OK: Final = (b"grpc-status", b"0")
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}

log = structlog.get_logger("allocator.gateway")


def tail_of(trailing: framing.Metadata) -> Event:
    """The trailers of a call that ends well.

    Raises:
        FrameError: the metadata beside the status cannot go out.
    """
    return _tail([_OK, *framing.headers_of(trailing)])


def _tail(headers: framing.Headers) -> Event:
    return {"type": "http.response.trailers", "headers": headers, "more_trailers": False}


class _Usual:
    """The trailers of the call before, which are those of the next one when that says the very same."""

    trailing: framing.Metadata = ()
    tail: Event = tail_of(())


_usual: Final = _Usual()


class Outcome:
    """The part of `grpc.aio.ServicerContext` that is about the end of a call.

    Attributes:
        aborted: whether the status is final, whatever the handler still does.
    """

    aborted = False
    _code: grpc.StatusCode | None = None
    _details = ""
    _trailing: framing.Metadata = ()
    _callbacks: tuple[Callable[[Any], None], ...] = ()

    def set_trailing_metadata(self, metadata: Iterable[tuple[str, str | bytes]]) -> None:
        """What goes out after the answer."""
        if not self.aborted:
            self._trailing = tuple(metadata)

    def trailing_metadata(self) -> framing.Metadata:
        """What will go out after the answer."""
        return self._trailing

    def set_code(self, code: grpc.StatusCode | int) -> None:
        """How the call will end."""
        if not self.aborted:
            self._code = _code_of(code)

    def set_details(self, details: str) -> None:
        """Why it will end so."""
        if not self.aborted:
            self._details = details

    def code(self) -> grpc.StatusCode | None:
        """How the call will end, if that was said."""
        return self._code

    def details(self) -> str:
        """Why it will end so."""
        return self._details

    async def abort(
        self, code: grpc.StatusCode | int, details: str = "", trailing_metadata: Iterable[tuple[str, str | bytes]] = ()
    ) -> NoReturn:
        """End the call with an error; what was set before stands where nothing is said."""
        if self.aborted:
            raise grpc.aio.UsageError("Abort already called!")
        self.fail(_code_of(code), details or self._details, tuple(trailing_metadata) or self._trailing)
        raise grpc.aio.AbortError("Locally aborted.")

    async def abort_with_status(self, status: grpc.Status) -> NoReturn:
        """End the call with an error and its details."""
        await self.abort(status.code, status.details, status.trailing_metadata or ())

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        """Have `callback` called with this context when the call is over."""
        self._callbacks = (*self._callbacks, callback)

    def fail(self, code: grpc.StatusCode, details: str, trailing: framing.Metadata = ()) -> None:
        """Have the call end with an error, whatever else is said."""
        self.aborted = True
        self._code, self._details, self._trailing = code, details, trailing

    def tell_done(self) -> None:
        """Tell those who wanted to know that the call is over."""
        for callback in self._callbacks:
            try:
                callback(self)
            except Exception:
                log.exception("callback failed")

    def tail(self) -> Event:
        """The status as trailers.

        Raises:
            FrameError: the metadata beside it cannot go out.
        """
        trailing, usual = self._trailing, _usual
        if self._code is None and trailing is usual.trailing:
            return usual.tail
        if self._code is None:
            usual.trailing, usual.tail = trailing, tail_of(trailing)
            return usual.tail
        return _tail([*framing.status_headers(self._code, self._details), *framing.headers_of(trailing)])


def _code_of(code: grpc.StatusCode | int) -> grpc.StatusCode:
    """Codes may be numbers, as with grpcio."""
    return code if isinstance(code, grpc.StatusCode) else _CODES.get(code, grpc.StatusCode.UNKNOWN)
