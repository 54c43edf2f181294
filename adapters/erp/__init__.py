"""ERP targets: postings and positions out."""

from __future__ import annotations
