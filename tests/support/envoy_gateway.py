"""A gateway process on Envoy whose actors are in the process of the test: what `allocator.gateway` is with Ray.

`python -m tests.support.envoy_gateway FOLDER` becomes Envoy, as the real one does; Envoy loads `application` from here.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from allocator.config import settings_from_json
from allocator.gateway.embedded import EmbeddedGateway
from allocator.gateway.envoy import become_envoy, envoy_config
from allocator.runtime.links import Links
from tests.support.socket_links import SocketLinks

LINKS_SOCKET = "links"


def main() -> None:
    """Read the settings and become Envoy."""
    folder, index = Path(sys.argv[1]), int(sys.argv[2])
    text = sys.stdin.readline()
    settings = settings_from_json(text)
    config = envoy_config(settings.server, settings.tls, folder, "tests.support.envoy_gateway:application")
    become_envoy(config, {"settings": text, "index": index, "folder": str(folder)})


def _links(handed: dict[str, Any]) -> Links:
    return SocketLinks(str(Path(handed["folder"]) / LINKS_SOCKET))


application = EmbeddedGateway(_links)

if __name__ == "__main__":
    main()
