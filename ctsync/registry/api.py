"""Client of the registry's API v2: studies by id, batches, listings, aliases, error texts."""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from ctsync.dates import Clock
from ctsync.errors import (
    BadAnswer,
    BadNctId,
    IdentityMismatch,
    RegistryError,
    RegistryUnreachable,
    UnidentifiedRecord,
)
from ctsync.model import Absent, Answer, Failed, JsonObject, NctId, Observation, RegistryVersion
from ctsync.nct_id import parse_nct_id
from ctsync.query import phrase
from ctsync.registry.http.response import RequestCounts, Response
from ctsync.registry.http.transport import Transport
from ctsync.registry.id_batches import DIVISIBLE, IdBatches
from ctsync.registry.identity import identity_of, load_day_of, org_study_id_of
from ctsync.registry.listing import (
    MOST_RESTARTS,
    PAGE_SIZE,
    AnsweredPage,
    Cursor,
    Listing,
    read_complete,
    read_page,
)
from ctsync.registry.load_checks import read_version, refuse_future_load
from ctsync.registry.study_pages import AMONG, StudyPages
from ctsync.text import for_log, shorten

LARGEST_BATCH = 500
RECORDS_AT_ONCE = 300
"""The most records of a request: 440, as many as fit into a URL, take 50 MB when they are read."""

LONGEST_URL = 7_500  # the registry's nginx accepts 8 KB
LONGEST_ORG_ID = 200
MOST_HOPS = 5
_REDIRECTS = (301, 302, 303, 307, 308)

_STUDIES = "/v2/studies"
_NAMES = "NCTId|NCTIdAlias"
# never change markupFormat: every text of every stored record would differ
_FORM = {"format": "json", "markupFormat": "markdown"}
_NOT_FOUND = re.compile(r"NCT number (\S+) not found\s*", re.ASCII)
_logger = logging.getLogger(__name__)


class _Missing(NamedTuple):
    """A requested id that is missing from the answer to its batch."""

    nct_id: NctId


