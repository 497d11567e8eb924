"""The row of each trial in each format, compared with its bodies at both ends of the window.

The truth is a plain comparison of two bodies: status, enrollment, start, primary completion and
completion. The rows are read back from the text of each format. Two sources: 600 real trials on
25 load days, and 533 versions of real trials, reconstructed from the table of cthist.
"""

from __future__ import annotations

import csv
import html
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import openpyxl
import orjson
import pytest
from markdown_it import MarkdownIt

from ctsync.dates import PartialDate, Shift
from ctsync.model import JsonObject, Level, NctId, StoredEvent
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.enum_words import enum_words
from ctsync.record.events.classify import classify
from ctsync.record.value_text import plain, short_signed_days, signed_days, typed
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.report.build import Scope, build
from ctsync.report.formats.feed import entries
from ctsync.report.formats.render import ReportFormat, render
from ctsync.report.formats.xlsx import render_xlsx
from ctsync.report.mail.subject import LONGEST, subject_of_trial
from ctsync.report.report import Report, Window
from ctsync.report.words.net_changes import NetChange
from ctsync.store.store import Store, open_store
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.corpus.test_cthist_versions import Row, histories, study
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

__all__ = ["histories"]  # a fixture

DATES = {
    "primary completion": ("primaryCompletionDateStruct", "primary_completion_date"),
    "completion": ("completionDateStruct", "completion_date"),
    "start": ("startDateStruct", "start_date"),
}
KINDS = {kind: name for name, (_, kind) in DATES.items()} | {"enrollment": "enrollment"}
FIRST_SEEN = "since first seen: "
NOW = datetime(2026, 3, 14, tzinfo=UTC)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


class Typed(NamedTuple):
    """A date or count of a body with its type."""

    value: Any
    type: str | None

    def words(self, name: str) -> str:
        """The value as a row shows it; a status in words."""
        return typed(enum_words(self.value) if name == "status" else plain(self.value), self.type)


@dataclass(frozen=True)
class SummaryRow:
    """The row of a trial, as one format shows it."""

    level: str
    what: str
    since: str
    about: str = ""


def values(body: JsonObject) -> dict[str, Typed]:
    """Return the measured values of a body by the names that a row uses."""
    protocol = body["protocolSection"]
    module = protocol["statusModule"]
    count = protocol.get("designModule", {}).get("enrollmentInfo", {})
    dates = {name: module.get(struct, {}) for name, (struct, _) in DATES.items()}
    return {
        "status": Typed(module["overallStatus"], None),
        "enrollment": Typed(count.get("count"), count.get("type")),
        **{name: Typed(one.get("date"), one.get("type")) for name, one in dates.items()},
    }


def shift(before: Any, after: Any) -> Shift | None:
    old, new = PartialDate.parse(before), PartialDate.parse(after)
    return old.shift_to(new) if old and new else None


def days_between(before: Any, after: Any) -> int | None:
    found = shift(before, after)
    return found.days if found else None


def short_move(before: Any, after: Any) -> str:
    """The move between two dates as a cell shows it; empty if there is none."""
    found = shift(before, after)
    return short_signed_days(found.days, found.margin) if found and found.days else ""


# --- the rows of each format ------------------------------------------------------------------


def rows_of(text: str, form: ReportFormat) -> dict[str, SummaryRow]:
    """Read the summary rows back from a rendered report, by NCT id."""
    return {nct: SummaryRow(*map(one_line, rest)) for nct, *rest in READERS[form](text)}


def one_line(text: str) -> str:
    return " ".join(text.split())


