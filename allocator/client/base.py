"""What `Client` and `AsyncClient` share: everything but the waiting."""

from __future__ import annotations

import inspect
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from typing import Any, Final, ParamSpec, Self, TypeVar
from uuid import uuid4

import grpc

from allocator.client.call import Call, fill_request_ids
from allocator.client.errors import InvalidRequest, RequestError, closed, invalid
from allocator.client.failures import from_rpc
from allocator.client.options import CallOptions, as_channel_options
from allocator.client.retry import Attempts, RetryPolicy
from allocator.client.streams import Known, Recovery, Window
from allocator.client.tls import Tls

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
READY_POLICY: Final[Mapping[str, Any]] = {
    "attempt_timeout_s": 1.0,
    "retries_max": 1_000_000,
    "backoff_s": 0.05,
    "backoff_max_s": 0.5,
}
"""How `wait_ready` asks: often and briefly, as long as its timeout lasts."""


class Link:
    """What a client and its views share: a channel, opened by the first call, and the count of retries.

    Args:
        open_channel: makes the channel; an asyncio one has to be made inside its event loop.
    """

    def __init__(self, open_channel: Callable[[], Any]) -> None:
        self._open_channel = open_channel
        self._lock = threading.Lock()
        self._channel: Any = None
        self._stubs: dict[Callable[..., Any], Any] = {}
        self._closed = False
        self.retries = 0

    def method(self, call: Call[Any]) -> Any:  # noqa: ANN401  # a multicallable of either kind
        """Return what sends the requests of a call.

        Raises:
            Cancelled: the client is closed.
        """
        stub = self._stubs.get(call.stub) or self._new_stub(call.stub)
        return getattr(stub, call.method)

    def count_retry(self) -> None:
        """Count a retry, of whichever thread."""
        with self._lock:
            self.retries += 1

    def close(self) -> Any:  # noqa: ANN401  # a channel of either kind
        """Forget the channel and return it, to be closed; None when there is none."""
        with self._lock:
            channel, self._channel, self._closed = self._channel, None, True
            self._stubs.clear()
        return channel

    def _new_stub(self, stub: Callable[..., Any]) -> Any:  # noqa: ANN401  # a generated class, of either kind
        with self._lock:
            if self._closed:
                raise closed()
            if self._channel is None:
                self._channel = self._open_channel()
            return self._stubs.setdefault(stub, stub(self._channel))


