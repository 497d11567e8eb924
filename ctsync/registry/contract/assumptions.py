"""The assumptions about the registry that ctsync relies on, and a check of each.

None of them was verified with the live registry: they come from its documentation and from other
clients. `check_contract` checks them with at most LARGEST_INQUIRY requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar

from ctsync.dates import format_minute
from ctsync.errors import BadAnswer, RegistryError
from ctsync.model import NctId, RegistryVersion
from ctsync.record.value_text import counted
from ctsync.registry.api import LARGEST_BATCH
from ctsync.registry.contract.inquiry import Inquiry
from ctsync.registry.http.curl import find_curl
from ctsync.registry.http.response import Response, as_object, parse_json
from ctsync.registry.identity import identity_of, load_day_of
from ctsync.registry.listing import PAGE_SIZE, AnsweredPage, read_page
from ctsync.registry.load_checks import read_version
from ctsync.registry.record_history import read_history_version, read_index
from ctsync.text import for_log, shorten

TRIAL = NctId("NCT03389919")
ORG_ID = "BM-MSC-01"
ALIAS, CANONICAL = NctId("NCT00000141"), NctId("NCT01203436")
ABSENT = NctId("NCT99999999")

_STUDIES = "/v2/studies"
_FORM = {"format": "json", "markupFormat": "markdown"}
_NAMES = "NCTId|NCTIdAlias|VersionHolder"
_PAGE = {"fields": _NAMES, "pageSize": str(PAGE_SIZE)}
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
_ID = re.compile(r"NCT\d{8}")
_DATA_CHANGED = "the data have probably changed"
_SMALLER_BATCHES = (250, 100)
_T = TypeVar("_T")


class ContractState(StrEnum):
    """Whether an assumption holds."""

    HOLDS = "holds"
    DIFFERS = "differs"
    UNCHECKED = "could not be checked"


@dataclass(frozen=True, slots=True)
class ContractFinding:
    """The result of checking one assumption. `found` describes the registry's answer."""

    assumption: str
    state: ContractState
    found: str


class _Differs(Exception):
    """The answer differs from the assumption; the text describes the answer."""


class _NotSeen(Exception):
    """The requests could not show whether the assumption holds. The text states why."""


def check_contract(inquiry: Inquiry) -> Iterator[ContractFinding]:
    """Check every assumption, and yield its finding. A failed check does not stop the others."""
    asked = _Asked(inquiry)
    for assumption, check in _CHECKS.items():
        try:
            yield ContractFinding(assumption, ContractState.HOLDS, check(asked))
        except _Differs as error:
            yield ContractFinding(assumption, ContractState.DIFFERS, str(error))
        except BadAnswer as error:
            yield ContractFinding(assumption, ContractState.DIFFERS, f"received: {error}")
        except (_NotSeen, RegistryError) as error:
            yield ContractFinding(assumption, ContractState.UNCHECKED, str(error))


class _Asked:
    """The answers that several checks read. Each is requested once, even if it is unusable."""

    def __init__(self, inquiry: Inquiry) -> None:
        self.inquiry = inquiry
        self._read: dict[str, Any] = {}

    def studies(self, params: Mapping[str, str]) -> Response:
        """Request a listing."""
        return self.inquiry.ask(_STUDIES, {**_FORM, **params})

    def page(self, params: Mapping[str, str]) -> AnsweredPage:
        """Request a page of a listing. Raises _Differs or BadAnswer for any other answer."""
        return read_page(_json(self.studies(params)))

    def once(self, name: str, ask: Callable[[], _T]) -> _T:
        """Return the answer with this name, which the first call requests.

        If it is unusable, the first call raises the error, and later calls raise _NotSeen.
        """
        if name not in self._read:
            self._read[name] = None
            self._read[name] = ask()
        answer: _T | None = self._read[name]
        if answer is None:
            raise _NotSeen(f"there was no usable answer for the {name}")
        return answer

    def version_answer(self) -> Response:
        return self.once("version", lambda: self.inquiry.ask("/v2/version"))

    def load(self) -> RegistryVersion:
        return read_version(_json(self.version_answer()))

    def first_page(self) -> AnsweredPage:
        params = {**_PAGE, "countTotal": "true"}
        return self.once("first page of trials", lambda: self.page(params))

    def first_ids(self) -> list[NctId]:
        return _ids(self.first_page().studies)

    def first_token(self) -> str:
        token = self.first_page().token
        if token is None:
            raise _NotSeen("the registry lists all its trials on one page")
        return token


