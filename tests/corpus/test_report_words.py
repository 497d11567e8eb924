"""Reports on real records contain no enum value of the registry."""

import gzip
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.errors import BadRecord
from ctsync.model import Event, JsonObject, KeyFields, Kind, NctId, Record
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.enum_words import is_enum
from ctsync.record.events.classify import classify
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.mail.subject import subject_of_trial
from ctsync.report.report import Report
from ctsync.report.words.event_line import event_line
from ctsync.report.words.net_changes import net_changes, phrase
from tests.report.examples import report, stored

pytestmark = pytest.mark.slow

CODE = re.compile(r"\b[A-Z][A-Z0-9]*(?:\\?_[A-Z0-9]+)+\b")
FORMATS = (ReportFormat.TEXT, ReportFormat.MARKDOWN, ReportFormat.HTML, ReportFormat.ATOM)


def _enum_values(value: Any, field: str = "") -> Iterator[str]:
    """Enum values with an underscore, which no sentence contains."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _enum_values(item, f"{field}.{key}".lstrip("."))
    elif isinstance(value, list):
        for item in value:
            yield from _enum_values(item, field)
    elif isinstance(value, str) and is_enum(field) and CODE.fullmatch(value):
        yield value


def _steps(corpus: Path) -> Iterator[tuple[Record, Record, tuple[KeyFields, ...]]]:
    for folder in sorted([*corpus.glob("days/NCT*"), *corpus.glob("versions/NCT*")]):
        records = [
            canonicalize(orjson.loads(f.read_bytes())) for f in sorted(folder.glob("*.json"))
        ]
        keys = tuple(key_fields(record.body) for record in records)
        for n in range(1, len(records)):
            yield records[n - 1], records[n], keys[:n]


def _studies(corpus: Path) -> Iterator[JsonObject]:
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        yield from map(orjson.loads, lines)


def _unlike(corpus: Path) -> Iterator[tuple[Record, Record, tuple[KeyFields, ...]]]:
    """Pairs of records that differ in almost every field."""
    studies = list(islice(_studies(corpus), 200))
    for one, other in zip(studies[::2], studies[1::2], strict=True):
        identification = other["protocolSection"]["identificationModule"]
        identification["nctId"] = one["protocolSection"]["identificationModule"]["nctId"]
        try:
            yield canonicalize(one), canonicalize(other), ()
        except BadRecord:
            continue


def _events(before: Record, after: Record, past: tuple[KeyFields, ...]) -> list[Event]:
    return classify(diff(before, after), before, after, past=past)


def _report(nct_id: NctId, events: list[Event]) -> Report:
    return report([stored(event, nct_id) for event in events])


@pytest.mark.parametrize("pairs", [_steps, _unlike])
def test_no_format_for_people_shows_an_enum_value(corpus: Path, pairs: Any) -> None:
    for before, after, past in pairs(corpus):
        values = {*_enum_values(before.body), *_enum_values(after.body)}
        events = _events(before, after, past)
        built = _report(after.nct_id, events)
        texts = [render(built, form) for form in FORMATS]
        texts += [built.subject, *(event_line(stored(event)) for event in events)]
        for text in texts:
            shown = {found.replace("\\", "") for found in CODE.findall(text)}
            assert not shown & values, after.nct_id


def _faults_of(phrase: str) -> Iterator[str]:
    """What reads badly in a phrase of a row."""
    outside = re.sub(r'"[^"]*"', '""', phrase)
    if re.search(r": [a-z ]+:", outside):
        yield "two colons"
    if re.search(r' of ""$', outside):
        yield "no verb"
    if phrase.count('"') % 2:
        yield "half a quoted text"
    if "(none)" in outside or "other details" in outside or "Section." in outside:
        yield "no plain words"


@pytest.mark.parametrize("pairs", [_steps, _unlike])
def test_each_phrase_of_a_row_says_what_happened(corpus: Path, pairs: Any) -> None:
    phrases: set[str] = set()
    for before, after, past in pairs(corpus):
        events = [stored(event, after.nct_id) for event in _events(before, after, past)]
        phrases.update(map(phrase, net_changes(events, administrative=True)))
    faults = {one: list(found) for one in phrases if (found := tuple(_faults_of(one)))}
    print(f"\n{len(phrases)} phrases of rows, {len(faults)} that read badly")
    assert faults == {}
    assert len(phrases) > 100


def test_losing_expanded_access_is_never_the_status_of_a_trial(corpus: Path) -> None:
    count = 0
    for study in islice(_studies(corpus), 400):
        before = canonicalize(study)
        if study["protocolSection"]["statusModule"].pop("expandedAccessInfo", None) is None:
            continue
        events = _events(before, canonicalize(study), ())
        assert {event.kind for event in events} == {Kind.STATUS}
        for trial in _report(before.nct_id, events).trials:
            assert "status ->" not in trial.what
            assert subject_of_trial(trial).startswith("Expanded Access")
            assert subject_of_trial(trial).endswith(f"({before.nct_id})")
        count += 1
    assert count > 200
