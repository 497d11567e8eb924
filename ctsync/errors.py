"""Error classes. Each has the exit code of a command that fails with it.

CtsyncError
├── UsageError 2             the command cannot be run with these arguments
│   ├── BadNctId             not shaped like NCT01234567
│   ├── UnknownTrial         the registry has no such trial, or none is stored
│   ├── UnmatchedOrgId       no trial has that organisation's study id
│   ├── AmbiguousOrgId       several trials have that study id
│   ├── UnknownVersion       the trial has no such version
│   ├── BadQuery             a query has one or more errors; all are listed
│   ├── PortInUse            a server cannot listen on the given address
│   └── ConfigError          one or more settings are wrong; all are listed
├── PartialRun 3             the run ended, but some trials could not be checked
│   └── InQuarantine         the trial failed before and is not retried yet
├── RegistryError 4          the registry gave no usable answer
│   ├── RegistryUnreachable  no connection, or it broke
│   ├── DeadlineExceeded     the answer was not complete in time
│   ├── AnswerTooLarge       the answer exceeded the size limit
│   ├── BadAnswer            the answer cannot be used
│   │   └── FutureLoad       its dataTimestamp is more than a day ahead of our clock
│   ├── RegistryBusy         429 or 5xx, after all retries
│   ├── EdgeRefused          403 from the edge server; says nothing about a trial
│   ├── RequestRefused       400: the registry did not understand the request
│   ├── StalePage            the registry reloaded its data during a listing
│   ├── StaleRegistry        the registry shows an older load than one already seen
│   ├── IdentityMismatch     the record belongs to another trial than requested
│   └── BadArchive           the bulk archive is truncated, damaged or not the registry's
├── LockHeld 5               another writer holds the database
│   └── LockLost             another writer took the lock over
├── StoreError 6             the database cannot be used
│   ├── ForeignDatabase      not a ctsync database
│   ├── MixedDatabase        a file, and next to it the log of another database
│   ├── NewerDatabase        written by a later version of ctsync
│   ├── StoreUnavailable     missing, read-only, locked or full
│   │   ├── StoreLocked      another program holds it; it may be free in a moment
│   │   ├── StoreBusy        all its connections are in use; one may be free in a moment
│   │   └── StoreUnreachable the server does not answer, or the connection broke
│   ├── StoreConflict        another writer changed the same rows
│   ├── Unstorable           the database cannot hold a value; also a ValueError
│   └── CorruptBody          a stored body does not match its digest
├── OutputError 74           the output cannot be written: the disk is full or broken
└── Stopped 130              stopped by a signal or request; the open unit was finished or
                             rolled back

BadRecord is a ValueError, not a CtsyncError: a study cannot be read as a record. Its subclass
UnidentifiedRecord means that the study has no NCT id.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import NamedTuple


class ExitCode(NamedTuple):
    """The meaning of an exit code, and what the user can do."""

    meaning: str
    action: str


WRITE_FAILS = frozenset(
    {errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT, errno.EBADF, errno.EAGAIN}
)
"""Errors of a write to a full or broken disk, or to a stream that is open for reading only."""

EXIT_CODES: Mapping[int, ExitCode] = {
    0: ExitCode("Success.", ""),
    1: ExitCode("`ctsync diff --exit-code` found differences.", ""),
    2: ExitCode(
        "The command line or the settings are wrong.",
        "Read the message: it names the option, or the line of the settings file.",
    ),
    3: ExitCode(
        "Some trials could not be checked. All others were. For `ctsync status`, also: no sync "
        "was complete for some days. For `ctsync status` and `ctsync doctor`: a stored time lies "
        "in the future.",
        "Run `ctsync status`, which lists them. The next sync tries them again.",
    ),
    4: ExitCode(
        "The registry is unreachable or refuses requests. For `ctsync status`: the last sync "
        "failed.",
        "Wait for the next sync. If it lasts, run `ctsync doctor`.",
    ),
    5: ExitCode(
        "Another process writes to the database. The message names it.",
        "Wait until it has finished. Commands that only read are not affected.",
    ),
    6: ExitCode(
        "The database cannot be used, or `ctsync check` found a problem.",
        "Run `ctsync check`. It names each problem and the command that repairs it.",
    ),
    7: ExitCode(
        "A delivery is overdue or parked. For `ctsync notify --test` and `ctsync doctor`: "
        "a channel or the mail server cannot be used.",
        "Run `ctsync outbox list`, correct the channel, then run `ctsync outbox retry`.",
    ),
    70: ExitCode(
        "An error in ctsync itself.",
        "Run the command again with `-v`, and report the traceback.",
    ),
    74: ExitCode(
        "The output could not be written, for example because the disk is full.",
        "Free some space. Nothing in the database is affected.",
    ),
    130: ExitCode(
        "The command was interrupted (Ctrl-C or SIGTERM). "
        "The transaction in progress was finished or rolled back.",
        "Run the command again. It resumes.",
    ),
}
"""Every exit code of a command."""


class CtsyncError(Exception):
    """Base of all errors that end a command with a one-line message and an exit code."""

    exit_code = 1


class BadRecord(ValueError):
    """The study cannot be read as a record: not an object, or no NCT id."""


class UnidentifiedRecord(BadRecord):
    """The study has no NCT id."""


class UsageError(CtsyncError):
    """The command cannot be run with these arguments."""

    exit_code = 2


class BadNctId(UsageError):
    """The text is not shaped like an NCT id."""


class UnknownTrial(UsageError):
    """The registry has no such trial, or none is stored."""


class UnmatchedOrgId(UsageError):
    """No trial has that organisation's study id."""