def _ids(studies: Iterable[Any]) -> list[NctId]:
    return [identity.nct_id for study in studies if (identity := identity_of(study))]


def _listed(ids: Iterable[NctId]) -> str:
    return ", ".join(sorted(ids)) or "no trial"


def _json(answer: Response) -> Any:
    if answer.status != 200 or answer.media_type != "application/json":
        raise _Differs(_shown(answer))
    return parse_json(answer.body)


def _shown(answer: Response) -> str:
    """Describe an answer: its status, media type and the beginning of its text."""
    if answer.status == 403:
        return "403: the edge server refuses this client"
    text = answer.text if answer.media_type.startswith("text/") else ""
    where = f", Location {answer.headers['Location']}" if answer.headers.get("Location") else ""
    said = f": {text.strip()}" if text and answer.media_type != "text/html" else ""
    kind = answer.media_type or "no content type"
    return shorten(for_log(f"{answer.status}, {kind}{where}{said}"), 200)


def _need(holds: object, came: str) -> None:
    if not holds:
        raise _Differs(came)


# --- the load, and one trial ---------------------------------------------------------------------


def _version(asked: _Asked) -> str:
    version = asked.load()
    stamp = as_object(_json(asked.version_answer())).get("dataTimestamp", "")
    _need(version.api_version.startswith("2."), f"apiVersion {for_log(version.api_version)}")
    _need(_STAMP.fullmatch(str(stamp)), f"dataTimestamp {shorten(for_log(str(stamp)), 40)}")
    return f"API {version.api_version}, data of {format_minute(version.data_timestamp)}"


def _user_agent(asked: _Asked) -> str:
    answer = asked.version_answer()
    _need(answer.status != 403, _shown(answer))
    return f"our User-Agent is answered with {answer.status}"


def _study(asked: _Asked) -> str:
    study = as_object(_json(asked.inquiry.ask(f"{_STUDIES}/{TRIAL}", _FORM)))
    _need(_ids([study]) == [TRIAL], f"a record of {_listed(_ids([study]))}")
    day, load = load_day_of(study), asked.load().data_timestamp.date()
    _need(day == load, f"versionHolder {day} in the load of {load}")
    return f"{TRIAL} with versionHolder {day}"


# --- lists of ids --------------------------------------------------------------------------------


def _batch(asked: _Asked) -> str:
    ids = asked.first_ids()[:LARGEST_BATCH]
    refused = ""
    for size in (LARGEST_BATCH, *_SMALLER_BATCHES):
        if len(ids) < size:
            continue
        answer = asked.studies({"filter.ids": "|".join(ids[:size]), "pageSize": str(PAGE_SIZE)})
        if answer.status != 200 or answer.media_type != "application/json":
            refused = refused or f"{size} ids: {_shown(answer)}"
            continue
        came = len(read_page(parse_json(answer.body)).studies)
        _need(came == size, f"{came} records for {size} ids")
        _need(not refused, f"{refused}; {size} ids are accepted")
        return f"{size} ids in one request, {size} records"
    if not refused:
        raise _NotSeen(f"the registry lists only {len(ids)} trials")
    raise _Differs(refused)


