"""The six formats of a report have the same facts, and remote text stays text in each."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from ctsync.model import Category, Kind, Level, NctId, StoredEvent
from ctsync.report.build import Scope, build
from ctsync.report.formats.feed import FeedEntry, atom, entries, json_feed, read_json_feed
from ctsync.report.formats.markdown import escaped
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.mail.mail_html import render_mail_html
from ctsync.report.mail.mail_text import render_mail_text
from ctsync.report.report import Report, UncheckedTrial
from ctsync.text import for_markup
from tests.record.studies import events_between, study
from tests.record.studies import outcome as measure
from tests.registry_fixtures import an_id
from tests.report.examples import (
    QUICK,
    SLOW,
    WINDOW,
    coverage,
    demo_events,
    event,
    first_seen,
    outcome,
    primary_completion,
    report,
    status,
    stored,
    timeline,
)
from tests.security.attacks import ATTACKS, FORMULAS

PEOPLE = (ReportFormat.TEXT, ReportFormat.MARKDOWN, ReportFormat.HTML, ReportFormat.ATOM)
ATOM = "{http://www.w3.org/2005/Atom}"
FAILED = (UncheckedTrial(NctId("NCT00000009"), "no connection to the registry"),)
FULL = report(
    [*demo_events(), stored(outcome("a long text " * 60, "another one"), to_version=6)],
    coverage=coverage(3, failed=FAILED),
    timelines={SLOW: timeline()},
)

CHANGES = [
    f"{line.rules} {trial.level} {trial.nct_id} {trial.url} {line.before} {line.after} "
    f"{line.move} {line.since_first} {line.detail} {step.posted}"
    for trial in FULL.trials
    for step in trial.steps
    for line in step.lines
]

_FACT = re.compile(
    r"NCT\d{8}|R-[A-Z]+-\d+|[+-][\d,.]+ (?:d|%)|\b\d{4}-\d{2}-\d{2}(?!\d)|[A-Z]+(?:_[A-Z]+)+"
    r"|\d+ of \d+|\(\+\d+ characters?\)|critical|notable|routine|[0-9a-f]{12}"
    r"|\d+ administrative changes?|No update posted|Could not check|administrative only"
)


def as_words(text: str, form: ReportFormat) -> str:
    """Return the words that a reader of this format sees."""
    match form:
        case ReportFormat.JSON:
            text = "\n".join(map(str, _leaves(json.loads(text))))
        case ReportFormat.CSV:
            rows = csv.DictReader(io.StringIO(text))
            text = "\n".join(v.removeprefix("'") for row in rows for v in row.values())
        case ReportFormat.ATOM:
            text = "\n".join(ET.fromstring(text).itertext())
        case ReportFormat.HTML:
            body = re.sub(
                r"<style>.*?</style>|<svg.*?</svg>|<details class=\"values\">.*?</details>"
                r"|<title>.*?</title>",
                " ",
                text,
                flags=re.DOTALL,
            )
            text = html.unescape(re.sub(r"<[^>]+>", " ", body))
            text = text.replace("dashed line: 2016-01-01", "")
        case ReportFormat.MARKDOWN:
            text = html.unescape(re.sub(r"\\(.)", r"\1", text))
    return re.sub(r"\s+", " ", text)


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]


def facts(text: str, form: ReportFormat) -> set[str]:
    return set(_FACT.findall(as_words(text, form)))


@pytest.mark.parametrize("form", list(ReportFormat))
def test_every_format_has_the_same_facts(form: ReportFormat) -> None:
    found = facts(render(FULL, form), form)
    expected = facts(render(FULL, ReportFormat.TEXT), ReportFormat.TEXT)

    if form in (ReportFormat.JSON, ReportFormat.CSV):  # they cut no value
        expected = {fact for fact in expected if "characters" not in fact}
    if form is ReportFormat.CSV:  # it has the changes, not the report about them
        expected = {fact for fact in expected if fact in " ".join(CHANGES)}
    missing = expected - found
    print(f"{form}: {len(expected)} facts, {len(missing)} missing")
    assert not missing
    # JSON and CSV also have each value in its own field, and times to the second
    extra = found - expected
    assert not extra or form in (ReportFormat.JSON, ReportFormat.CSV), extra


def attacked(texts: tuple[str, ...]) -> Report:
    events: list[StoredEvent] = []
    for n, text in enumerate(texts):
        trial = an_id(n + 1)
        long = f"{text} and seven more words that make a longer text of it"
        events += [
            stored(event(Kind.OTHER, label=text, before=text, after=[text], path=text), trial,
                   brief_title=text, posted=text[:10]),
            stored(outcome(long, f"{long} {text}"), trial, brief_title=text),
            stored(first_seen(), an_id(n + 5000), brief_title=text),
        ]  # fmt: skip
    failed = tuple(UncheckedTrial(an_id(n + 9000), text) for n, text in enumerate(texts))
    scope = Scope(title=texts[0], watched=9, coverage=coverage(1, failed=failed))
    return build(events, window=WINDOW, scope=scope)


ATTACKED = attacked(ATTACKS)


class Tags(HTMLParser):
    """Collects each tag with its attribute names, and the targets of links."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[tuple[str, tuple[str, ...]]] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add((tag, tuple(name for name, _ in attrs)))
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}


