"""Pages of a list, and the cursor that names the next one.

A cursor has the time of the first page, for which all pages are computed, and a place. If a list is
kept as one answer, the digest of the answer is part of the place: the cursor expires when the data
have changed and the answer is no longer kept. A check sum over the question refuses a damaged
cursor, and that of another question.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson

from ctsync import __version__
from ctsync.config.settings import Settings
from ctsync.dates import CLOCK_TOLERANCE, Clock
from ctsync.errors import UsageError
from ctsync.python.database import TrialDatabase
from ctsync.python.rows import Rows
from ctsync.questions.changes.rules import thresholds_in_force
from ctsync.report.rows.row_json import dump
from ctsync.store.store import Store
from ctsync.web.api.address_parameters import Given, changes_with_time
from ctsync.web.api.problems import ExpiredCursor
from ctsync.web.kept_answers import AnswerKey, KeptAnswer, KeptAnswers

Place = Sequence[object]
"""Where the next page begins, as JSON values."""

_SUM_BYTES = 9
_EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_EXPIRED = "the data have changed since the first page; ask again without cursor"


@dataclass(frozen=True, slots=True)
class StillTime:
    """A clock that stands still at the time of the first page."""

    moment: datetime
    clock: Clock

    def now(self) -> datetime:
        """The time of the first page."""
        return self.moment

    def monotonic(self) -> float:
        """Return seconds that never run backwards."""
        return self.clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        self.clock.sleep(seconds)


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: its question, its database, and the page that it asks for."""

    question: str
    given: Given
    store: Store
    state: str
    settings: Settings
    clock: Clock
    kept: KeptAnswers
    most: int
    place: Place | None

    @property
    def database(self) -> TrialDatabase:
        """The database as the Python API sees it."""
        return TrialDatabase(
            self.store,
            context=self.settings.reports.context,
            thresholds=partial(thresholds_in_force, self.settings),
            clock=self.clock,
        )


@dataclass(frozen=True, slots=True)
class Page:
    """The rows of a page; `following` is the place of the next one, None if there is none.

    `total` is None if the rows were not counted. `is_current` is false for rows from before the
    newest commit, which a client must not keep for the state of now.
    """

    rows: Sequence[Any]
    total: int | None
    following: Place | None
    notes: Sequence[str] = ()
    is_current: bool = True


@dataclass(frozen=True, slots=True)
class OneAnswer:
    """The answer of an address without pages: a row, a record, or a part of a record."""

    value: Any
    notes: Sequence[str] = ()


def cursor_text(asked: Asked, place: Place) -> str:
    """Return the cursor of a place."""
    content = orjson.dumps([asked.clock.now().isoformat(), *place])
    return urlsafe_b64encode(sum_of(asked.question, content) + content).decode().rstrip("=")


def read_cursor(text: str, question: str, now: datetime) -> tuple[datetime, Place]:
    """Return the time and the place of a cursor. Raises UsageError if it is damaged."""
    try:
        packed = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (NotBase64, UnicodeEncodeError, ValueError):
        raise damaged_cursor() from None
    content = packed[_SUM_BYTES:]
    is_canonical = urlsafe_b64encode(packed).decode().rstrip("=") == text
    if not is_canonical or packed[:_SUM_BYTES] != sum_of(question, content):
        raise damaged_cursor()
    try:
        moment, *place = orjson.loads(content)
        asked = datetime.fromisoformat(moment).astimezone(UTC)
    except (ValueError, TypeError):  # somebody wrote it with a correct check sum
        raise damaged_cursor() from None
    if not _EARLIEST <= asked <= now + CLOCK_TOLERANCE:
        raise damaged_cursor()
    return asked, place


def damaged_cursor() -> UsageError:
    """Return the error for a cursor that no page has given out."""
    return UsageError("the cursor is damaged, or belongs to another question; ask without cursor")


def page_of_kept(
    asked: Asked,
    compute: Callable[[], tuple[Sequence[Any], Sequence[str]]],
    build: Callable[[Sequence[Any]], Sequence[Any]] = list,
) -> Page:
    """Return a page of a list that is computed as one answer and kept.

    `compute` returns all rows and the notes; `build` makes the rows of a page, if `compute`
    returns only what identifies them. Raises ExpiredCursor.
    """
    start, digest = _start(asked.place)
    now = asked.clock.now()
    moment = f"{now}" if changes_with_time(asked.given) else f"{now.date()}"
    key = AnswerKey(asked.question, asked.state, moment)
    answer = asked.kept.answer(key, digest, lambda: _kept(*compute()))
    if digest is not None and answer.digest != digest:
        raise ExpiredCursor(_EXPIRED)
    end = start + asked.most
    following = [end, answer.digest] if end < len(answer.rows) else None
    return Page(build(answer.rows[start:end]), len(answer.rows), following, answer.notes)


def page_of(ask: Callable[[TrialDatabase, Given], Rows[Any]]) -> Callable[[Asked], Page]:
    """Return a function that answers with a page of the rows that a question returns."""

    def answer(asked: Asked) -> Page:
        def compute() -> tuple[Sequence[Any], Sequence[str]]:
            found = ask(asked.database, asked.given)
            return tuple(found), found.notes

        return page_of_kept(asked, compute)

    return answer


def _kept(rows: Sequence[Any], notes: Sequence[str]) -> KeptAnswer:
    digest = hashlib.blake2b(dump(rows), digest_size=8).hexdigest()
    return KeptAnswer(rows, notes, digest)


def _start(place: Place | None) -> tuple[int, str | None]:
    if place is None:
        return 0, None
    match place:
        case [int(start), str(digest)] if start >= 0:
            return start, digest
    raise damaged_cursor()


def sum_of(question: str, content: bytes) -> bytes:
    """Return the check sum of a cursor, over its content, its question and the ctsync version."""
    summed = f"{__version__}\n{question}\n".encode() + content
    return hashlib.blake2b(summed, digest_size=_SUM_BYTES).digest()
