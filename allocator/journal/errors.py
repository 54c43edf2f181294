"""What can go wrong with the journal: bugs and broken infrastructure, which end the actor that meets them.

Every error keeps `args` equal to its constructor's arguments, so that it survives pickling between actors.
"""
# ruff: noqa: N818 - the names say what happened (Fenced, Trimmed); the root carries the Error.

from __future__ import annotations

import shlex
from collections.abc import Iterable

from allocator.core.errors import AllocatorError


class JournalError(AllocatorError):
    """Root of the journal's errors."""


class Fenced(JournalError):
    """A write with an epoch that is over: another writer opened the shard. Nothing was written.

    Attributes:
        shard: whose log it is.
        epoch: what the caller holds.
        current_epoch: what the journal holds; None when the shard was moved to another unit, or never opened.
    """

    def __init__(self, shard: str, epoch: int, current_epoch: int | None) -> None:
        super().__init__(shard, epoch, current_epoch)
        self.shard, self.epoch, self.current_epoch = shard, epoch, current_epoch

    def __str__(self) -> str:
        if self.current_epoch is None:
            return f"shard {self.shard!r} is not open here: epoch {self.epoch} cannot write to it"
        newer = f"epoch {self.epoch} is over, {self.current_epoch} is current"
        return f"shard {self.shard!r} has a newer writer: {newer}"


class VersionGap(JournalError):
    """An entry or snapshot whose version does not follow from the shard's head. Nothing was written.

    Attributes:
        shard: whose log it is.
        expected: the version that would have been right (for a snapshot: the highest one).
        got: the version that came.
    """

    def __init__(self, shard: str, expected: int, got: int) -> None:
        super().__init__(shard, expected, got)
        self.shard, self.expected, self.got = shard, expected, got

    def __str__(self) -> str:
        return f"shard {self.shard!r} expects version {self.expected}, got {self.got}"


class TooLarge(JournalError):
    """A payload beyond its named maximum. Nothing was written.

    Attributes:
        shard: whose log it is.
        version: of the entry or snapshot.
        size: bytes it has.
        size_max: bytes it may have.
    """

    def __init__(self, shard: str, version: int, size: int, size_max: int) -> None:
        super().__init__(shard, version, size, size_max)
        self.shard, self.version, self.size, self.size_max = shard, version, size, size_max

    def __str__(self) -> str:
        return (
            f"version {self.version} of shard {self.shard!r} has {self.size:,} bytes, {self.size_max:,} are the maximum"
        )


class Trimmed(JournalError):
    """A reader asks for entries that were cut; it has to start again from a snapshot.

    Attributes:
        shard: whose log it is.
        first_available: the lowest version that can still be read.
    """

    def __init__(self, shard: str, first_available: int) -> None:
        super().__init__(shard, first_available)
        self.shard, self.first_available = shard, first_available

    def __str__(self) -> str:
        return f"shard {self.shard!r} was cut: the first entry still there is {self.first_available}"


class ShardUnknown(JournalError):
    """A reader names a shard that no writer ever opened.

    Attributes:
        shard: the name.
        where: the journal that was asked.
    """

    def __init__(self, shard: str, where: str) -> None:
        super().__init__(shard, where)
        self.shard, self.where = shard, where

    def __str__(self) -> str:
        return f"there is no shard {self.shard!r} in the journal {self.where}"


class ShardElsewhere(JournalError):
    """A writer opens a shard whose rows live in another unit's file.

    Attributes:
        shard: the name.
        unit: where it was opened.
        home: the unit it belongs to.
    """

    def __init__(self, shard: str, unit: str, home: str) -> None:
        super().__init__(shard, unit, home)
        self.shard, self.unit, self.home = shard, unit, home

    def __str__(self) -> str:
        return (
            f"shard {self.shard!r} belongs to unit {self.home!r}, not {self.unit!r}; a regrouping is for "
            f"JournalStore.assign, before any writer is open"
        )