def _text(text: str) -> Iterator[list[str]]:
    """Rows of the table: level and id, then what the trial is, then deeper what changed."""
    found: list[list[str]] = []
    for line in text.split("WHAT CHANGED\n", 1)[-1].split("\n\n", 1)[0].splitlines():
        level, nct, cell, is_deeper = line[:9], line[10:22], line[23:], line[23:25] == "  "
        if nct.strip():
            found.append([nct.strip(), level.strip(), "", cell])
        else:
            found[-1][2 if is_deeper else 3] += f" {cell}"
    for nct, level, rest, about in found:
        what, *since = re.split(" since (?:registration|first seen): ", one_line(rest))
        yield [nct, level, what, "".join(since) or "-", about]


def _markdown(text: str) -> Iterator[list[str]]:
    tables = (token.children for token in MARKDOWN.parse(text) if token.type == "inline")
    cells = ["".join(child.content for child in children or ()) for children in tables]
    for n, nct in enumerate(cells):
        if re.fullmatch(r"NCT\d{8}", nct) and cells[n - 1] in set(Level):
            title, words, what, since = cells[n + 1 : n + 5]
            since = since.removeprefix(FIRST_SEEN)
            yield [nct, cells[n - 1], what, since, f"{words} · {title}"]


def _html(text: str) -> Iterator[list[str]]:
    table = re.search(r'<table class="rows">(.*?)</table>', text, re.DOTALL)
    for row in re.findall(r"<tr>(<td>.*?)</tr>", table[1] if table else ""):
        level, nct, about, what, since = (
            html.unescape(re.sub(r"<[^>]+>", "", cell.replace("<br>", "\n")))
            for cell in re.split(r"</td>", row)[:5]
        )
        title, _, words = about.partition("\n")
        yield [nct, level, what, since.removeprefix(FIRST_SEEN), f"{words} · {title}"]


def _json(text: str) -> Iterator[list[str]]:
    for trial in json.loads(text)["trials"]:
        if trial["folded"] is None:
            since = trial["since_registration"] or "-"
            yield [trial["nct_id"], trial["level"], trial["what"], since, ""]


def _atom(text: str) -> Iterator[list[str]]:
    content = ET.fromstring(text).findtext(".//{*}entry/{*}content") or ""
    moved = r"(?: \(([^()]*) since (?:registration|first seen)\))?"
    row = re.compile(rf"^(\w+) (NCT\d{{8}}) (.*?){moved}\n(.*)$", re.MULTILINE)
    for level, nct, what, since, about in row.findall(content):
        if level in set(Level):
            yield [nct, level, what, since or "-", about]


READERS = {
    ReportFormat.TEXT: _text,
    ReportFormat.MARKDOWN: _markdown,
    ReportFormat.HTML: _html,
    ReportFormat.JSON: _json,
    ReportFormat.ATOM: _atom,
}
"""The formats with a row per trial; CSV has a row per change."""


# --- the truth --------------------------------------------------------------------------------


@dataclass
class Verdicts:
    """The number of statements that were compared, and those that are false."""

    checked: int = 0
    false: tuple[str, ...] = ()

    def check(self, is_true: bool, statement: str) -> None:
        self.checked += 1
        if not is_true:
            self.false = (*self.false, statement)


def phrases(what: str) -> dict[str, list[str]]:
    """Group the phrases of a row by the field that their first word names."""
    found: dict[str, list[str]] = {}
    for phrase in what.split("; "):
        if re.fullmatch(r"\d+ of \d+ enrolled(, then .*)?", phrase):
            name = "enrollment"
        elif phrase.startswith("primary completion "):
            name = "primary completion"
        else:
            name = phrase.split(" ", 1)[0]
        found.setdefault(name, []).append(phrase)
    return found