def tags_of(text: str) -> Tags:
    parser = Tags()
    parser.feed(text)
    return parser


# enough trials for the list at the top
BENIGN = tags_of(render(attacked(("A trial of aspirin", "long " * 200) * 10), ReportFormat.HTML))
LINK = re.compile(r"https://clinicaltrials\.gov/study/NCT\d{8}(\?tab=history.*)?|#NCT\d{8}")


def test_no_tag_and_no_attribute_comes_from_remote_text() -> None:
    found = tags_of(render(ATTACKED, ReportFormat.HTML))

    foreign = found.seen - BENIGN.seen
    print(f"HTML: {len(ATTACKS)} attacks, {len(foreign)} tags or attributes from data")
    assert not foreign
    assert all(LINK.fullmatch(link) for link in found.links)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(st.text(max_size=40))
def test_no_text_becomes_markup(text: str) -> None:
    found = tags_of(render(attacked((text, "x")), ReportFormat.HTML))

    assert found.seen <= BENIGN.seen


def test_html_loads_no_file_and_runs_no_script() -> None:
    text = render(FULL, ReportFormat.HTML)

    assert not re.search(r"<(?:script|img|link|iframe|object)|@import|url\(| on\w+=", text)
    assert "<svg" in text
    assert 'lang="en"' in text


def test_no_cell_of_a_csv_is_a_formula() -> None:
    for texts in (ATTACKS, FORMULAS):
        rows = list(csv.reader(io.StringIO(render(attacked(texts), ReportFormat.CSV))))
        cells = [cell for row in rows for cell in row]
        live = [cell for cell in cells if re.match(r"\s*[=@\t\r＝＠]|\s*[+\-－＋]\D", cell)]
        print(f"CSV: {len(texts)} attacks, {len(live)} formulas")
        assert not [cell for cell in live if not re.fullmatch(r"[+-][\d,.]+( d| %|, ).*", cell)]
        assert len({len(row) for row in rows}) == 1


MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def shown(markdown: str) -> str:
    """The text that a reader of the rendered Markdown sees."""
    tokens = [token for token in MARKDOWN.parse(markdown) if token.type == "inline"]
    leaves = [child for token in tokens for child in token.children or ()]
    return "".join(" " if one.type == "softbreak" else one.content for one in leaves)


def test_remote_text_adds_no_html_or_link_to_markdown() -> None:
    text = render(ATTACKED, ReportFormat.MARKDOWN)

    tokens = MARKDOWN.parse(text)
    leaves = [child for token in tokens for child in token.children or ()]
    links = [str(one.attrs["href"]) for one in leaves if one.type == "link_open"]
    types = {one.type for one in [*tokens, *leaves]}
    assert not types & {"html_block", "html_inline", "image", "fence", "code_block", "blockquote"}
    assert links
    assert all(LINK.fullmatch(link) for link in links)
    assert not re.search(r"(?<!\]\()\bhttps?://|\bwww\.", text)


