"""Client of the registry's record history, an undocumented endpoint.

    /int/studies/{NCT}/history        the index: every version's number, date and status
    /int/studies/{NCT}/history/{v}    one version, with texts in HTML

Every answer is checked. Version numbers must run from 0 without a gap. A version must contain the
requested number and trial. Only a 404 with the registry's own text means that a trial has no
history. A 403 comes from the edge server, either because it refuses the client or because the
version does not exist; it says nothing about the trial.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from ctsync.errors import BadAnswer, EdgeRefused, RegistryError, RegistryUnreachable
from ctsync.model import JsonObject, NctId
from ctsync.registry.http.curl import CurlTransport, find_curl
from ctsync.registry.http.response import RequestCounts, Response, as_object
from ctsync.registry.http.transport import Transport
from ctsync.registry.identity import identity_of
from ctsync.text import for_log, shorten

PROBED_TRIAL = NctId("NCT03389919")
MOST_VERSIONS = 10_000  # the trial with the most versions seen has about 300

_NO_HISTORY = re.compile(r"No study (\S+) history summary\s*", re.ASCII)
_logger = logging.getLogger(__name__)


class HistoryTransport(StrEnum):
    """The HTTP client for record history.

    AUTO uses the client that last got an answer (at first REQUESTS), and the other if it is
    refused.
    """

    AUTO = "auto"
    REQUESTS = "requests"
    CURL = "curl"


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """One version in the index.

    `number` counts from 0. `date` is the day on which it passed the registry's first check, some
    days before it was posted. `modules` are the modules it changed, by the registry's labels,
    whose order varies.
    """

    number: int
    date: str
    status: str
    modules: frozenset[str] = frozenset()


Index = tuple[IndexEntry, ...]
"""All versions of a trial, oldest first. The entry at position n has the number n. May be empty."""


class RegistryHistory:
    """The record history endpoint, at the request rate of `transport`.

    Has its own transports, so refusals here do not open the circuit breaker of the API.
    """

    def __init__(
        self, transport: Transport, *, way: HistoryTransport = HistoryTransport.AUTO
    ) -> None:
        self._way = way
        self._requests = transport.beside()
        self._curl = transport.beside(CurlTransport)
        self._transport = self._curl if way is HistoryTransport.CURL else self._requests
        self._answered: HistoryTransport | None = None

    @property
    def answered(self) -> HistoryTransport | None:
        """The client that last got an answer, or None before any answer."""
        return self._answered

    @property
    def counts(self) -> RequestCounts:
        """The requests sent so far, by both clients."""
        both = (self._requests.counts, self._curl.counts)
        return RequestCounts(sum(one.requests for one in both), sum(one.retries for one in both))

    def reset(self, first: HistoryTransport | None = None) -> None:
        """Start a run: close the circuit breakers, and begin with the client `first`.

        `first` is ignored if the settings name a client, or if there is no curl program.
        """
        self._requests.reset()
        self._curl.reset()
        wanted = (first or self._way) if self._way is HistoryTransport.AUTO else self._way
        has_curl = self._way is HistoryTransport.CURL or find_curl() is not None
        is_curl = wanted is HistoryTransport.CURL and has_curl
        self._transport = self._curl if is_curl else self._requests

    def close(self) -> None:
        """Close the connections."""
        self._requests.close()
        self._curl.close()

    def index(self, nct_id: NctId) -> Index | None:
        """Fetch the index of a trial's versions. It is empty or None if the registry has none.

        Raises EdgeRefused if every client is refused, and other RegistryErrors.
        """
        reply, index = self._ask(f"/int/studies/{nct_id}/history", read_index)
        if reply.status == 200:
            found: Index = index
            return found
        denied = _NO_HISTORY.fullmatch(reply.text)
        if reply.status == 404 and reply.media_type == "text/plain" and denied:
            if denied[1] == nct_id:
                return None
            other = for_log(denied[1])[:40]
            raise BadAnswer(f"requested the history of {nct_id}, received that of {other}")
        raise RegistryUnreachable(
            f"the record history at {self._transport.base_url} was removed or has moved "
            f"(status {reply.status})"
        )

    def version(self, nct_id: NctId, number: int) -> JsonObject:
        """Fetch one version, with texts in HTML. `number` must be in the index.

        Raises RegistryError; BadAnswer if the answer is not the requested version.
        """

        def read(value: Any) -> JsonObject:
            return read_history_version(value, nct_id, number)

        reply, study = self._ask(f"/int/studies/{nct_id}/history/{number}", read)
        if reply.status != 200:
            text = f"{nct_id}: version {number} is listed but not available (status {reply.status})"
            raise BadAnswer(text, raw=reply.body)
        found: JsonObject = study
        return found

    def _ask(self, path: str, read: Callable[[Any], Any]) -> tuple[Response, Any]:
        """Fetch with the current client. If the edge refuses it, use the other until `reset`."""
        try:
            answer = self._transport.get_json(path, read=read)
        except EdgeRefused as refused:
            other = self._other()
            if other is None:
                raise
            _logger.info("history refused by=%s", self._name_of(self._transport))
            try:
                answer = other.get_json(path, read=read)
            except RegistryError:
                raise refused from None
            self._transport = other
        self._answered = self._name_of(self._transport)
        return answer

    def _other(self) -> Transport | None:
        """Return the client to use if the current one is refused."""
        if self._way is not HistoryTransport.AUTO:
            return None
        if self._transport is self._curl:
            return self._requests
        return None if find_curl() is None else self._curl

    def _name_of(self, transport: Transport) -> HistoryTransport:
        is_curl = transport is self._curl
        return HistoryTransport.CURL if is_curl else HistoryTransport.REQUESTS


@dataclass(frozen=True, slots=True)
class HistoryProbe:
    """Whether the endpoint answers one client, and its answer or the error."""

    way: HistoryTransport
    said: str
    works: bool


def probe_history(
    transport: Transport, *, nct_id: NctId = PROBED_TRIAL
) -> tuple[HistoryProbe, ...]:
    """Send one request with each client, at the transport's request rate.

    An answer that the trial has no history counts as working: it comes from the registry, not from
    the edge server.
    """
    return tuple(
        _probe(transport, way, nct_id) for way in (HistoryTransport.REQUESTS, HistoryTransport.CURL)
    )


def _probe(transport: Transport, way: HistoryTransport, nct_id: NctId) -> HistoryProbe:
    if way is HistoryTransport.CURL and find_curl() is None:
        return HistoryProbe(way, "curl is not installed", works=False)
    history = RegistryHistory(transport, way=way)
    try:
        index = history.index(nct_id)
    except RegistryError as error:
        return HistoryProbe(way, str(error), works=False)
    finally:
        history.close()
    said = f"{len(index)} versions" if index else "the registry has no versions of it"
    return HistoryProbe(way, f"{nct_id}: {said}", works=True)


# --- reading -------------------------------------------------------------------------------------


def read_index(value: Any) -> Index:
    """Read the index of a trial's versions. Raises BadAnswer."""
    changes = as_object(value).get("changes")
    if not isinstance(changes, list):
        raise BadAnswer("a history has no list of versions")
    if len(changes) > MOST_VERSIONS:
        raise BadAnswer(f"a history has too many versions: {len(changes)}")
    return tuple(_read_entry(entry, number) for number, entry in enumerate(changes))