def _aliases_in_batch(asked: _Asked) -> str:
    params = {"filter.ids": "|".join((TRIAL, ALIAS, ABSENT)), "pageSize": "10"}
    found = {
        one.nct_id: one.names for study in asked.page(params).studies if (one := identity_of(study))
    }
    _need(TRIAL in found and ABSENT not in found, f"three ids return: {_listed(found)}")
    _need(ALIAS in found.get(CANONICAL, ()), f"the alias {ALIAS} returns: {_listed(found)}")
    return f"an alias gives {CANONICAL}, and an id without a record gives nothing"


def _ids_with_fields(asked: _Asked) -> str:
    return _selected(asked, {"filter.ids": TRIAL})


def _matching(asked: _Asked) -> str:
    organisation = f'AREA[OrgStudyId]"{ORG_ID}"'
    return _selected(asked, {"filter.advanced": organisation, "postFilter.ids": TRIAL})


def _selected(asked: _Asked, params: Mapping[str, str]) -> str:
    names = _ids(asked.page({**params, "fields": _NAMES, "pageSize": "10"}).studies)
    _need(names == [TRIAL], f"received: {_listed(names)}")
    return f"{' and '.join(params)} with fields: only {TRIAL}"


# --- listings ------------------------------------------------------------------------------------


def _fields(asked: _Asked) -> str:
    (study, *_) = asked.first_page().studies or [None]
    sections = sorted(as_object(study))
    _need(sections == ["derivedSection", "protocolSection"], f"sections {', '.join(sections)}")
    modules = sorted(as_object(as_object(study)["protocolSection"]))
    _need(modules == ["identificationModule"], f"modules {', '.join(modules)}")
    return "only the requested fields"


def _paging(asked: _Asked) -> str:
    first, ids = asked.first_page(), asked.first_ids()
    _need(first.total, "no totalCount on the first page")
    wanted = min(PAGE_SIZE, first.total or 0)
    _need(len(ids) == wanted, f"{len(ids)} of {wanted} trials on the first page")
    more = _ids(asked.page({**_PAGE, "pageToken": asked.first_token()}).studies)
    _need(more, "a second page without trials")
    twice = set(ids).intersection(more)
    _need(not twice, f"{len(twice)} trials of the first page repeated on the second")
    return f"pages of {PAGE_SIZE} and a totalCount of {first.total:,}"


def _sort(asked: _Asked) -> str:
    since = asked.load().data_timestamp.date() - timedelta(days=14)
    params = {
        "filter.advanced": f"AREA[LastUpdatePostDate]RANGE[{since},MAX]",
        "sort": "LastUpdatePostDate:desc",
        "fields": "NCTId|LastUpdatePostDate",
        "pageSize": "100",
    }
    days = [_posted(study) for study in asked.page(params).studies]
    if not days:
        raise _NotSeen(f"no trial was updated since {since}")
    _need(days == sorted(days, reverse=True), "the dates of the last update are not in order")
    _need(min(days) >= str(since), f"a trial of {min(days)} in a listing from {since} on")
    return f"{counted(len(days), 'trial')} updated since {since}, newest first"


def _posted(study: Any) -> str:
    path = ("protocolSection", "statusModule", "lastUpdatePostDateStruct")
    for name in path:
        study = as_object(as_object(study).get(name))
    return str(study.get("date", ""))


def _organisation(asked: _Asked) -> str:
    params = {"filter.advanced": f'AREA[OrgStudyId]"{ORG_ID}"', "pageSize": "10"}
    names = _ids(asked.page({**params, "fields": "NCTId|OrgStudyId"}).studies)
    _need(TRIAL in names, f"the study id {ORG_ID} finds: {_listed(names)}")
    return f"the study id {ORG_ID} finds {TRIAL}"


# --- aliases and refusals ------------------------------------------------------------------------


def _redirect(asked: _Asked) -> str:
    answer = asked.inquiry.ask(f"{_STUDIES}/{ALIAS}", _FORM)
    _need(300 <= answer.status < 400, _shown(answer))
    location = answer.headers.get("Location", "")
    _need(_ID.findall(location) == [CANONICAL], f"Location {shorten(for_log(location), 120)}")
    return f"{answer.status} to {shorten(for_log(location), 120)}"