@settings(max_examples=400)
@given(st.text(st.sampled_from("ab1 \\`*_{}[]()#+-.!|<>&;~$^=:@/é\n"), max_size=30))
@example("5 * 3 = 15, p < 0.05 & q > 1; NCT_1 - v2.0 (n=3)")
@example("<script>alert(1)</script> &lt; &#60; <!-- x --> <?x?>")
@example("__a__ _b_ a_b *c* **d** ~~e~~ `f` [g](h) ![i](j)")
def test_markdown_shows_each_text_as_it_is(text: str) -> None:
    cell = f"| head |\n|---|\n| x {escaped(text)} x |"

    assert " ".join(shown(cell).split()) == " ".join(
        f"head x {for_markup(text)} x".split()
    ).replace("head x", "headx", 1)
    assert " ".join(shown(f"- x {escaped(text)} x").split()) == " ".join(
        f"x {for_markup(text)} x".split()
    )


@pytest.mark.parametrize(
    "text",
    [
        "enrollment 300 (estimated) -> 420 (estimated); primary completion +1.2 years, p < 0.05",
        "BGB-A3055 v2.0: a 10-week, 2-arm study! {50 %} = half",
        "Window: 2026-02-03 to 2026-03-15 00:00Z",
        "HER2_positive & EGFR_mutant at 5 * 3 mg",
        "US$ 5",
    ],
)
def test_markdown_escapes_nothing_that_has_no_meaning(text: str) -> None:
    assert escaped(text) == text


def test_atom_is_well_formed_with_hostile_text() -> None:
    tree = ET.fromstring(render(ATTACKED, ReportFormat.ATOM))
    names = {element.tag.rpartition("}")[2] for element in tree.iter()}

    assert names == {
        "feed", "id", "title", "updated", "author", "name", "generator", "entry", "link", "content",
    }  # fmt: skip


def test_atom_has_the_elements_that_rfc_4287_requires() -> None:
    feed = ET.fromstring(render(FULL, ReportFormat.ATOM))
    found = feed.findall(f"{ATOM}entry")

    assert feed.tag == f"{ATOM}feed"
    assert len(found) == len(entries(FULL))
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "ctsync"
    for element in (feed, *found):
        for name in ("id", "title", "updated"):
            assert len(element.findall(f"{ATOM}{name}")) == 1
        assert urlsplit(element.findtext(f"{ATOM}id", "")).scheme in {"https", "urn"}
        updated = datetime.fromisoformat(element.findtext(f"{ATOM}updated", ""))
        assert updated.tzinfo is not None
    for entry in found:
        assert [content.get("type") for content in entry.findall(f"{ATOM}content")] == ["text"]
        assert [link.get("rel") for link in entry.findall(f"{ATOM}link")] == ["alternate"]


@given(st.text(st.characters(codec=None), max_size=60))
def test_atom_contains_any_text_as_for_markup_returns_it(text: str) -> None:
    entry = FeedEntry(id=text, title=text, url=text, updated=WINDOW.until, content=text)
    feed = ET.fromstring(atom(text, [entry], updated=WINDOW.until, page=text))

    for name in ("title", "entry/id", "entry/title", "entry/content"):
        path = "/".join(ATOM + step for step in name.split("/"))
        assert feed.findtext(path) == for_markup(text)
    assert [link.get("href") for link in feed.iter(f"{ATOM}link")][-1] == for_markup(text)


def test_a_feed_entry_has_the_id_and_the_post_date_of_its_version() -> None:
    found = {entry.id: entry for entry in entries(report())}

    entry = found["https://clinicaltrials.gov/study/NCT03690141#v8"]
    assert f"{entry.updated:%Y-%m-%d}" == "2019-07-16"
    assert entry.title == "16 of 30 enrolled; Active, not recruiting (NCT03690141)"
    assert "https://clinicaltrials.gov/study/NCT03690141#v4" in found