def _read_entry(entry: Any, number: int) -> IndexEntry:
    given = as_object(entry)
    version, day, status = given.get("version"), given.get("date"), given.get("status")
    if type(version) is not int or version != number:
        shown = shorten(for_log(repr(version)), 40)
        raise BadAnswer(f"the versions of a history do not run from 0: {shown}, not {number}")
    if not isinstance(day, str) or not _is_day(day) or not isinstance(status, str):
        raise BadAnswer(f"version {number} of a history has no date or no status")
    labels = given.get("moduleLabels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise BadAnswer(f"version {number} of a history has no list of modules")
    return IndexEntry(number, day, status, frozenset(labels))


def _is_day(text: str) -> bool:
    try:
        return len(text) == len("2020-04-29") and bool(date.fromisoformat(text))
    except ValueError:
        return False


def read_history_version(value: Any, nct_id: NctId, number: int) -> JsonObject:
    """Read the record of one version. Raises BadAnswer if it is another version or trial."""
    body = as_object(value)
    echoed, study = body.get("studyVersion"), body.get("study")
    if type(echoed) is not int or echoed != number:
        shown = shorten(for_log(repr(echoed)), 40)
        raise BadAnswer(f"requested version {number} of {nct_id}, received version {shown}")
    identity = identity_of(study)
    if identity is None or identity.nct_id != nct_id:
        who = identity.nct_id if identity else "no trial"
        raise BadAnswer(f"requested version {number} of {nct_id}, received a version of {who}")
    return as_object(study)
