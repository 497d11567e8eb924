"""Real records in HTML and Markdown form: only real edits count as differences.

The HTML form of v2 records is reconstructed by the tests' own renderer. The bodies of the history
endpoint are as recorded.
"""

from __future__ import annotations

import gzip
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from ctsync.model import JsonObject, Record
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.history_form.normalize import HistoryForm, align_forms, is_same_content, readable
from tests.record.registry_html import as_html

pytestmark = pytest.mark.slow

ESCAPED = re.compile(r"\n|\\[<>\[\]^*&~_]")
HISTORY_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|#x27|#x2F);|</?(?:p|ul|ol|li)>")


@pytest.fixture(scope="module")
def studies(corpus: Path) -> list[JsonObject]:
    with gzip.open(corpus / "studies.jsonl.gz") as lines:
        return [orjson.loads(line) for line in lines]


@pytest.fixture(scope="module")
def markdown_fields(studies: list[JsonObject]) -> frozenset[str]:
    """Return the fields in Markdown: those where a record has an escape or a line break."""
    return frozenset(
        path
        for study in studies
        for path, _, text in leaves(study)
        if isinstance(text, str) and ESCAPED.search(text)
    )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any], Any]]:
    """Yield each leaf: its dotted path, its container and key, and its value."""
    parts: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in parts:
        here = path if isinstance(value, list) else f"{path}.{key}" if path else key
        if isinstance(child, (dict, list)):
            yield from leaves(child, here)
        else:
            yield here, (value, key), child


def changes_between(html: Record, markdown: Record) -> list[Any]:
    before, after = align_forms(html, HistoryForm.HTML, markdown, HistoryForm.MARKDOWN)
    changes = diff(before, after)
    return classify(changes, before, after) if changes else []


def edited(leaf: Any, chance: random.Random) -> Any:
    """Return a value of the same type with one letter, digit or flag changed or removed."""
    match leaf:
        case bool():
            return not leaf
        case int() | float():
            return leaf + 1
        case str():
            places = [m.start() for m in re.finditer(r"[^\W_]", leaf)]
            if not places:
                return leaf + "x"
            at = chance.choice(places)
            others = ("7" if leaf[at] != "7" else "8", leaf[at].swapcase(), "")
            other = chance.choice([one for one in others if one != leaf[at]])
            return leaf[:at] + other + leaf[at + 1 :]
        case _:
            return "x"


def compare_in_both_forms(
    studies: list[JsonObject], markdown_fields: frozenset[str], *, edits_of_each: int
) -> None:
    chance = random.Random(6)
    records = events = edits = found = identical = texts = 0
    for study in studies:
        html = canonicalize(as_html(study, markdown_fields))
        markdown = canonicalize(study)
        events += len(changes_between(html, markdown))
        records += 1
        ours = {text for _, _, text in leaves(readable(html, HistoryForm.HTML).body)}
        theirs = [text for _, _, text in leaves(markdown.body)]
        texts, identical = texts + len(theirs), identical + sum(t in ours for t in theirs)
        for _ in range(edits_of_each):
            body = orjson.loads(markdown.canonical)
            body.pop("derivedSection", None)
            candidates = [leaf for leaf in leaves(body) if not leaf[0].endswith(".nctId")]
            _, (parent, key), value = chance.choice(candidates)
            parent[key] = edited(value, chance)
            edits += 1
            found += bool(changes_between(html, canonicalize(body)))
    print(
        f"\nseam: {records:,} records, {events} false events; {edits:,} edits, {found:,} found;"
        f" {identical / texts:.3%} of {texts:,} values identical to v2"
    )
    assert events == 0
    assert found == edits
    assert identical / texts > 0.999


def test_a_record_in_both_forms_has_no_event_and_each_edit_has_one(
    studies: list[JsonObject], markdown_fields: frozenset[str]
) -> None:
    compare_in_both_forms(studies[::32], markdown_fields, edits_of_each=4)


@pytest.mark.soak
def test_all_real_records_in_both_forms_have_events_only_for_edits(
    studies: list[JsonObject], markdown_fields: frozenset[str]
) -> None:
    compare_in_both_forms(studies, markdown_fields, edits_of_each=5)


def test_recorded_history_bodies_equal_their_readable_form_without_html(corpus: Path) -> None:
    bodies = sorted((corpus / "history").glob("int-*.json"))
    marks = left = 0
    for path in bodies:
        html = canonicalize(orjson.loads(path.read_bytes())["study"])
        read = readable(html, HistoryForm.HTML)
        assert is_same_content(html, HistoryForm.HTML, read, HistoryForm.MARKDOWN), path.name
        for of, record in (("before", html), ("after", read)):
            count = sum(
                len(HISTORY_ENTITY.findall(text))
                for _, _, text in leaves(record.body)
                if isinstance(text, str)
            )
            marks, left = (marks + count, left) if of == "before" else (marks, left + count)
    print(f"\n{len(bodies)} recorded history bodies: {marks:,} tags and entities read, {left} left")
    assert len(bodies) == 4
    assert marks > 200
    assert left == 0
