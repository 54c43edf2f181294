"""Files on their way through a watched folder: claimed, settled up to a durable place, done or failed.

    inbox/NAME                  dropped by others
    work/STAMP/NAME             claimed by an atomic rename; beside it .place (up to where it is settled) and
                                .rejects (its refused lines so far)
    done/NAME                   settled
    failed/NAME.rejects.jsonl   its refused lines, in the format `rejects`
    failed/NAME                 a file that could not be read at all

Everything here blocks, and nothing here knows what a movement is.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final, NamedTuple, TextIO

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from adapters.errors import SourceUnavailableError
from adapters.files import append_durably, sync_folder, write_durably
from adapters.formats import START, SUFFIXES, Origin, Place, RejectClass, RejectedBy, RejectRow, format_of
from adapters.formats.csv import read_header
from adapters.formats.lines import content_digest
from adapters.sources.digests import Digests
from adapters.sources.listing import complete_files, free_path, printable, work_files

FOLDERS: Final = ("inbox", "work", "done", "failed")
REJECTS_SUFFIX: Final = ".rejects.jsonl"
_PLACE: Final = ".place"
_REJECTS: Final = ".rejects"
_STAMP: Final = "%Y%m%dT%H%M%S%f"

log = structlog.get_logger("adapters.folder")


class _Saved(BaseModel):
    """What `.place` holds, see `Claim`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    digest: str
    line: int = 0
    offset: int = 0
    rejects_bytes: int = 0
    refused: int = 0


@dataclass(slots=True)
class Claim:
    """A file that is being worked on.

    Attributes:
        path: where it is, in a folder of its own.
        kind: its format.
        digest: of its content.
        header: its header line, for a format that has one.
        place: up to where it is settled, durably.
        rejects_bytes: size of the file of refused lines as of `place`.
        refused: how many lines these are.
        pending: refused lines to keep with the next place.
    """

    path: Path
    kind: str
    digest: str
    header: str
    place: Place
    rejects_bytes: int = 0
    refused: int = 0
    pending: list[RejectRow] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The file's name, as text that can be written anywhere."""
        return printable(self.path)

    def origin(self, line: int, source: str, delimiter: str) -> Origin:
        """Where a line of this file was met first: here."""
        return Origin(self.name, line, self.kind, self.digest, source, delimiter, self.header)


class Waiting(NamedTuple):
    """What is not settled yet."""

    files: int
    bytes: int