class RegistryApi:
    """The registry over an HTTP transport.

    If a trial cannot be fetched, its answer is a Failed, and other trials are not affected. Calls
    that are not about single trials (version, find_org_id, matching) raise RegistryError.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        batch_size: int = LARGEST_BATCH,
        accept_load: bool = False,
    ) -> None:
        self._transport = transport
        self._accept_load = accept_load
        self._clock = clock
        self._batches = IdBatches(max(1, batch_size))
        self._most = min(RECORDS_AT_ONCE, self._room_for_ids(_batch_params([])))
        self._pages = StudyPages(self._fetch_page)
        self._other_loads: Counter[date] = Counter()

    @property
    def transport(self) -> Transport:
        """The transport. Other clients of the registry must share its request rate."""
        return self._transport

    @property
    def counts(self) -> RequestCounts:
        """The requests sent so far."""
        return self._transport.counts

    @property
    def other_loads(self) -> Mapping[date, int]:
        """The number of studies from loads other than the expected one, by day.

        The versionHolder of each study names its load. If it differs from /version, the registry
        reloaded, or two of its servers differ. The studies then come from different loads, and a
        missing trial proves little. Each call of `studies` resets the counts.
        """
        return self._other_loads

    def version(self, *, retry: bool = True) -> RegistryVersion:
        """Fetch the registry's current load. Raises RegistryError.

        Raises FutureLoad for a load more than a day ahead of our clock, unless `accept_load` is
        set.
        """
        version: RegistryVersion = self._ask("/v2/version", {}, read_version, retry=retry)
        self.check_load(version.data_timestamp)
        return version

    def check_load(self, load: datetime) -> None:
        """Raise FutureLoad for a load more than a day ahead of our clock, like `version`."""
        if not self._accept_load:
            refuse_future_load(load, self._clock.now())

    def studies(
        self,
        ids: Sequence[NctId],
        load: RegistryVersion,
        *,
        known_absent: Collection[NctId] = (),
    ) -> Iterator[Answer]:
        """Yield exactly one answer per distinct id, batch by batch as they arrive.

        - An id missing from its batch is requested separately. If it is in `known_absent`, its
          answer is Absent without another request.
        - A batch that is refused, unusable or too large is halved until the faulty id is found.
        - If a batch cannot be fetched, each of its ids gets a Failed, and the next batch is tried.
        - A malformed id gets a Failed without a request.
        """
        self._other_loads.clear()
        wanted: dict[NctId, None] = {}
        for nct_id in dict.fromkeys(ids):
            try:
                wanted[parse_nct_id(nct_id)] = None
            except BadNctId as error:
                yield Failed(nct_id, error)
        for answer in self._answers(list(wanted), load):
            if not isinstance(answer, _Missing):
                yield answer
            elif answer.nct_id in known_absent:
                now = self._clock.now()
                reason = "not among the studies listed"
                yield Absent(answer.nct_id, reason, now, load.data_timestamp)
            else:
                yield self.study(answer.nct_id, load)

    def study(self, nct_id: NctId, load: RegistryVersion) -> Answer:
        """Fetch the answer for one id. For an alias, fetches the trial that took it over.

        Only a 404 with the registry's own text that names the id counts as Absent.
        """
        try:
            return self._study(nct_id, load)
        except RegistryError as error:
            return _failed(nct_id, error)

    def find_org_id(self, text: str, *, retry: bool = True) -> tuple[NctId, ...]:
        """Find the trials with exactly this study id of an organisation: none, one or several.

        Ignores case and the number of spaces. The registry searches by words and finds more, so
        its results are compared here. Raises RegistryError.
        """
        wanted, quoted = _fold(text), phrase(text)
        if not quoted or len(quoted) > LONGEST_ORG_ID:
            return ()
        params = {
            **_FORM,
            "filter.advanced": f'AREA[OrgStudyId]"{quoted}"',
            "fields": "NCTId|OrgStudyId",
            "pageSize": str(PAGE_SIZE),
        }
        found = set()
        once = partial(self._fetch_page, is_part=False, retry=False)
        for study in read_complete(self._pages.page if retry else once, params):
            identity = identity_of(study)
            if identity and _fold(org_study_id_of(study) or "") == wanted:
                found.add(identity.nct_id)
        return tuple(sorted(found))

    # --- a batch -----------------------------------------------------------------------------

    def _answers(self, ids: Sequence[NctId], load: RegistryVersion) -> Iterator[Answer | _Missing]:
        def fetch(batch: Sequence[NctId]) -> dict[NctId, Answer]:
            if len(batch) == 1:
                return {batch[0]: self._alone(batch[0], load)}
            studies = read_complete(self._pages.part, _batch_params(batch))
            return self._match(batch, studies, load)

        for batch, found in self._batches.each(ids, fetch, most=self._most):
            for nct_id in batch:
                if isinstance(found, RegistryError):
                    yield _failed(nct_id, found)
                else:
                    # removed: kept until the next batch has arrived, two batches took 100 MB
                    yield found.pop(nct_id, _Missing(nct_id))

    def _alone(self, nct_id: NctId, load: RegistryVersion) -> Answer:
        """Fetch the answer for a batch of one id. Raises DIVISIBLE errors."""
        answer = self.study(nct_id, load)
        if isinstance(answer, Failed) and isinstance(answer.error, DIVISIBLE):
            raise answer.error
        return answer

    def _match(
        self, batch: Iterable[NctId], studies: Iterable[Any], load: RegistryVersion
    ) -> dict[NctId, Answer]:
        """Map each requested id to its study, by the study's own id or by an alias.

        Omits ids that no study has, and aliases that several studies claim. Both are then requested
        separately.
        """
        asked = set(batch)
        own: dict[NctId, Observation] = {}
        taken_over: dict[NctId, dict[NctId, Observation]] = {}
        for study in studies:
            identity = identity_of(study)
            if identity is None or asked.isdisjoint(identity.names):
                who = identity.nct_id if identity else "a trial without an NCT id"
                _logger.warning("ignored a record that was not requested: %s", who)
                continue
            for name in asked & identity.names:
                observation = self._observe(identity.nct_id, name, study, load)
                if name == identity.nct_id:
                    own[name] = observation
                else:
                    taken_over.setdefault(name, {})[identity.nct_id] = observation
            self._note_load(study, load)
        sole = {name: next(iter(by.values())) for name, by in taken_over.items() if len(by) == 1}
        return {**sole, **own}

    # --- a listing ---------------------------------------------------------------------------

    def listing(
        self,
        params: Mapping[str, str],
        *,
        page_size: int = PAGE_SIZE,
        resume: Cursor | None = None,
        seen: Iterable[NctId] = (),
        restarts: int = MOST_RESTARTS,
    ) -> Listing:
        """Return the pages of all studies that match `params` (query.*, filter.*, fields, ...).

        Sends nothing until it is iterated; see Listing for its results and errors. For complete
        records, use pages of about 200: a record has 17 KB on average and 3.6 MB at most.
        """
        asked = {**_FORM, **params, "pageSize": str(page_size)}
        return Listing(self._pages.page, asked, resume=resume, seen=seen, restarts=restarts)

    def fields_of(
        self, ids: Sequence[NctId], fields: str
    ) -> Iterator[tuple[Sequence[NctId], list[Any] | RegistryError]]:
        """Yield batches of `ids`, each with its studies, limited to `fields`, or with its error.

        A batch that fails because of its size, or of one id, is halved as in `studies`.
        """
        asked = {**_FORM, "fields": fields, "pageSize": str(PAGE_SIZE)}
        most = self._room_for_ids({**asked, AMONG[1]: ""})

        def fetch(batch: Sequence[NctId]) -> list[Any]:
            return read_complete(self._pages.part, {**asked, AMONG[1]: "|".join(batch)})

        yield from self._batches.each(ids, fetch, most=most)

    def matching(self, params: Mapping[str, str], ids: Collection[NctId]) -> dict[NctId, NctId]:
        """Map each of `ids` that matches `params` to its current id.

        The requests are limited to `ids`. Raises RegistryError.
        """
        asked = {**_FORM, **params, "fields": _NAMES, "pageSize": str(PAGE_SIZE)}
        most = self._room_for_ids({**asked, AMONG[0]: ""})
        found: dict[NctId, NctId] = {}
        fetch = partial(self._pages.among, asked)
        for batch, studies in self._batches.each(sorted(ids), fetch, most=most):
            if isinstance(studies, RegistryError):
                raise studies
            for identity in filter(None, map(identity_of, studies)):
                names = identity.names.intersection(batch)
                found.update(dict.fromkeys(names, identity.nct_id))
        return found

    def _room_for_ids(self, params: Mapping[str, str]) -> int:
        """Return how many ids fit into the URL of a request with these parameters."""
        url = f"{self._transport.base_url}{_STUDIES}?{urlencode(params)}"
        return max(1, min(LARGEST_BATCH, (LONGEST_URL - len(url)) // len("NCT00000000%7C")))

    def _fetch_page(
        self, params: Mapping[str, str], *, is_part: bool, retry: bool = True
    ) -> AnsweredPage:
        page: AnsweredPage = self._ask(_STUDIES, params, read_page, is_part=is_part, retry=retry)
        return page

    def _ask(
        self,
        path: str,
        params: Mapping[str, str],
        read: Callable[[Any], Any],
        *,
        is_part: bool = False,
        retry: bool = True,
    ) -> Any:
        """Fetch a value that must exist: a 404 or a redirect here means a wrong base URL."""
        reply, value = self._transport.get_json(
            path, params, read=read, retry=retry, is_divisible=is_part
        )
        if reply.status != 200:
            raise RegistryUnreachable(
                f"no registry at {self._transport.base_url}: {path} answers with status "
                f"{reply.status}; check registry.url"
            )
        return value

    # --- one study ---------------------------------------------------------------------------

    def _study(self, asked: NctId, load: RegistryVersion) -> Answer:
        """Fetch one study. Follows redirects itself, because they drop the query string."""
        path: list[NctId] = [asked]
        while len(path) <= MOST_HOPS + 1:
            reply, study = self._transport.get_json(f"{_STUDIES}/{path[-1]}", _FORM)
            if reply.status == 200:
                return self._recognise(path, reply, study, load)
            if reply.status not in _REDIRECTS:
                return self._absent(asked, reply, load)
            following = self._redirected_to(reply)
            if following in path:
                raise BadAnswer(f"{asked}: the registry redirects in a loop")
            path.append(following)
        raise BadAnswer(f"{asked}: the registry redirects more than {MOST_HOPS} times")

    def _redirected_to(self, reply: Response) -> NctId:
        """Return the trial that a redirect names.

        The form of the target is unknown: relative or absolute, with or without www. So only its id
        is used. Nothing is sent to the target itself.
        """
        location = reply.headers.get("Location", "")
        try:
            return parse_nct_id(urlsplit(location).path.rstrip("/").rpartition("/")[2])
        except (ValueError, BadNctId) as error:
            shown = shorten(for_log(location), 200)
            raise BadAnswer(f"the registry redirects to {shown!r}, not to a study") from error

    def _recognise(
        self, path: Sequence[NctId], reply: Response, study: JsonObject, load: RegistryVersion
    ) -> Answer:
        """Return the study at the end of a redirect path, or Failed if it is another study."""
        asked, last = path[0], path[-1]
        identity = identity_of(study)
        if identity is None:
            return Failed(
                asked, UnidentifiedRecord(f"{asked}: the study has no NCT id"), reply.body
            )
        redirected = len(path) > 1
        if asked not in identity.names or (redirected and last != identity.nct_id):
            error = IdentityMismatch(
                f"requested {asked}, but the registry returned {identity.nct_id}, "
                "which does not list it as an alias; nothing was stored"
            )
            return Failed(asked, error, reply.body)
        self._note_load(study, load)
        return self._observe(identity.nct_id, asked, study, load)

    def _absent(self, asked: NctId, reply: Response, load: RegistryVersion) -> Absent:
        """Return Absent if the registry says that the id does not exist. Else raises BadAnswer."""
        denied = _NOT_FOUND.fullmatch(reply.text)
        if reply.status == 404 and reply.media_type == "text/plain" and denied:
            try:
                if parse_nct_id(denied[1]) == asked:
                    return Absent(
                        nct_id=asked,
                        said=reply.text.strip(),
                        fetched_at=self._clock.now(),
                        data_timestamp=load.data_timestamp,
                    )
            except BadNctId:
                pass
        text = f"{asked}: status {reply.status} without the registry's text for a missing trial"
        raise BadAnswer(text, raw=reply.body)

    def _observe(
        self, nct_id: NctId, asked_as: NctId, study: JsonObject, load: RegistryVersion
    ) -> Observation:
        return Observation(
            nct_id=nct_id,
            asked_as=asked_as,
            study=study,
            fetched_at=self._clock.now(),
            data_timestamp=load.data_timestamp,
        )

    def _note_load(self, study: JsonObject, load: RegistryVersion) -> None:
        day = load_day_of(study)
        if day is not None and day != load.data_timestamp.date():
            self._other_loads[day] += 1


def _failed(nct_id: NctId, error: RegistryError) -> Failed:
    return Failed(nct_id, error, error.raw if isinstance(error, BadAnswer) else b"")


def _batch_params(ids: Iterable[NctId]) -> dict[str, str]:
    return {**_FORM, "pageSize": str(PAGE_SIZE), "filter.ids": "|".join(ids)}


def _fold(text: str) -> str:
    return " ".join(text.split()).casefold()
