"""The demo: real orders against a made-up network, and an audit that recounts every unit from outside."""

from __future__ import annotations
