"""A peer inside Envoy: the ASGI application that Envoy loads; its store opens when Envoy starts."""

from __future__ import annotations

import json
import os
import traceback
from typing import Any

from allocator.gateway.asgi import GrpcApplication
from allocator.gateway.methods import methods_of
from bench.peers.fronts import HANDED, MESSAGE_BYTES
from bench.peers.kinds import Serving, open_store
from bench.peers.servicers import registrations


class Inside:
    """Serves the store that the environment names."""

    _asgi_single_callable = True
    """Tells servers that this is ASGI 3: `__call__` is not a coroutine function, it returns a coroutine."""

    def __init__(self) -> None:
        self._serve: GrpcApplication | None = None

    def __call__(self, scope: Any, receive: Any, send: Any) -> Any:  # noqa: ANN401  # as ASGI has it
        """Serve one call, or live through the life of Envoy."""
        if scope["type"] == "lifespan":
            return self._live(receive, send)
        assert self._serve is not None
        return self._serve(scope, receive, send)

    async def _live(self, receive: Any, send: Any) -> None:  # noqa: ANN401  # as above
        await receive()
        try:
            store = await open_store(Serving(*json.loads(os.environ[HANDED])))
        except BaseException:
            traceback.print_exc()  # pyvoy would not tell
            raise
        self._serve = GrpcApplication(methods_of(registrations(store)), MESSAGE_BYTES)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await store.close()
        await send({"type": "lifespan.shutdown.complete"})


application = Inside()