def _not_found(asked: _Asked) -> str:
    answer = asked.inquiry.ask(f"{_STUDIES}/{ABSENT}", _FORM)
    return _refusal(answer, 404, f"NCT number {ABSENT} not found")


def _bad_id(asked: _Asked) -> str:
    answer = asked.studies({"filter.ids": f"{TRIAL}|NCT0338991X"})
    return _refusal(answer, 400, "Item 2 in parameter `filter.ids` has incorrect format")


def _bad_parameter(asked: _Asked) -> str:
    answer = asked.studies({"bogusParam": "1"})
    return _refusal(answer, 400, "`bogusParam` is unknown parameter")


def _refusal(answer: Response, status: int, text: str) -> str:
    same = answer.status == status and answer.media_type == "text/plain"
    _need(same and answer.text.strip() == text, _shown(answer))
    return f"{status}: {text}"


# --- the record history --------------------------------------------------------------------------


def _history(asked: _Asked, *, by_curl: bool) -> str:
    if by_curl and find_curl() is None:
        raise _NotSeen("curl is not installed")
    path = f"/int/studies/{TRIAL}/history"
    index = read_index(_json(asked.inquiry.ask(path, by_curl=by_curl)))
    read_history_version(_json(asked.inquiry.ask(f"{path}/0", by_curl=by_curl)), TRIAL, 0)
    return f"{counted(len(index), 'version')} of {TRIAL}, and version 0 in full"


# --- the bulk download, and a reload -------------------------------------------------------------


def _download(asked: _Asked) -> str:
    answer = asked.inquiry.ask_start("/v2/studies/download", {"format": "json.zip"})
    kind = answer.media_type
    _need(answer.status in {200, 206} and kind == "application/zip", _shown(answer))
    _need(answer.body[:4] == b"PK\3\4", "the answer does not begin like a ZIP archive")
    names = ("Content-Disposition", "Content-Length", "Content-Range", "Accept-Ranges", "ETag")
    sent = [f"{name} {answer.headers[name]}" for name in names if answer.headers.get(name)]
    return shorten(for_log("; ".join([f"{answer.status} {kind}", *sent])), 300)


def _size(asked: _Asked) -> str:
    total = as_object(_json(asked.inquiry.ask("/v2/stats/size"))).get("totalStudies")
    _need(isinstance(total, int), f"totalStudies {total!r}")
    return f"{total:,} trials"


def _reload(asked: _Asked) -> str:
    now = read_version(_json(asked.inquiry.ask("/v2/version")))
    if now.data_timestamp == asked.load().data_timestamp:
        raise _NotSeen("the registry loaded no new data during these requests")
    answer = asked.studies({**_PAGE, "pageToken": asked.first_token()})
    _need(answer.status == 400 and _DATA_CHANGED in answer.text.lower(), _shown(answer))
    return f"a page token of the previous load: {_shown(answer)}"


_CHECKS: Mapping[str, Callable[[_Asked], str]] = {
    "version": _version,
    "user agent": _user_agent,
    "study": _study,
    "page of fields": _fields,
    "paging": _paging,
    "batch of ids": _batch,
    "alias in a batch": _aliases_in_batch,
    "alias redirect": _redirect,
    "filter.ids with fields": _ids_with_fields,
    "postFilter.ids with fields": _matching,
    "delta and sort": _sort,
    "study id of an organisation": _organisation,
    "no such trial": _not_found,
    "malformed id": _bad_id,
    "unknown parameter": _bad_parameter,
    "history by requests": lambda asked: _history(asked, by_curl=False),
    "history by curl": lambda asked: _history(asked, by_curl=True),
    "number of trials": _size,
    "bulk download": _download,
    "page token after a reload": _reload,
}
