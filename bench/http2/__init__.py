"""A gRPC load client on raw sockets: HTTP/2 as far as calls need it, at a fraction of what a full client costs.

It speaks HTTP/2 to whatever serves gRPC and leaves out what only a general client needs: TLS, push, priorities. Header
blocks of requests are made once and sent again; blocks of answers are stateless, as we announce an empty header table,
so each is decoded once and then known by its bytes.
"""

from bench.http2.calls import Call, Calls, Crowd, Kind, Mix
from bench.http2.client import Client
from bench.http2.log import Log

__all__ = ["Call", "Calls", "Client", "Crowd", "Kind", "Log", "Mix"]