def is_net(name: str, phrase: str, before: Typed, after: Typed) -> bool:
    """Whether the phrase names the net change from `before` to `after`."""
    if name == "status":
        return phrase.removeprefix("status -> ").split(", then ")[-1] == after.words(name)
    steps = re.split(", (?:first|after) ", phrase)
    if before.value is None:
        return steps[0] == f"{name} now given: {after.words(name)}"
    if after.value is None:
        return steps[0] == f"{name} no longer given (was {before.words(name)})"
    if name == "enrollment":
        if phrase == f"{after.value} of {before.value} enrolled":
            return (before.type, after.type) == ("ESTIMATED", "ACTUAL")
        counts = phrase.removeprefix("enrollment ").split(" -> ")
        return (counts[0], counts[-1]) == (before.words(name), after.words(name))
    values_only = f"{before.words(name)} -> {after.words(name)}"
    move = short_move(before.value, after.value) or values_only
    head = phrase.removeprefix(f"{name} ").split(": ")[0]
    return head in (move, f"{move}, now {(after.type or '').lower()}")


def compare_row(
    row: SummaryRow | None, bodies: Sequence[JsonObject], earlier: Iterable[JsonObject],
    tally: Verdicts,
) -> None:  # fmt: skip
    """Compare a row with the bodies in its window, oldest first, and all earlier ones."""
    nct = bodies[0]["protocolSection"]["identificationModule"]["nctId"]
    course = [values(body) for body in bodies]
    old, new = course[0], course[-1]
    said = phrases(row.what) if row else {}
    moved: set[str] = set()
    for name, before in old.items():
        after, told = new[name], said.get(name, [])
        seen = {one[name].value for one in course}
        where = f"{nct} {name} {before} -> {after}: {told}"
        changed = before.value != after.value
        if name in DATES and changed and not days_between(before.value, after.value):
            # a change of precision alone is administrative, and need not be in the row
            changed = None in (before.value, after.value)
        if changed:
            # a date that was just given has not moved since
            moved.update({name} if None not in seen else ())
            tally.check(len(told) == 1 and is_net(name, told[0], before, after), where)
        elif len(seen) > 1 and told:
            is_gone = after.value is None
            back = ", then removed again" if is_gone else f", then back to {after.words(name)}"
            tally.check(told[0].endswith(back) or is_net(name, told[0], before, after), where)
        else:
            tally.check(not told or before.value != after.value, where)
    if row:
        compare_since(row, [*map(values, earlier), *course], moved, tally)


def compare_about(about: str, body: JsonObject, tally: Verdicts) -> None:
    """Compare sponsor, condition, phase and title of a row with the body."""
    protocol = body["protocolSection"]
    identification = protocol["identificationModule"]
    sponsor, *middle = one_line(about).split(" · ")
    name = protocol["sponsorCollaboratorsModule"]["leadSponsor"]["name"]
    tally.check(one_line(name).startswith(sponsor.rstrip("…")), f"sponsor {sponsor}, not {name}")
    words = " · ".join(middle)
    phases = protocol.get("designModule", {}).get("phases", [])
    digits = "/".join(phase[-1] for phase in phases if phase != "NA")
    tally.check(
        f"Phase {digits} · " in words if digits else "Phase " not in words, f"{about}: {phases}"
    )
    title = identification.get("acronym") or identification["briefTitle"]
    tally.check(one_line(title).startswith(middle[-1].partition(":")[0].rstrip("…")) or
                middle[-1].rstrip("…") in one_line(identification["briefTitle"]),
                f"title {middle[-1]}, not {title}")  # fmt: skip
    conditions = protocol["conditionsModule"]["conditions"]
    shown = middle[0].rstrip("…")
    initials = {"".join(w[0] for w in re.findall(r"\w+", c)).upper() for c in conditions}
    numbers = {f"{n + 1} conditions" for n in range(1, len(conditions))}
    known = {*initials, *numbers, " and ".join(sorted(conditions))}
    tally.check(
        any(one_line(c).startswith(shown) for c in conditions) or shown in known,
        f"{shown}: {conditions}",
    )