class AmbiguousOrgId(UsageError):
    """Several trials have that organisation's study id."""


class UnknownVersion(UsageError):
    """The trial has no such version."""


class BadQuery(UsageError):
    """A query has one or more errors; `problems` lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem, and join them for people."""
        super().__init__("; ".join(problems))
        self.problems = problems


class PortInUse(UsageError):
    """A server cannot listen on the given address."""


class ConfigError(UsageError):
    """One or more settings are wrong; `problems` lists all of them."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem, and join them for people."""
        super().__init__("; ".join(problems))
        self.problems = problems


class PartialRun(CtsyncError):
    """The run ended, but some trials could not be checked."""

    exit_code = 3


class InQuarantine(PartialRun):
    """The trial failed before and is not retried yet."""


class RegistryError(CtsyncError):
    """The registry gave no usable answer."""

    exit_code = 4


class RegistryUnreachable(RegistryError):
    """No connection to the registry, or it broke."""


class DeadlineExceeded(RegistryError):
    """The answer was not complete within the deadline."""


class AnswerTooLarge(RegistryError):
    """The decoded answer exceeded the size limit."""


class BadAnswer(RegistryError):
    """The answer cannot be used: HTML, truncated, or of the wrong shape.

    `raw` is the body, if it was read.
    """

    def __init__(self, message: str, *, raw: bytes = b"") -> None:
        """Keep the body."""
        super().__init__(message)
        self.raw = raw


class FutureLoad(BadAnswer):
    """The registry's dataTimestamp is more than a day ahead of our clock."""


class RegistryBusy(RegistryError):
    """The registry answered 429 or 5xx after all retries."""


class EdgeRefused(RegistryError):
    """The edge server answered 403. This says nothing about any trial."""


class RequestRefused(RegistryError):
    """400: the registry did not understand the request. `body` is its explanation."""

    def __init__(self, message: str, *, body: str = "") -> None:
        """Keep the registry's explanation."""
        super().__init__(message)
        self.body = body


class StalePage(RegistryError):
    """The registry reloaded its data during a listing."""


class StaleRegistry(RegistryError):
    """The registry shows an older load than one already seen."""


class IdentityMismatch(RegistryError):
    """The record belongs neither to the requested trial nor to one that took over its id."""


class BadArchive(RegistryError):
    """The bulk archive is truncated, damaged, or not the registry's."""


class LockHeld(CtsyncError):
    """Another writer holds the database."""

    exit_code = 5


class LockLost(LockHeld):
    """Another writer took the lock over. Nothing of the open unit is stored."""


class StoreError(CtsyncError):
    """The database cannot be used."""

    exit_code = 6


class ForeignDatabase(StoreError):
    """The database is not a ctsync database."""


class MixedDatabase(StoreError):
    """A database file, and next to it the log of another database."""


class NewerDatabase(StoreError):
    """A later version of ctsync wrote the database."""


class StoreUnavailable(StoreError):
    """The database is missing, read-only, locked or full."""


class NoDatabase(StoreUnavailable):
    """Nothing was stored yet: there is no database, or it holds no tables."""


class OldDatabase(StoreUnavailable):
    """The database has the schema of an earlier ctsync, and was opened for reading only."""


class StoreLocked(StoreUnavailable):
    """Another program holds the database; it may be free in a moment."""


class StoreBusy(StoreUnavailable):
    """All connections of this process to the database are in use; one may be free in a moment."""


class StoreUnreachable(StoreUnavailable):
    """The database server does not answer, or the connection broke. A retry may succeed."""


class StoreConflict(StoreError):
    """Another writer changed the same rows. Nothing of the unit is stored."""


class Unstorable(StoreError, ValueError):
    """The database cannot hold a value. Other values to be stored are not affected."""


class CorruptBody(StoreError):
    """A stored body does not match its digest."""


class OutputError(CtsyncError):
    """The output cannot be written, for example because the disk is full."""

    exit_code = 74


class Stopped(CtsyncError):
    """Stopped by a signal or request. The open unit was finished or rolled back."""

    exit_code = 130
