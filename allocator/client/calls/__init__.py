"""Every method of the client as a function from its arguments to the call it makes; no I/O, nothing kept."""

from __future__ import annotations