def compare_since(
    row: SummaryRow, course: Sequence[dict[str, Typed]], moved: set[str], tally: Verdicts
) -> None:
    """Compare the moves since registration with the first body that has the date."""
    new = course[-1]
    for name in DATES:
        known = next((one for one in course if one[name].value is not None), new)
        told = re.findall(rf"(?<!primary )\b{name} ([^,]+)", row.since)
        found = shift(known[name].value, new[name].value)
        words = short_signed_days(found.days, found.margin) if found else "0 days"
        if name in moved and found is not None:
            tally.check(told == [words], f"{name} since registration: {row.since}")
        for figure in told:
            tally.check(figure == words, f"{name} since {figure}, not {words}")


def compare_days(change: NetChange, first: JsonObject, last: JsonObject, tally: Verdicts) -> None:
    """Compare the exact days of the net move of a date, which a cell rounds."""
    name = KINDS.get(change.event.kind)
    if name in DATES and change.has_values:
        days = days_between(values(first)[name].value, values(last)[name].value)
        tally.check(change.event.days == days, f"{name} {change.event.days} days, not {days}")


# --- 25 load days -----------------------------------------------------------------------------


@dataclass
class Days:
    """The trials that changed on the load days, synced into a store, and their bodies."""

    store: Store
    loads: list[str]
    bodies: dict[NctId, dict[str, JsonObject]]
    unchanged: int

    def within(self, nct: NctId, since: str, until: str) -> list[JsonObject]:
        """Return the body at the start of a window, then those of the loads in it."""
        found = self.bodies[nct]
        earlier = [body for day, body in found.items() if day < since]
        return [*earlier[-1:], *(body for day, body in found.items() if since <= day <= until)]


@pytest.fixture(scope="module")
def synced(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Days]:
    """Sync every trial with more than one body, on each load day."""
    bodies: dict[NctId, dict[str, JsonObject]] = {}
    unchanged = 0
    for folder in sorted((corpus / "days").glob("NCT*")):
        files = sorted(folder.iterdir())
        unchanged += len(files) == 1
        if len(files) > 1:
            bodies[NctId(folder.name)] = {f.stem: orjson.loads(f.read_bytes()) for f in files}
    loads = (corpus / "days/_days.txt").read_text().split()
    clock = StillClock()
    url = f"sqlite:///{tmp_path_factory.mktemp('rows') / 'ctsync.db'}"
    with (
        open_store(url, clock=clock) as store,
        ReplayRegistry(Catalogue.from_folder(corpus / "days")) as registry,
    ):
        for day in loads:
            registry.load = day
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            TrialPass(store=store, registry=api, clock=clock).run(list(bodies))
            transport.close()
        yield Days(store, loads, bodies, unchanged)


def days_report(days: Days, since: str, until: str) -> Report:
    end = datetime.fromisoformat(until).replace(tzinfo=UTC) + timedelta(days=1)
    window = Window(datetime.fromisoformat(since).replace(tzinfo=UTC), end)
    return report_data(days.store, ReportQuestion(window, ids=tuple(days.bodies), drawn=False))


@pytest.mark.parametrize("form", READERS)
def test_each_row_over_the_load_days_agrees_with_the_bodies(
    synced: Days, form: ReportFormat
) -> None:
    tally = Verdicts()
    windows = [(synced.loads[0], synced.loads[-1]), *pairwise(synced.loads[::6])]
    told = 0
    for since, until in windows:
        rows = rows_of(render(days_report(synced, since, until), form), form)
        told += len(rows)
        for nct, bodies in synced.bodies.items():
            found = synced.within(nct, since, until)
            if found:
                compare_row(rows.get(nct), found, bodies.values(), tally)
                if nct in rows and form is not ReportFormat.JSON:
                    compare_about(rows[nct].about, found[-1], tally)
    print(
        f"\n{form}: {told} rows in {len(windows)} windows, {len(synced.bodies)} trials that "
        f"changed, {synced.unchanged} that did not; {tally.checked} statements compared, "
        f"{len(tally.false)} false"
    )
    assert tally.false == ()
    assert len(synced.bodies) + synced.unchanged == 600
    assert told > 40
    assert tally.checked > 400


