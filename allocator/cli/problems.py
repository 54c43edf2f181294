"""Every error in one line that says what to do."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from allocator.core.errors import AllocatorError

if TYPE_CHECKING:
    from allocator.cli.session import Session

_ADVICE = {
    "LOCATION_UNKNOWN": "`allocator network show` lists the locations",
    "LOCATION_GROUP_UNKNOWN": "`allocator network show` lists the groups",
    "SKU_UNKNOWN": "`allocator stock LOCATION` lists what it stocks; a movement makes a SKU known",
    "SERVICE_LEVEL_UNKNOWN": "`allocator network show` lists the lanes with their service levels",
    "SOURCING_PROFILE_UNKNOWN": "`allocator network show` lists the sourcing profiles",
    "RESERVATION_UNKNOWN": "`allocator reservations` lists them; ended ones are forgotten after a day",
    "REQUEST_ID_REUSED": "leave --request-id out for a new request",
    "TABLE_FULL": "raise the limit in the service's settings, see [limits]",
    "RECOVERING": "the location is starting; try again in a moment",
    "DRAINING": "the service is shutting down; try again when it is back",
    "JOURNAL_DAMAGED": "run `allocator journal verify` where the service's data is",
    "INTERNAL": "search the service's log for the id in the message",
    "UNAUTHENTICATED": "pass credentials the service knows",
}
_TLS_WORDS = ("handshake failed", "Verification Check failed")
"""How gRPC tells that a connection failed by its certificates."""
_TLS_ADVICE = (
    "the service and we do not agree on TLS: see --tls-ca, --tls-certificate, --tls-key and --tls-server-name in "
    "`allocator --help`; a service without [tls] takes none of them"
)


def in_one_line(error: Exception, session: Session) -> str:
    """What went wrong, and what to do about it."""
    if isinstance(error, AllocatorError):
        text, advice = str(error), _advice(error, session)
    elif isinstance(error, OSError):
        text, advice = _of_system(error), ""
    else:
        text = f"internal error, {type(error).__name__}: {error}"
        advice = "run it again with `allocator --debug ...` and report what it prints"
    return _one_line(f"{text}; {advice}" if advice else text)


def _advice(error: AllocatorError, session: Session) -> str:
    if not session.used_address:
        return ""
    from allocator.client import Overloaded, RequestError, Unavailable

    cause = error if isinstance(error, RequestError) else error.__cause__
    if not isinstance(cause, RequestError):
        return ""
    if isinstance(cause, Unavailable) and not cause.reason:
        if any(words in cause.message for words in _TLS_WORDS):
            return _TLS_ADVICE
        return (
            f"does the service run at {session.address}? Start it with `allocator serve`, "
            "or say where it is: `allocator --address HOST:PORT ...`, and with --tls-ca if it has TLS"
        )
    if isinstance(cause, Overloaded) and cause.retry_after_s is not None:
        return f"try again in {cause.retry_after_s:g} s"
    return _ADVICE.get(cause.reason or cause.details.code, "")


def _of_system(error: OSError) -> str:
    text = error.strerror or (os.strerror(error.errno) if error.errno else str(error))
    return f"{error.filename}: {text}" if error.filename else text


def _one_line(text: str) -> str:
    return " ".join(text.split())
