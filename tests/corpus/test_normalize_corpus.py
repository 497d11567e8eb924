"""Every real record in both forms: nothing differs but what was changed.

The HTML form of v2 records is made by the tests' own renderer (labelled reconstructed); the
bodies of the history endpoint are as they were recorded.
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
    """Where v2 writes Markdown: wherever one record at least has an escape or a line break."""
    return frozenset(
        path
        for study in studies
        for path, _, text in leaves(study)
        if isinstance(text, str) and ESCAPED.search(text)
    )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, tuple[Any, Any], Any]]:
    """Every leaf: its dotted path, the container and key it stands at, and its value."""
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


def edited(leaf: Any, luck: random.Random) -> Any:
    """Another value of the same kind: one letter, digit or flag is another, or is gone."""
    match leaf:
        case bool():
            return not leaf
        case int() | float():
            return leaf + 1
        case str():
            places = [m.start() for m in re.finditer(r"[^\W_]", leaf)]
            if not places:
                return leaf + "x"
            at = luck.choice(places)
            others = ("7" if leaf[at] != "7" else "8", leaf[at].swapcase(), "")
            other = luck.choice([one for one in others if one != leaf[at]])
            return leaf[:at] + other + leaf[at + 1 :]
        case _:
            return "x"


def compare_in_both_forms(
    studies: list[JsonObject], markdown_fields: frozenset[str], *, edits_of_each: int
) -> None:
    luck = random.Random(6)
    records = events = edits = found = written_alike = texts = 0
    for study in studies:
        html = canonicalize(as_html(study, markdown_fields))
        markdown = canonicalize(study)
        events += len(changes_between(html, markdown))
        records += 1
        ours = {text for _, _, text in leaves(readable(html, HistoryForm.HTML).body)}
        theirs = [text for _, _, text in leaves(markdown.body)]
        texts, written_alike = texts + len(theirs), written_alike + sum(t in ours for t in theirs)
        for _ in range(edits_of_each):
            body = orjson.loads(markdown.canonical)
            body.pop("derivedSection", None)
            everything = [leaf for leaf in leaves(body) if not leaf[0].endswith(".nctId")]
            _, (parent, key), value = luck.choice(everything)
            parent[key] = edited(value, luck)
            edits += 1
            found += bool(changes_between(html, canonicalize(body)))
    print(
        f"\nseam: {records:,} records, {events} false events; {edits:,} edits, {found:,} found;"
        f" {written_alike / texts:.3%} of {texts:,} values written to the byte as in v2"
    )
    assert events == 0
    assert found == edits
    assert written_alike / texts > 0.999


def test_a_record_in_both_forms_gives_no_event_and_every_edit_gives_one(
    studies: list[JsonObject], markdown_fields: frozenset[str]
) -> None:
    compare_in_both_forms(studies[::32], markdown_fields, edits_of_each=4)


@pytest.mark.soak
def test_all_real_records_in_both_forms(
    studies: list[JsonObject], markdown_fields: frozenset[str]
) -> None:
    compare_in_both_forms(studies, markdown_fields, edits_of_each=5)


def test_recorded_history_bodies_read_as_v2_and_do_not_differ_from_it(corpus: Path) -> None:
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
