"""Checks of everything ctsync depends on: database, disk, registry, clock, history, mail.

The checks are independent: all run even if one fails. They store nothing and send no mail. Each
registry check sends its requests once, without retries.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path

from ctsync.config.settings import DatabaseSettings, SmtpSettings
from ctsync.dates import Clock, format_minute
from ctsync.deliver.channels.email import MailChannel
from ctsync.deliver.delivery_error import DeliveryError
from ctsync.errors import RegistryError, StoreError
from ctsync.files import absolute, is_visible
from ctsync.questions.operation.health import is_load_overdue
from ctsync.registry.http.transport import Transport
from ctsync.registry.load_checks import forget_command, is_future_load, read_version
from ctsync.registry.record_history import probe_history
from ctsync.store.admin.check import quick_check
from ctsync.store.admin.stored_times import FutureTime, TimeKind
from ctsync.store.database.engine import parse_url, sqlite_file
from ctsync.store.database.filesystem import free_bytes, network_file_system
from ctsync.store.database.migrate import head_revision, refuse_newer, revision_of
from ctsync.store.database.pooling import require_own_sessions
from ctsync.store.store import Store

QUICK_CHECK_SECONDS = 20.0
LEAST_FREE_BYTES = 20 * 2**20
FREE_BYTES = 500 * 2**20
"""Several times the changes of the entire registry in one day."""

SKEW_SECONDS = 120
KNOWN_API = "2."

SETTINGS, DATABASE, REGISTRY, MAIL, TIMES = 2, 6, 4, 7, 3
_WORST_FIRST = (DATABASE, SETTINGS, REGISTRY, MAIL, TIMES)


class CheckState(StrEnum):
    """The outcome of one check."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check, with advice; `exit_code` applies only to WRONG."""

    subject: str
    condition: CheckState
    found: str
    advice: str = ""
    exit_code: int = 0


def exit_code_of(findings: Iterable[CheckResult]) -> int:
    """Return the exit code of the worst WRONG result, or 0 if there is none.

    Worst first: database, settings, registry, mail, times.
    """
    codes = {one.exit_code for one in findings if one.condition is CheckState.WRONG}
    return next((code for code in _WORST_FIRST if code in codes), 0)


def ok(subject: str, found: str) -> CheckResult:
    """Return the result of a check that passed."""
    return CheckResult(subject, CheckState.OK, found)


def warning(subject: str, found: str, advice: str) -> CheckResult:
    """Return the result for something that works only in part or may soon fail."""
    return CheckResult(subject, CheckState.WARNING, found, advice)


def wrong(subject: str, found: str, advice: str, exit_code: int) -> CheckResult:
    """Return the result of a check that failed."""
    return CheckResult(subject, CheckState.WRONG, found, advice, exit_code)


# --- the database -----------------------------------------------------------------------------


def look_at_database(settings: DatabaseSettings, *, clock: Clock) -> Iterator[CheckResult]:
    """Check that the database exists, has the current schema and is sound, and check its disk."""
    url, shown = settings.url, settings.shown_url
    file = sqlite_file(parse_url(url))
    try:
        revision = revision_of(url)
        refuse_newer(revision, shown)
    except StoreError as error:
        yield wrong("database", str(error), "follow the message", DATABASE)
        revision = None
    else:
        yield _schema(revision, shown)
        if file is None:
            yield _sessions(url)
    if file is not None:
        if revision is not None:
            yield _soundness(url, clock)
        yield from _place(file)


def _schema(revision: str | None, shown: str) -> CheckResult:
    if revision is None:
        return warning("database", f"{shown}: none yet", "ctsync init or the first sync creates it")
    if revision != head_revision():
        found = f"{shown}: schema {revision}, of an earlier ctsync version"
        return warning("database", found, "the next command upgrades it; or: ctsync db upgrade")
    return ok("database", f"{shown}: schema {revision}")


def _sessions(url: str) -> CheckResult:
    try:
        require_own_sessions(parse_url(url))
    except StoreError as error:
        return wrong("sessions", str(error), "follow the message", DATABASE)
    return ok("sessions", "each connection has its own session, as the writer lock requires")


def _soundness(url: str, clock: Clock) -> CheckResult:
    try:
        problems = quick_check(url, clock=clock, seconds=QUICK_CHECK_SECONDS)
    except StoreError as error:
        return wrong("integrity", str(error), "ctsync check; restore a backup", DATABASE)
    if problems is None:
        found = f"not finished in {QUICK_CHECK_SECONDS:.0f} s; nothing wrong so far"
        return ok("integrity", f"{found}; for a full check: ctsync check")
    if problems:
        found = f"{problems[0]}" + (" and more" if len(problems) > 1 else "")
        return wrong("integrity", found, "ctsync check --repair, or restore a backup", DATABASE)
    return ok("integrity", "the file is sound; ctsync check verifies its contents")


