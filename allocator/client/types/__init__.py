"""What the client takes and gives: frozen dataclasses. Ids are plain, times are aware datetimes in UTC."""

from __future__ import annotations
