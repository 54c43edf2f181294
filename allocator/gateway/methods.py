"""The methods of the contract as any front serves them: path, shape, and how bytes become messages and back.

Generated code registers servicers with a server of grpcio. Here it registers them with a recorder, so that every front
serves the same handlers, and an answer that is serialised already (`bytes`) goes out as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import grpc

Methods = dict[str, dict[str, "grpc.RpcMethodHandler[Any, Any]"]]
"""Full name of a service -> name of a method -> its handler."""

F = TypeVar("F", bound="Callable[..., Any]")


class _Recorder:
    """Stands where generated code expects a server, and keeps what it is given."""

    def __init__(self) -> None:
        self.methods: Methods = {}

    def add_generic_rpc_handlers(self, handlers: Iterable[Any]) -> None:
        """The same methods again, for servers that do not know registered ones."""

    def add_registered_method_handlers(self, service: str, handlers: Mapping[str, Any]) -> None:
        """Keep the methods of `service`."""
        self.methods[service] = {name: _passing(handler) for name, handler in handlers.items()}


def methods_of(register: Iterable[tuple[Callable[[Any, Any], None], Any]]) -> Methods:
    """Collect methods.

    Args:
        register: pairs of a generated `add_..._to_server` and the servicer to register.
    """
    recorder = _Recorder()
    for add, servicer in register:
        add(servicer, recorder)
    return recorder.methods


def takes_bytes(method: F) -> F:
    """Mark a servicer's method that wants its requests as they came over the wire: bytes."""
    method.takes_bytes = True  # type: ignore[attr-defined]  # functions take any attribute
    return method


def _passing(handler: Any) -> Any:  # noqa: ANN401  # grpcio's named tuple of eight, which its stubs do not show
    """The handler with a serialiser that lets ready bytes pass, and requests too where the method wants it."""
    serialise = handler.response_serializer
    handler = handler._replace(
        response_serializer=lambda answer: answer if type(answer) is bytes else serialise(answer)
    )
    method = handler.unary_unary or handler.unary_stream or handler.stream_unary or handler.stream_stream
    return handler._replace(request_deserializer=bytes) if getattr(method, "takes_bytes", False) else handler