class ClientBase:
    """Settings, ids and retries of a client; how a call is sent and waited for is its child's.

    Args:
        address: `host:port`; any address gRPC takes, such as `dns:///allocator:50051`, or
            `ipv4:10.0.0.1:50051,10.0.0.2:50051` for several gateways.
        channel_credentials: from `grpc.ssl_channel_credentials`; None: as `tls` says.
        tls: how to encrypt, and whom to trust; None: no encryption.
        timeout_s: for a call as a whole, retries and waits included, seconds.
        retries_max: attempts after the first; 0: never try again.
        attempt_timeout_s: for each attempt, seconds; None: half of `timeout_s`.
        correlation_id: sent with every call as `x-correlation-id`.
        client_id: sent with every call as `x-client-id`: whose share of the service it counts against, where
            the service limits how much each client may call.
        metadata: more pairs to send with every call, such as `("authorization", "Bearer ...")`.
        channel_options: of the gRPC channel, by name; they win over ours.

    Raises:
        InvalidRequest: a setting is out of range, or a TLS file cannot be used.
    """

    def __init__(  # noqa: PLR0913  # each is a setting of its own, and all have a default
        self,
        address: str = DEFAULT_ADDRESS,
        channel_credentials: grpc.ChannelCredentials | None = None,
        *,
        tls: Tls | None = None,
        timeout_s: float = 5.0,
        retries_max: int = 5,
        attempt_timeout_s: float | None = None,
        correlation_id: str = "",
        client_id: str = "",
        metadata: Sequence[tuple[str, str]] = (),
        channel_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.address = address
        credentials, options = channel_credentials, as_channel_options(channel_options)
        if tls is not None:
            if channel_credentials is not None:
                raise invalid("tls", "it takes the place of channel_credentials; give one of them")
            credentials, options = tls.credentials(), (*tls.channel_options(), *options)
        self._link = Link(lambda: self._open_channel(credentials, options))
        policy = RetryPolicy(timeout_s, attempt_timeout_s, retries_max)
        self._options = CallOptions(policy, correlation_id, tuple(metadata), client_id)

    def with_options(
        self,
        *,
        timeout_s: float | None = None,
        attempt_timeout_s: float | None = None,
        retries_max: int | None = None,
        correlation_id: str | None = None,
        client_id: str | None = None,
        metadata: Sequence[tuple[str, str]] | None = None,
    ) -> Self:
        """Return a view of this client with other settings, for one call or more; None leaves one as it is.

        It shares the connection and the count of retries, and is closed with the client it came from:
        `client.with_options(correlation_id="checkout-7", timeout_s=1).check({"SKU": 1})`.
        """
        return self._changed(
            timeout_s=timeout_s,
            attempt_timeout_s=attempt_timeout_s,
            retries_max=retries_max,
            correlation_id=correlation_id,
            client_id=client_id,
            metadata=metadata,
        )

    @property
    def retries(self) -> int:
        """How often a call was sent again, so far, by this client and its views."""
        return self._link.retries

    def _changed(self, **changes: Any) -> Self:  # noqa: ANN401  # fields of RetryPolicy and CallOptions
        changed = copy(self)
        changed._options = self._options.changed(changes)  # noqa: SLF001  # of the copy
        return changed

    def _open_channel(self, credentials: grpc.ChannelCredentials | None, options: Sequence[tuple[str, Any]]) -> Any:  # noqa: ANN401  # a channel of the child's kind
        raise NotImplementedError

    def _identified(self, call: C) -> C:
        if isinstance(call, Call) and call.writes:
            fill_request_ids(call.request, _make_id)
        return call

    def _begin(self, call: Call[Any]) -> Attempts:
        self._identified(call)
        return Attempts(self._options.policy, call.request_id, time.monotonic(), writes=call.writes)

    def _wait_s(self, attempts: Attempts, error: grpc.RpcError | RequestError) -> float:
        """Seconds to wait before the next attempt; raises what the caller gets when there is none."""
        ours = error if isinstance(error, RequestError) else from_rpc(error)
        # Callers that failed together must not come back together; nobody profits from guessing when.
        wait_s = attempts.wait_after(ours, time.monotonic(), random.random())  # noqa: S311  # as the line above says
        self._link.count_retry()
        return wait_s

    def _wait_again_s(self, recovery: Recovery, window: Window[Any], error: grpc.RpcError | RequestError) -> float:
        """Seconds to wait before what a stream left unanswered is sent again; raises when that is over."""
        ours = error if isinstance(error, RequestError) else from_rpc(error)
        window.lost(ours)
        try:
            return self._wait_s(recovery.attempts(time.monotonic()), ours)
        except RequestError as last:
            raise (window.told(last) if recovery.writes else last) from None


def built(build: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Build a call; a value that its message cannot hold is bad input like any other.

    Raises:
        InvalidRequest: as said.
    """
    try:
        return build(*args, **kwargs)
    except ValueError as error:
        raise invalid("request", str(error)) from None


def built_or_known(
    build: Callable[P, Call[R | RequestError]], *args: P.args, **kwargs: P.kwargs
) -> Call[R | RequestError] | Known[R | RequestError]:
    """Build a call of a stream in which an error is a result: one that cannot be sent is a result as well."""
    try:
        return built(build, *args, **kwargs)
    except InvalidRequest as error:
        return Known(error)


def describe(method: Callable[..., Any], build: Callable[..., Any], result: str) -> None:
    """Give a method the name, the documentation and the signature of the function that builds its call."""
    signature = inspect.signature(build)
    parsed = str(signature.return_annotation).partition("[")[2].removesuffix("]")
    me = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    method.__name__ = method.__qualname__ = build.__name__
    method.__doc__ = build.__doc__
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]  # what help() looks at
        parameters=[me, *signature.parameters.values()], return_annotation=result.format(parsed)
    )


def _make_id() -> str:
    return uuid4().hex
