"""Adapters: stock movements in (`sources`, `formats`), postings and positions out (`erp`)."""

from __future__ import annotations
