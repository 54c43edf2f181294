"""What can go wrong with an adapter. All of these are infrastructure or settings, never a refused movement."""

from __future__ import annotations

from allocator.core.errors import AllocatorError


class AdapterError(AllocatorError):
    """Root of the adapters' errors."""


class AdapterSettingsError(AdapterError):
    """An adapter's settings cannot be used; the message names the adapter, the setting and what was expected."""


class CoreUnavailableError(AdapterError):
    """The core cannot be reached, or has too much to do. What it did is unknown: send the same again.

    Attributes:
        cause: what was said.
        retry_after_s: how long to wait at least, seconds.
    """

    def __init__(self, cause: str, retry_after_s: float = 0.0) -> None:
        super().__init__(cause, retry_after_s)
        self.cause, self.retry_after_s = cause, retry_after_s

    def __str__(self) -> str:
        return f"the core is unavailable: {self.cause}"


class BatchInvalidError(AdapterError):
    """The core turned a whole batch away as malformed; nothing of it was recorded."""


class SourceUnavailableError(AdapterError):
    """A source of movements cannot be read now."""


class TargetUnavailableError(AdapterError):
    """An ERP cannot take anything now; the same will be tried again.

    Attributes:
        cause: what was said.
        retry_after_s: how long to wait at least, seconds.
    """

    def __init__(self, cause: str, retry_after_s: float = 0.0) -> None:
        super().__init__(cause, retry_after_s)
        self.cause, self.retry_after_s = cause, retry_after_s

    def __str__(self) -> str:
        return f"the ERP is unavailable: {self.cause}"


class LocationUnreadableError(AdapterError):
    """What a location's journal has is sound, but this build does not understand it; the message says what and why."""


class CursorAheadError(AdapterError):
    """An ERP has postings of versions that the journal does not know: one of the two was put back or replaced.

    Attributes:
        location: whose ledger it is.
        cursor: the last version that the ERP has.
        head: the last version in the journal.
    """

    def __init__(self, location: str, cursor: int, head: int) -> None:
        super().__init__(location, cursor, head)
        self.location, self.cursor, self.head = location, cursor, head

    def __str__(self) -> str:
        return (
            f"the ERP has postings of {self.location} up to version {self.cursor}, the journal ends at {self.head}: "
            "they do not belong together; point one of them to its own partner"
        )


class CursorBehindError(AdapterError):
    """Entries that an ERP still needs were cut: it was put back to an older state, or its cursor was dropped.

    Attributes:
        location: whose ledger it is.
        cursor: the last version that the ERP has.
        first_available: the first version that the journal still has.
    """

    def __init__(self, location: str, cursor: int, first_available: int) -> None:
        super().__init__(location, cursor, first_available)
        self.location, self.cursor, self.first_available = location, cursor, first_available

    def __str__(self) -> str:
        return (
            f"the ERP has postings of {self.location} up to version {self.cursor}, the journal begins at "
            f"{self.first_available}: what is between them is lost to it; start it with empty tables"
        )