def test_a_json_feed_can_be_read_back() -> None:
    found = entries(ATTACKED)

    assert read_json_feed(json_feed("all", found)) == found
    assert atom("all", found, updated=WINDOW.until).count("<entry>") == len(found)
    with pytest.raises(ValueError, match="not a feed"):
        read_json_feed("{}")


def test_a_narrow_page_labels_the_moves_since_the_first_version_once() -> None:
    moved = primary_completion("2021-01-01", "2021-10-01", 273, 300)
    seen = replace(moved, inputs={"since_registration": False})
    events = [stored(moved), stored(seen, QUICK), stored(status("A", "B"), an_id(1))]
    page = render(report(events), ReportFormat.HTML)
    cells = re.findall(r'<td class="(since[^>]*)>([^<]*)</td>', page)
    assert sorted(cells) == [
        ('since none"', "-"),
        ('since"', "since first seen: primary completion +10 months"),
        ('since" data-is="since registration"', "primary completion +10 months"),
    ]


@pytest.mark.parametrize("form", [ReportFormat.HTML, ReportFormat.MARKDOWN])
def test_a_column_of_moves_says_from_when_they_count(form: ReportFormat) -> None:
    """A report after a first sync said "Since registration" above "since first seen"."""
    moved = primary_completion("2021-01-01", "2021-10-01", 273, 300)
    seen = replace(moved, inputs={"since_registration": False})
    shown = [str(render(report([stored(one)]), form)) for one in (moved, seen)]

    assert [("Since registration" in text, "Since first seen" in text) for text in shown] == [
        (True, False),
        (False, True),
    ]


def added_sites(count: int) -> Report:
    site = event(
        Kind.SITE, Level.ROUTINE, category=Category.SITES, summary="Sites 1 -> 2: 1 added ()"
    )
    return report(
        [stored(site, an_id(n), brief_title=f"Trial number {n} of a drug") for n in range(count)]
    )


@pytest.mark.parametrize("form", PEOPLE)
def test_a_trial_in_the_line_of_changed_sites_has_its_title(form: ReportFormat) -> None:
    text = " ".join(str(render(added_sites(6), form)).split())

    assert all(f"Trial number {n} of a drug" in text for n in range(6))
    assert "1 more" not in text


def test_a_mail_about_changed_sites_has_the_titles() -> None:
    for write in (render_mail_text, render_mail_html):
        text = " ".join(write(added_sites(2)).split())
        assert all(f"Trial number {n} of a drug: " in text for n in range(2))


MEASURES = [f"AUC of substance {n}" for n in range(18)]


def with_other_time_frames(*months: int) -> Report:
    """A report on 18 outcomes whose time frame changed, as in NCT07227597."""
    frames = [f"At designated time points (up to approximately {n} months)" for n in months]
    before, after = (
        study(secondary_outcomes=[measure(one, frame) for one in MEASURES]) for frame in frames
    )
    return report([stored(one, QUICK) for one in events_between(before, after)])


@pytest.mark.parametrize("form", PEOPLE)
def test_items_of_a_list_that_changed_alike_share_one_line(form: ReportFormat) -> None:
    built = with_other_time_frames(59, 58)

    text = " ".join(html.unescape(str(render(built, form))).split())

    print(f"{form}: 18 equal changes of time frames, {text.count('up to approximately')} shown")
    assert text.count("up to approximately") == 1
    assert "the same of 17 others: " in text
    assert all(f'"{one}"' in text.replace("\\", "") for one in MEASURES)


def test_a_blank_separates_a_change_from_its_rule() -> None:
    moved = primary_completion("2021-01", "2022-01", 365, 365)
    page = render(report([stored(status("A", "B")), stored(moved)]), ReportFormat.HTML)

    assert re.search(r"\S<span class=\"rule\">", page) is None


@pytest.mark.parametrize("form", [ReportFormat.JSON, ReportFormat.CSV])
def test_a_program_gets_one_row_for_each_item_that_changed_alike(form: ReportFormat) -> None:
    text = str(render(with_other_time_frames(59, 58), form))

    assert all(one in text for one in MEASURES)
    assert "the same of" not in text