class CursorUnknown(JournalError):
    """A cursor that is not registered, or not for this shard.

    Attributes:
        name: the cursor's.
        shard: which it was to be moved for.
    """

    def __init__(self, name: str, shard: str) -> None:
        super().__init__(name, shard)
        self.name, self.shard = name, shard

    def __str__(self) -> str:
        return f"no cursor {self.name!r} is registered for shard {self.shard!r}"


class SettingsInvalid(JournalError):
    """A journal address, schema, unit, shard or cursor name that cannot be used.

    Attributes:
        what: the setting.
        value: what came (never with a password in it).
        expected: what is wanted instead.
    """

    def __init__(self, what: str, value: str, expected: str) -> None:
        super().__init__(what, value, expected)
        self.what, self.value, self.expected = what, value, expected

    def __str__(self) -> str:
        return f"{self.what} {self.value!r} cannot be used: {self.expected}"


class JournalDamaged(JournalError):
    """Stored rows are not what was written. The shard stops: nothing is skipped in silence.

    Attributes:
        file: the SQLite file, or the database and schema.
        shard: whose rows they are; empty when the file as a whole is damaged.
        version: of the entry or snapshot; None when the damage has no version.
        what: what is wrong with it.
    """

    def __init__(self, file: str, shard: str, version: int | None, what: str) -> None:
        super().__init__(file, shard, version, what)
        self.file, self.shard, self.version, self.what = file, shard, version, what

    @property
    def command(self) -> str:
        """The command that shows more."""
        return (
            f"allocator journal verify --shard {shlex.quote(self.shard)}" if self.shard else "allocator journal verify"
        )

    def __str__(self) -> str:
        place = [f"shard {self.shard!r}"] if self.shard else []
        place += [f"entry {self.version}"] if self.version is not None else []
        what = f"{', '.join(place)}: {self.what}" if place else self.what
        return f"the journal {self.file} is damaged: {what}. To see more: {self.command}"


class FormatUnknown(JournalError):
    """Rows (or a layout of tables) in a format that this build does not read.

    Attributes:
        file: the SQLite file, or the database and schema.
        shard: whose rows they are; empty for the layout of the tables.
        version: of the entry or snapshot; None for the layout.
        found: the format met.
        known: the formats this build reads.
    """

    def __init__(self, file: str, shard: str, version: int | None, found: int, known: Iterable[int]) -> None:
        self.known = tuple(sorted(known))
        super().__init__(file, shard, version, found, self.known)
        self.file, self.shard, self.version, self.found = file, shard, version, found

    @property
    def what(self) -> str:
        """What is wrong, without the place."""
        return f"it has format {self.found}; this build reads {', '.join(map(str, self.known))}"

    def __str__(self) -> str:
        row = f"entry {self.version} of shard {self.shard!r}" if self.shard else "the layout of the tables"
        return f"the journal {self.file}, {row}: {self.what}. Upgrade allocator to the release that wrote it"


class JournalUnavailable(JournalError):
    """The journal cannot be reached or written. What an append in flight did is unknown: open again.

    Attributes:
        where: the SQLite file, or the database and schema.
        cause: what the database or the system said.
        advice: what to do about it.
    """

    def __init__(self, where: str, cause: str, advice: str) -> None:
        super().__init__(where, cause, advice)
        self.where, self.cause, self.advice = where, cause, advice

    def __str__(self) -> str:
        return f"the journal {self.where} is unavailable: {self.cause}; {self.advice}"


class JournalLocked(JournalError):
    """Another service runs on this journal.

    Attributes:
        where: the data directory, or the database and schema.
        holder: who holds the lock, as far as it can be told.
    """

    def __init__(self, where: str, holder: str) -> None:
        super().__init__(where, holder)
        self.where, self.holder = where, holder

    def __str__(self) -> str:
        return f"the journal {self.where} is in use by {self.holder}; stop it first, or use another journal"