def test_the_row_of_each_load_day_is_the_same_in_each_format(synced: Days) -> None:
    report = days_report(synced, synced.loads[0], synced.loads[-1])

    rows = [rows_of(render(report, form), form) for form in READERS]
    words = [{nct: (r.level, r.what, r.since) for nct, r in found.items()} for found in rows]

    for found in words[1:]:
        assert found == words[0]
    assert list(words[0]) == [trial.nct_id for trial in report.listed]


def csv_rows(report: Report) -> list[dict[str, Any]]:
    """Read the rows of the CSV; a number is a float."""
    text = io.StringIO(render(report, ReportFormat.CSV), newline="")
    rows = csv.DictReader(text, quoting=csv.QUOTE_NONNUMERIC)
    return [
        {k: v.removeprefix("'") if isinstance(v, str) else v for k, v in row.items()}
        for row in rows
    ]


def xlsx_rows(report: Report) -> list[dict[str, Any]]:
    """Read the rows of the workbook; dates as the CSV writes them."""
    book = openpyxl.load_workbook(io.BytesIO(render_xlsx(report)))
    head, *rows = book["Changes"].iter_rows(values_only=True)
    found = [dict(zip(map(str, head), row, strict=True)) for row in rows]
    for row in found:
        for name, value in row.items():
            if isinstance(value, datetime):
                is_day = name == "posted"
                row[name] = f"{value:%Y-%m-%d}" if is_day else f"{value:%Y-%m-%dT%H:%M:%SZ}"
            row[name] = "" if value is None else row[name]
    return found


LABELS = {"Overall Status": "status", "Enrollment": "enrollment", "Study Start": "start",
          "Primary Completion": "primary completion", "Study Completion": "completion"}  # fmt: skip


def is_given(told: dict[str, Any], name: str, old: Typed, new: Typed) -> bool:
    """Whether a row of a table has the values of both bodies, and the move between them."""
    days = days_between(old.value, new.value) if name in DATES else None
    percent = round((new.value - old.value) / old.value * 100, 1) if name == "enrollment" else None
    return (
        (told["before"], told["after"]) == (old.words(name), new.words(name))
        and told["days"] == ("" if days is None else days)
        and told["percent"] == ("" if percent is None else percent)
    )


@pytest.mark.parametrize("read", [csv_rows, xlsx_rows])
def test_each_row_of_a_table_agrees_with_the_bodies_of_its_version(synced: Days, read: Any) -> None:
    report = days_report(synced, synced.loads[0], synced.loads[-1])
    rows = read(report)
    tally = Verdicts()
    for row in rows:
        bodies = list(synced.bodies[NctId(row["nct_id"])].values())
        protocol = bodies[-1]["protocolSection"]
        tally.check(row["title"] == protocol["identificationModule"]["briefTitle"], row["title"])
        lead = protocol["sponsorCollaboratorsModule"]["leadSponsor"]["name"]
        tally.check(row["sponsor"] == lead, f"{row['sponsor']}, not {lead}")
        conditions = sorted(protocol["conditionsModule"]["conditions"])
        tally.check(sorted(row["conditions"].split("; ")) == conditions, row["conditions"])
        here = bodies[int(row["version"]) - 1]["protocolSection"]["statusModule"]
        posted = here["lastUpdatePostDateStruct"]["date"]
        tally.check(row["posted"] == posted, f"posted {row['posted']}, not {posted}")
    for nct, found in synced.bodies.items():
        for number, (before, after) in enumerate(pairwise(found.values()), 2):
            old, new = values(before), values(after)
            of_version = [r for r in rows if (r["nct_id"], r["version"]) == (nct, number)]
            for label, name in LABELS.items():
                told = [row for row in of_version if row["label"] == label]
                changed = old[name].value != new[name].value
                where = f"{nct} {name} {old[name]} -> {new[name]}: {told}"
                if changed and name in DATES and not days_between(old[name].value, new[name].value):
                    continue
                tally.check(len(told) == changed, where)
                tally.check(all(is_given(row, name, old[name], new[name]) for row in told), where)
    print(f"\n{len(rows)} rows of {read.__name__}; {tally.checked} statements compared, "
          f"{len(tally.false)} false")  # fmt: skip
    assert tally.false == ()
    assert len(rows) == report.shown > 50
    assert tally.checked > 500