def _place(file: Path) -> Iterator[CheckResult]:
    there = next(one for one in (file, *absolute(file).parents) if is_visible(one))
    if not os.access(there, os.W_OK):
        yield wrong("disk", f"{there} is not writable", "make it writable", DATABASE)
    try:
        free = free_bytes(file)
    except OSError as error:
        yield wrong("disk", f"{file}: {error.strerror}", "check database.url", DATABASE)
        return
    size = file.stat().st_size if is_visible(file) else 0
    found = f"{free / 2**20:,.0f} MB free, the database takes {size / 2**20:,.0f} MB"
    if free < LEAST_FREE_BYTES:
        advice = "free some space, or the next version may not be stored"
        yield wrong("disk", found, advice, DATABASE)
    elif free < max(FREE_BYTES, size):
        yield warning("disk", found, "free some space for new versions and for a backup")
    else:
        yield ok("disk", found)
    if remote := network_file_system(file):
        advice = "use a local disk or PostgreSQL: two programs may overwrite each other's changes"
        yield warning("disk", f"a network file system ({remote})", advice)


def look_at_times(store: Store, now: datetime) -> Iterator[CheckResult]:
    """Check that no stored time lies in the future: a wrong clock or registry wrote it."""
    loads = store.times.loads_ahead(now)
    for load in loads:
        found = f"registry data of {format_minute(load)}, but this clock says {format_minute(now)}"
        advice = f"syncs are refused; if this clock is right: {forget_command(load)}"
        yield wrong("times", found, advice, TIMES)
    in_force = [one for one in store.times.in_force(now) if one.kind is not TimeKind.LOAD]
    for one in in_force:
        advice = "it counts as due: run ctsync sync, and synchronize the system clock (NTP)"
        yield wrong("times", _described(one), advice, TIMES)
    reported = {one.words for one in in_force}
    others = [
        one
        for one in store.times.ahead(now)
        if one.words not in reported and not (loads and one.kind is TimeKind.LOAD)
    ]
    for one in others:
        advice = "nothing waits for it; synchronize the system clock (NTP)"
        yield warning("times", _described(one), advice)
    if not (loads or in_force or others):
        yield ok("times", "no stored time is in the future")


def _described(found: FutureTime) -> str:
    more = f" and {found.count - 1:,} more" if found.count > 1 else ""
    return f"{found.words}: {format_minute(found.furthest)}{more} is in the future"


# --- the registry -----------------------------------------------------------------------------


def look_at_registry(transport: Transport, *, clock: Clock) -> Iterator[CheckResult]:
    """Check that the registry answers, its API version and load, and the system clock."""
    try:
        reply, version = transport.get_json("/v2/version", {}, read=read_version, retry=False)
    except RegistryError as error:
        advice = "check the network and registry.url; a 403 may be temporary or block this address"
        yield wrong("registry", str(error), advice, REGISTRY)
        return
    if version is None:
        found = f"{transport.base_url} returned status {reply.status}"
        yield wrong("registry", found, "check registry.url", REGISTRY)
        return
    load, now = version.data_timestamp, clock.now()
    found = f"{transport.base_url}: API {version.api_version}, data of {format_minute(load)}"
    if not version.api_version.startswith(KNOWN_API):
        yield warning("registry", found, f"ctsync supports API {KNOWN_API}x; upgrade ctsync")
    elif is_future_load(load, now):
        ahead = f"{found}, ahead of this clock, which says {format_minute(now)}"
        advice = "correct this clock; if it is right: ctsync sync --accept-load, or wait"
        yield wrong("registry", ahead, advice, REGISTRY)
    elif is_load_overdue(load, now):
        advice = "the registry has not refreshed its data for days; nothing to do here"
        yield warning("registry", found, advice)
    else:
        yield ok("registry", found)
    yield check_clock(reply.headers.get("Date", ""), reply.headers.get("Age", ""), clock)


def check_clock(date: str, age: str, clock: Clock) -> CheckResult:
    """Compare the system clock with the Date and Age headers of a registry answer."""
    try:
        there = parsedate_to_datetime(date).timestamp() + (int(age) if age.isdigit() else 0)
    except (ValueError, TypeError):
        return ok("clock", "the registry's answer has no date to compare with")
    skew = round(clock.now().timestamp() - there)
    if abs(skew) <= SKEW_SECONDS:
        return ok("clock", f"within {SKEW_SECONDS} s of the registry's")
    how = "ahead of" if skew > 0 else "behind"
    found = f"{abs(skew):,} s {how} the registry's"
    return warning("clock", found, "synchronize the system clock (NTP): schedules depend on it")


def look_at_history(transport: Transport) -> CheckResult:
    """Check whether the undocumented history endpoint answers, and to which HTTP client."""
    probes = probe_history(transport)
    message = "; ".join(f"{one.way}: {'answers' if one.works else one.said}" for one in probes)
    if any(one.works for one in probes):
        return ok("history", message)
    advice = "ctsync backfill cannot fetch earlier versions; everything else works"
    return warning("history", message, advice)


# --- the mail ----------------------------------------------------------------------------------


def look_at_mail(settings: SmtpSettings | None, recipients: Sequence[str] = ()) -> CheckResult:
    """Check whether the mail server accepts the login and the addresses; sends no mail."""
    if settings is None:
        return ok("mail", "no mail server is set")
    where = f"{settings.host}:{settings.port} ({settings.security})"
    try:
        message = MailChannel({}, settings).try_login([settings.sender, *recipients])
    except DeliveryError as error:
        return wrong("mail", f"{where}: {error}", "check [smtp] in the settings", MAIL)
    login = "logged in" if settings.username else "no login set"
    return ok("mail", f"{where}: {login}: {message}")
