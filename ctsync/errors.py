"""The error tree; each leaf carries the exit code a command ends with.

CtsyncError
├── UsageError 2             what was asked for cannot be done as asked
│   ├── BadNctId             not shaped like NCT01234567
│   ├── UnknownTrial         no such trial at the registry, or none stored
│   ├── UnmatchedOrgId       no trial carries that organisation's study id
│   ├── AmbiguousOrgId       several trials carry it
│   ├── UnknownVersion       the trial has no such version
│   ├── BadQuery             a query is wrong in one or more ways; all are listed
│   ├── PortInUse            a server cannot listen where it was told to
│   └── ConfigError          one or more settings are wrong; all are listed
├── PartialRun 3             the run ended, but something could not be checked
│   └── InQuarantine         a trial failed before and is not tried again yet
├── RegistryError 4          the registry did not give a usable answer
│   ├── RegistryUnreachable  no connection, or none that lasted
│   ├── DeadlineExceeded     the answer was not complete in time
│   ├── AnswerTooLarge       the answer passed the size cap
│   ├── BadAnswer            an answer came, but not one that can be used
│   ├── RegistryBusy         429 or 5xx, after all retries
│   ├── EdgeRefused          403: the edge turned us away; says nothing about a trial
│   ├── RequestRefused       400: the registry did not understand the request
│   ├── StalePage            the registry reloaded while we were paging
│   ├── StaleRegistry        the registry shows an older load than we have seen
│   ├── IdentityMismatch     the record answered is not the trial asked for
│   └── BadArchive           the bulk archive is cut short, damaged or not of the registry
├── LockHeld 5               another writer holds the database
│   └── LockLost             another writer took over while we held it
├── StoreError 6             the database cannot be used as it is
│   ├── ForeignDatabase      a database, but not one of ctsync
│   ├── NewerDatabase        written by a later ctsync
│   ├── StoreUnavailable     missing, read-only, locked or full
│   │   └── StoreUnreachable a server that does not answer, or a connection that broke
│   ├── StoreConflict        another writer changed what was to be changed
│   ├── Unstorable           a value that the database cannot hold; a ValueError as well
│   └── CorruptBody          a stored body does not match its digest
├── DeliveryOverdue 7        a message has waited too long
└── Stopped 130              told to stop; the unit at hand was finished or rolled back
BadRecord is a ValueError of the pure core: a study that cannot be read as a record; where it
does not even say which trial it is of, an UnidentifiedRecord.
"""

from __future__ import annotations


class CtsyncError(Exception):
    """Base of every error that ends a command with one line and an exit code."""

    exit_code = 1


class BadRecord(ValueError):
    """A study that cannot be read as a record: no identity, or not an object."""


class UnidentifiedRecord(BadRecord):
    """A study that carries no NCT id."""


class UsageError(CtsyncError):
    """What was asked for cannot be done as asked."""

    exit_code = 2


class BadNctId(UsageError):
    """The text is not shaped like an NCT id."""


class UnknownTrial(UsageError):
    """No such trial at the registry, or none stored."""


class UnmatchedOrgId(UsageError):
    """No trial carries that organisation's study id."""


class AmbiguousOrgId(UsageError):
    """Several trials carry that organisation's study id."""


class UnknownVersion(UsageError):
    """The trial has no such version."""


class BadQuery(UsageError):
    """A query is wrong in one or more ways; `problems` lists every one of them."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem, and join them for people."""
        super().__init__("; ".join(problems))
        self.problems = problems


class PortInUse(UsageError):
    """A server cannot listen where it was told to."""


class ConfigError(UsageError):
    """One or more settings are wrong; `problems` lists every one of them."""

    def __init__(self, problems: list[str]) -> None:
        """Keep every problem, and join them for people."""
        super().__init__("; ".join(problems))
        self.problems = problems


class PartialRun(CtsyncError):
    """The run ended, but something could not be checked."""

    exit_code = 3


class InQuarantine(PartialRun):
    """A trial failed before, and is not tried again yet."""


class RegistryError(CtsyncError):
    """The registry did not give a usable answer."""

    exit_code = 4


class RegistryUnreachable(RegistryError):
    """No connection to the registry, or none that lasted."""


class DeadlineExceeded(RegistryError):
    """The answer was not complete within the deadline."""


class AnswerTooLarge(RegistryError):
    """The decoded answer passed the size cap."""


class BadAnswer(RegistryError):
    """An answer came, but not one that can be used: HTML, cut short, wrong shape.

    `raw` is what came, where it was read.
    """

    def __init__(self, message: str, *, raw: bytes = b"") -> None:
        """Keep what came."""
        super().__init__(message)
        self.raw = raw


class RegistryBusy(RegistryError):
    """429 or 5xx after all retries."""


class EdgeRefused(RegistryError):
    """403: the edge turned us away, which says nothing about any trial."""


class RequestRefused(RegistryError):
    """400: the registry did not understand the request; `body` is what it said."""

    def __init__(self, message: str, *, body: str = "") -> None:
        """Keep the registry's words."""
        super().__init__(message)
        self.body = body


class StalePage(RegistryError):
    """The registry reloaded its data while a listing was being paged."""


class StaleRegistry(RegistryError):
    """The registry shows an older load than the one already seen."""


class IdentityMismatch(RegistryError):
    """The record answered is neither the trial asked for nor one that took over its id."""


class BadArchive(RegistryError):
    """The bulk archive is cut short, damaged, or not one of the registry."""


class LockHeld(CtsyncError):
    """Another writer holds the database."""

    exit_code = 5


class LockLost(LockHeld):
    """Another writer took over while we held the database; nothing of the unit is stored."""


class StoreError(CtsyncError):
    """The database cannot be used as it is."""

    exit_code = 6


class ForeignDatabase(StoreError):
    """A database, but not one of ctsync."""


class NewerDatabase(StoreError):
    """The database was written by a later ctsync."""


class StoreUnavailable(StoreError):
    """The database is missing, read-only, locked or full."""


class NoDatabase(StoreUnavailable):
    """Nothing was stored yet: there is no database, or it holds no tables."""


class OldDatabase(StoreUnavailable):
    """The database has the schema of an earlier ctsync, and was opened for reading only."""


class StoreUnreachable(StoreUnavailable):
    """The database's server does not answer, or the connection broke; worth another try."""


class StoreConflict(StoreError):
    """Another writer changed what was to be changed; nothing of the unit is stored."""


class Unstorable(StoreError, ValueError):
    """The database cannot hold a value; whatever else there is to store is not concerned."""


class CorruptBody(StoreError):
    """A stored body does not match its digest."""


class DeliveryOverdue(CtsyncError):
    """A message has waited longer than allowed."""

    exit_code = 7


class Stopped(CtsyncError):
    """Told to stop; the unit at hand was finished or rolled back."""

    exit_code = 130