class ClaimStore:
    """The files of one watched folder. One process at a time has it open.

    Args:
        root: the folder that holds inbox, work, done and failed; made where they are missing.
        now: the time, aware.
    """

    def __init__(self, root: Path, now: Callable[[], datetime]) -> None:
        self.root = root
        self._now = now
        self._inbox, self._work, self._done, self._failed = (root / name for name in FOLDERS)
        self._digests = Digests(root / ".digests")
        self._resumed: list[Path] = []
        self._found: Iterator[Path] = iter(())
        self._lock: TextIO | None = None

    def open(self) -> None:
        """Take the folder over, with what a process before left in work.

        Raises:
            SourceUnavailableError: another process has it open.
            OSError: it cannot be used.
        """
        for name in FOLDERS:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self._lock = (self.root / ".lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise SourceUnavailableError(f"the folder {self.root} is watched by another process") from None
        self._digests.load()
        self._resumed = []
        for folder in sorted(self._work.iterdir()):
            found = [path for path in folder.iterdir() if not path.name.startswith(".")]
            self._resumed += found
            if not found:  # it was moved out, or never in
                shutil.rmtree(folder)

    def close(self) -> None:
        """Let the folder go. May be called again."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def next(self) -> Claim | None:
        """The next file to read: what was being worked on first, then the inbox, the oldest first; None for now."""
        while self._resumed:
            claim = self._begin(self._resumed.pop(0))
            if claim is not None:
                return claim
        for path in self._found:
            claimed = self._take(path)
            claim = self._begin(claimed) if claimed is not None else None
            if claim is not None:
                return claim
        return None

    def scan(self) -> None:
        """Look for files in the inbox again."""
        self._found = iter([found.path for found in sorted(complete_files(self._inbox))])

    def settle(self, claim: Claim, place: Place, *, end: bool) -> None:
        """Note durably that a file is settled up to `place`, with its pending refusals; at its end file it away."""
        if claim.pending:
            rows = b"".join(row.dump() for row in claim.pending)
            claim.rejects_bytes = append_durably(claim.path.with_name(_REJECTS), rows)
            claim.refused += len(claim.pending)
            claim.pending.clear()
        claim.place = place
        self._save(claim)
        if end:
            self._finish(claim)

    def waiting(self) -> Waiting:
        """What is not settled yet, in the inbox and in work; a file that is read counts whole."""
        # The inbox first: a file that is claimed meanwhile is then met twice, and never missed.
        sizes = [found.size for found in complete_files(self._inbox)]
        sizes += [found.size for found in work_files(self._work)]
        return Waiting(len(sizes), sum(sizes))

    def _take(self, path: Path) -> Path | None:
        """Move a file from the inbox to work; None when somebody else was faster."""
        folder = self._new_folder()
        claimed = folder / path.name
        try:
            path.rename(claimed)
        except FileNotFoundError:
            folder.rmdir()
            return None
        for changed in (folder, self._work, self._inbox):
            sync_folder(changed)
        return claimed

    def _new_folder(self) -> Path:
        stamp = f"{self._now():{_STAMP}}"
        for number in count():
            folder = self._work / f"{stamp}-{number:03}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
        raise AssertionError  # count() never ends

    def _begin(self, path: Path) -> Claim | None:
        """Start on a file in work, or go on with it; None when there is nothing to read in it."""
        kind = format_of(path.name)
        if kind is None:
            self._fail(path, f"its name must end with one of {', '.join(SUFFIXES)}")
            return None
        try:
            claim = self._resume(path, kind) or self._start(path, kind)
        except PermissionError as error:
            self._fail(path, f"it cannot be read: {error.strerror}")
            return None
        if claim.place == START and claim.digest in self._digests:
            log.info("file taken before", file=claim.name, digest=claim.digest)
            self._finish(claim)
            return None
        log.info("file", file=claim.name, format=kind, after_line=claim.place.line)
        return claim

    def _start(self, path: Path, kind: str) -> Claim:
        with path.open("rb") as stream:
            claim = Claim(path, kind, content_digest(stream), _header(path, kind), START)
        # The ids of movements without one are made from this digest: were the file changed later, it has to stay.
        self._save(claim)
        return claim

    def _resume(self, path: Path, kind: str) -> Claim | None:
        try:
            saved = _Saved.model_validate_json(path.with_name(_PLACE).read_bytes())
        except (FileNotFoundError, ValidationError):
            path.with_name(_REJECTS).unlink(missing_ok=True)
            return None
        rejects = path.with_name(_REJECTS)
        if rejects.exists():  # else it was filed away already
            os.truncate(rejects, saved.rejects_bytes)
        place = Place(saved.line, saved.offset)
        return Claim(path, kind, saved.digest, _header(path, kind), place, saved.rejects_bytes, saved.refused)

    def _save(self, claim: Claim) -> None:
        saved = _Saved(
            digest=claim.digest,
            line=claim.place.line,
            offset=claim.place.offset,
            rejects_bytes=claim.rejects_bytes,
            refused=claim.refused,
        )
        write_durably(claim.path.with_name(_PLACE), saved.model_dump_json().encode())

    def _finish(self, claim: Claim) -> None:
        """File a settled file away; every step may be done already by a process that died here."""
        path, rejects = claim.path, claim.path.with_name(_REJECTS)
        if rejects.exists():
            rejects.rename(free_path(self._failed, path.name, REJECTS_SUFFIX))
            sync_folder(self._failed)
        if not claim.refused:
            # With refused lines it may be dropped again, to try those.
            self._digests.add(claim.digest)
        self._file_away(path, self._done)
        log.info("file done", file=claim.name, lines=claim.place.line, refused=claim.refused)

    def _fail(self, path: Path, reason: str) -> None:
        row = RejectRow.of(
            Origin(printable(path), 0, ""),
            b"",
            RejectClass.UNREADABLE,
            by=RejectedBy.FORMAT,
            reason=reason,
            at=self._now().isoformat(),
        )
        write_durably(free_path(self._failed, path.name, REJECTS_SUFFIX), row.dump())
        log.warning("file failed", file=printable(path), reason=reason)
        self._file_away(path, self._failed)

    def _file_away(self, path: Path, folder: Path) -> None:
        path.rename(free_path(folder, path.stem, path.suffix))
        sync_folder(folder)
        shutil.rmtree(path.parent)


def _header(path: Path, kind: str) -> str:
    return read_header(path).decode(errors="replace") if kind == "csv" else ""
