"""Answers in the dialect of the live registry, as clients recorded them from 2023 to 2026.

The bodies are written for these tests and hold no recorded data. Statuses, headers, spacing, error
texts and shapes are those that several public clients recorded; `single` marks a shape with one
source. Nobody has checked them against the live registry with ctsync.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import orjson

from ctsync.model import JsonObject

TEXT, HTML, JSON = "text/plain; charset=UTF-8", "text/html", "application/json"
TRIAL, ALIAS, NOWHERE = "NCT01203436", "NCT00000141", "NCT99999999"


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One answer; `headers` are further header lines."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[str, ...] = ()
    single: bool = False


def text(status: int, body: str) -> RecordedAnswer:
    """An error of the registry, which is never JSON."""
    return RecordedAnswer(status, TEXT, body.encode())


def json(value: object, *headers: str) -> RecordedAnswer:
    """An answer with JSON."""
    return RecordedAnswer(200, JSON, orjson.dumps(value), headers)


def study(nct_id: str = TRIAL, **identification: object) -> JsonObject:
    """A small study as a listing or `/studies/{id}` shows it."""
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": nct_id,
                "orgStudyIdInfo": {"id": "OPTIMIZE-1"},
                "briefTitle": "A Study of Something & More",
                **identification,
            },
            "statusModule": {
                "statusVerifiedDate": "2026-09",
                "overallStatus": "RECRUITING",
                "lastUpdatePostDateStruct": {"date": "2026-09-30", "type": "ACTUAL"},
            },
        },
        "derivedSection": {"miscInfoModule": {"versionHolder": "2026-10-02"}},
        "hasResults": False,
    }


# --- API v2 -

VERSION = json(
    {"apiVersion": "2.0.5", "dataTimestamp": "2026-10-02T09:00:04"},
    'ETag: "883b003/0.34.1/mt0bpfwg"',
    "server: istio-envoy",
)
STUDY = json(study(nctIdAliases=[ALIAS]))
NOT_FOUND = text(404, f"NCT number {NOWHERE} not found")
UNKNOWN_PATH = RecordedAnswer(
    404, HTML, b"<html>\r\n<head><title>404 Not Found</title></head>\r\n</html>\r\n"
)
EMPTY_BATCH = RecordedAnswer(200, JSON, b'{"studies":[  ]}')
"""The answer to `filter.ids` if no id exists, with its two blanks; also an empty last page."""

ALIAS_MOVED = RecordedAnswer(301, "", b"", (f"Location: /api/v2/studies/{TRIAL}",), single=True)
"""The redirect of an alias. It drops the query. No client recorded the form of the target."""

REFUSALS: Sequence[RecordedAnswer] = (
    text(400, "Parameter `nctId` has incorrect format"),
    text(400, "Item 1 in parameter `filter.ids` has incorrect format"),
    text(400, "`query.bogus` is unknown parameter"),
    text(400, "Invalid prefix in parameter name: query.cond"),
    text(400, "Invalid value in parameter `overallStatus`: `NOT_A_STATUS`"),
    text(400, "Unsupported sort field type: text"),
    text(400, "Too complicated query"),
)
FIELDS_REFUSED = RecordedAnswer(
    400, TEXT, b"Parameter `fields` cannot be used with `filter.ids`", single=True
)
"""The words are ours: the one client that saw a 400 for `filter.ids` with `fields` gives none."""

DATA_CHANGED = (
    "The data have probably changed while you were paginating. "
    "Please, start over from the first page."
)
STALE_PAGES: Sequence[RecordedAnswer] = (
    text(400, DATA_CHANGED),
    RecordedAnswer(400, JSON, orjson.dumps({"message": DATA_CHANGED}), single=True),
)
FIRST_PAGE = json({"totalCount": 2, "studies": [study()], "nextPageToken": "NF0g5JKBlPAp" * 5})
SECOND_PAGE = json({"studies": [study("NCT01203437")], "nextPageToken": "ZVNj7o2Elu8o" * 5})

EDGE_REFUSAL = RecordedAnswer(403, HTML, b"<html><head><title>403 Forbidden</title></head></html>")
TOO_MANY = RecordedAnswer(429, HTML, b"<html><title>429 Too Many Requests</title></html>")
"""Sent without Retry-After."""
URL_TOO_LONG = RecordedAnswer(414, HTML, b"<html><title>414 Request-URI Too Large</title></html>")


def archive(*ids: str) -> RecordedAnswer:
    """The bulk download, which promises no length, no ETag and no ranges."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for nct_id in ids:
            opened.writestr(f"{nct_id[-2:]}/{nct_id}.json", orjson.dumps(study(nct_id)))
    name = "content-disposition: attachment; filename=ctg-studies.json.zip"
    return RecordedAnswer(200, "application/zip", packed.getvalue(), (name,))


SIZE = json({"totalStudies": 2, "averageSizeBytes": 17301, "percentiles": {}, "ranges": []})

# --- the record history -


def entry(number: int, day: str, *labels: str, **more: object) -> JsonObject:
    """One version of an index, as recorded in 2026."""
    return {
        "version": number,
        "date": day,
        "status": "RECRUITING",
        "studyType": "INTERVENTIONAL",
        "moduleLabels": list(labels),
        "lastUpdateSubmitQcDate": day,
        **more,
    }


def index(*entries: JsonObject) -> RecordedAnswer:
    """An index of versions."""
    return json(
        {
            "changes": list(entries),
            "originalData": {"leadSponsorSame": True},
            "lastUpdateVersions": {"enrollmentInfo": 0},
            "outcomesUpdateCount": 0,
        }
    )


INDEX = index(
    entry(0, "2020-04-29"),
    entry(1, "2021-01-08", "Study Status", "Contacts/Locations", "References"),
    entry(2, "2022-02-02", "Outcome Measures (Results)", reviewNotPassed=True),
)
INDEX_IN_ANOTHER_ORDER = index(
    entry(0, "2020-04-29"),
    entry(1, "2021-01-08", "References", "Study Status", "Contacts/Locations"),
    entry(2, "2022-02-02", "Outcome Measures (Results)", reviewNotPassed=True),
)
INDEX_OF_2023 = json(
    {"changes": [{"version": 0, "date": "2020-04-29", "status": "COMPLETED", "moduleLabels": []}]}
)
EMPTY_INDEX = index()
"""The index of a trial that has no versions, such as NCT02020174."""

NO_HISTORY = text(404, f"No study {TRIAL} history summary")
HISTORY_VERSION = json({"studyVersion": 1, "study": study()})
PATCHED_VERSION = json(
    {
        "studyVersion": 1,
        "patchVersion": 2,
        "study": study(),
        "patch": [{"op": "replace", "path": "/hasResults", "value": True}],
    }
)
"""The answer to `?patchToVersion=2`, which ctsync does not request."""