def test_both_tables_have_the_same_cells(synced: Days) -> None:
    report = days_report(synced, synced.loads[0], synced.loads[-1])

    assert xlsx_rows(report) == csv_rows(report)


def test_each_line_of_a_feed_entry_agrees_with_the_bodies_of_its_version(synced: Days) -> None:
    report = days_report(synced, synced.loads[0], synced.loads[-1])
    tally = Verdicts()
    for entry in entries(report)[1:]:
        match = re.fullmatch(r".*/(NCT\d{8})#v(\d+)", entry.id)
        assert match is not None
        bodies = list(synced.bodies[NctId(match[1])].values())
        version = int(match[2])
        if version == 1:
            continue
        old, new = values(bodies[version - 2]), values(bodies[version - 1])
        title, words, *_ = entry.content.splitlines()
        compare_about(f"{words} · {title.partition(' ')[2]}", bodies[-1], tally)
        for label, name in LABELS.items():
            told = re.findall(rf"^{label}: (.*) \[", entry.content, re.MULTILINE)
            changed = old[name].value != new[name].value
            if changed and name in DATES and not days_between(old[name].value, new[name].value):
                continue
            where = f"{entry.id} {name} {old[name]} -> {new[name]}: {told}"
            tally.check(len(told) == changed, where)
            for line in told:
                sides = f"{old[name].words(name)} -> {new[name].words(name)}"
                tally.check(line.startswith(sides), where)
                found = shift(old[name].value, new[name].value) if name in DATES else None
                move = signed_days(found.days, found.margin) if found else ""
                tally.check(move in line, where)
    print(f"\n{tally.checked} statements of feed entries compared, {len(tally.false)} false")
    assert tally.false == ()
    assert tally.checked > 150


def test_the_subject_of_each_trial_names_the_moves_that_gave_it_its_level(synced: Days) -> None:
    report = days_report(synced, synced.loads[0], synced.loads[-1])
    compared = 0
    for trial in report.trials:
        bodies = list(synced.bodies[trial.nct_id].values())
        old, new = values(bodies[0]), values(bodies[-1])
        for change in trial.changes:
            name = KINDS.get(change.event.kind, change.event.kind)
            if name not in old or not change.has_values or change.level is not trial.level:
                continue
            compared += 1
            moved = short_move(old[name].value, new[name].value) if name in DATES else ""
            shown = Typed(new[name].value, None).words(name)
            words = f"{name} {moved}" if moved else shown
            assert ("status unknown" if words == "Unknown" else words) in subject_of_trial(trial)
            assert len(subject_of_trial(trial)) <= LONGEST
    assert compared >= 10


def test_the_json_has_the_values_of_the_bodies_at_both_ends(synced: Days) -> None:
    report = days_report(synced, synced.loads[0], synced.loads[-1])
    compared = 0
    for trial in json.loads(render(report, ReportFormat.JSON))["trials"]:
        bodies = list(synced.bodies[NctId(trial["nct_id"])].values())
        old, new = values(bodies[0]), values(bodies[-1])
        for move in trial["moves"]:
            name = KINDS.get(move["kind"], move["kind"])
            compared += 1
            assert (move["before"], move["before_type"]) == old[name]
            assert (move["after"], move["after_type"]) == new[name]
            if name in DATES:
                assert move["days"] == days_between(move["before"], move["after"])
    assert compared >= 20


# --- windows over published histories ----------------------------------------------------------


def events_of(bodies: Sequence[JsonObject]) -> Iterator[StoredEvent]:
    """Yield the events between reconstructed versions of one trial."""
    records = [canonicalize(body) for body in bodies]
    keys = [key_fields(record.body) for record in records]
    nct = NctId(bodies[0]["protocolSection"]["identificationModule"]["nctId"])
    for n, (before, after) in enumerate(pairwise(records), 1):
        for event in classify(diff(before, after), before, after, past=keys[:n]):
            yield StoredEvent(
                event_id=0, nct_id=nct, brief_title="", event=event, from_version=n,
                to_version=n + 1, from_registry_version=None, to_registry_version=None,
                posted=None, observed=None, fetched=NOW, run_id=None,
            )  # fmt: skip


def windows(count: int) -> Iterable[tuple[int, int]]:
    """Return windows from one version to a later one: all, or those of 6 lengths if too many."""
    pairs = combinations(range(count), 2)
    return pairs if count < 15 else (one for one in pairs if one[1] - one[0] in {1, 2, 3, 5, 9, 20})


def test_each_row_over_a_published_history_agrees_with_both_ends(
    histories: list[list[Row]],
) -> None:
    tally, told, reversed_, twice = Verdicts(), 0, 0, 0
    for rows in histories:
        bodies = [study(row) for row in rows]
        events = list(events_of(bodies))
        spans = {*windows(len(bodies)), (0, len(bodies) - 1)}
        for start, end in sorted(spans):
            within = [one for one in events if start + 1 < one.to_version <= end + 1]
            report = build(within, window=Window(None, NOW), scope=Scope("past", 1))
            found = [SummaryRow(t.level, t.what, t.since_first or "-") for t in report.trials]
            row = found[0] if found else None
            compare_row(row, bodies[start : end + 1], bodies[:start], tally)
            told += len(found)
            for change in (one for trial in report.trials for one in trial.changes):
                compare_days(change, bodies[start], bodies[end], tally)
            reversed_ += any("then back to" in row.what for row in found)
            changes = [one for trial in report.trials for one in trial.changes]
            twice += any(len(one.values) > 1 and one.is_headline for one in changes)
    print(
        f"\n{told} rows over windows of {len(histories)} trials: {twice} with a value that changed "
        f"twice or more, {reversed_} with one that was reversed; {tally.checked} statements "
        f"compared, {len(tally.false)} false"
    )
    assert tally.false == ()
    assert twice > 100
    assert reversed_ > 0


def test_a_row_never_hides_a_critical_move(histories: list[list[Row]]) -> None:
    """Each critical change of a measured value is in the row of the complete history."""
    seen = 0
    for rows in histories:
        events = list(events_of([study(row) for row in rows]))
        (trial, *_) = build(events, window=Window(None, NOW), scope=Scope("past", 1)).trials or [
            None
        ]
        if trial is None:
            continue
        critical = [change for change in trial.changes if change.level is Level.CRITICAL]
        seen += len(critical)
        assert trial.changes[: len(critical)] == tuple(critical)
        for name in ("status", "primary completion", "start", "completion"):
            if any(phrases_of_kind(name, change.event.kind) for change in critical):
                assert name in phrases(trial.what)
    assert seen > 20


def phrases_of_kind(name: str, kind: str) -> bool:
    return kind == (name if name == "status" else DATES[name][1])


def test_the_row_of_a_real_trial_shows_a_slip_that_was_partly_taken_back(
    histories: list[list[Row]],
) -> None:
    rows = next(rows for rows in histories if rows[0]["nctid"] == "NCT01417949")
    events = list(events_of([study(row) for row in rows]))

    (trial,) = build(events, window=Window(None, NOW), scope=Scope("past", 1)).trials

    assert trial.what.startswith("primary completion +1.7 years: +3.2 years, then -1.4 years; ")
    (moved,) = (one for one in trial.changes if one.event.kind == "primary_completion_date")
    assert moved.event.days == 638
    assert [step.days for step in moved.values if step.days] == [1157, -519]
