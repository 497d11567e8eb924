"""The text and HTML parts of a mail: inline styles, dark mode, links, safe remote text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from ctsync.model import Category, KeyFields, Kind, Level
from ctsync.report.build import Scope, build, build_welcome
from ctsync.report.mail.condense import MOST_ALIKE
from ctsync.report.mail.mail_html import render_mail_html
from ctsync.report.mail.mail_text import render_mail_text
from ctsync.report.report import Coverage, Fold, Report, UncheckedTrial
from tests.registry_fixtures import an_id
from tests.report.examples import (
    QUICK,
    SLOW,
    WINDOW,
    demo_events,
    event,
    first_seen,
    outcome,
    report,
    stored,
)
from tests.security.attacks import ATTACKS

SITE = "https://trials.example.org"
NOTES = ("ctsync sent this mail to anna@example.org.",)
COVERAGE = Coverage(41, (UncheckedTrial(an_id(9), "timed out"),), run_ids=(118,))
WATCHES = {SLOW: ("melanoma", "sponsor"), QUICK: ("sponsor",)}
CSS = files("ctsync.report").joinpath("templates/mail.css").read_text("utf-8")
SHEET, DARK = CSS.split("@media (prefers-color-scheme: dark)")


def digest(**given: object) -> Report:
    scope = {"title": "melanoma, sponsor", "watched": 42, "coverage": COVERAGE} | given
    return build(demo_events(), window=WINDOW, scope=Scope(watches=WATCHES, **scope))  # type: ignore[arg-type]  # the scope of a test


def welcome(trials: int, limit: int = 50) -> Report:
    statuses = ["RECRUITING", "COMPLETED", "RECRUITING", "ACTIVE_NOT_RECRUITING", None]
    keys = {
        an_id(n): KeyFields(status=statuses[n % 5], brief_title=f"Trial {n} of a drug " * 3)
        for n in range(1, trials + 1)
    }
    scope = Scope("melanoma, sponsor", trials, coverage=Coverage(trials), limit=limit)
    return build_welcome(keys, window=WINDOW, scope=scope)


class Elements(HTMLParser):
    """Collects each element of the body with its attributes, and the text of the style sheet."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.comments: list[str] = []
        self.sheet = ""
        self._in_style = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))
        self._in_style = tag == "style"

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False

    def handle_data(self, data: str) -> None:
        self.sheet += data if self._in_style else ""

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


def properties(selector: str, sheet: str = SHEET) -> dict[str, str]:
    """Return what the style sheet declares for a selector."""
    found: dict[str, str] = {}
    for names, body in re.findall(r"([^{}]+)\{([^{}]*)\}", sheet.partition("*/")[2] or sheet):
        if selector in [name.strip() for name in names.split(",")]:
            pairs = (one.split(":", 1) for one in body.split(";") if one.strip())
            found |= {name.strip(): value.strip() for name, value in pairs}
    return found


@pytest.mark.parametrize("built", [digest(), digest(limit=2), welcome(572), welcome(1)])
def test_a_mail_needs_no_style_sheet(built: Report) -> None:
    page = Elements(render_mail_html(built, notes=NOTES))

    for tag, attributes in page.found:
        names = [tag, *(f".{name}" for name in attributes.get("class", "").split())]
        inline = attributes.get("style", "")
        for name in (one for selector in names for one in properties(selector)):
            assert re.search(rf"(?:^|;)\s*{name}:", inline), (tag, attributes, name)
    assert re.sub(r"\s", "", page.sheet).startswith("@media(prefers-color-scheme:dark)")
    assert page.sheet.count("@media") == 1


def test_a_mail_is_laid_out_by_tables_with_a_fixed_width_for_outlook() -> None:
    page = Elements(render_mail_html(digest()))

    assert {one.get("role") for tag, one in page.found if tag == "table"} == {"presentation"}
    assert any("[if mso]" in comment and 'width="680"' in comment for comment in page.comments)
    assert not {"img", "script", "link", "iframe", "svg"} & {tag for tag, _ in page.found}


def test_a_mail_declares_light_and_dark_colours() -> None:
    page = Elements(render_mail_html(digest()))

    meta = {one.get("name"): one.get("content") for tag, one in page.found if tag == "meta"}
    assert meta["color-scheme"] == meta["supported-color-schemes"] == "light dark"


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_each_text_has_enough_contrast_in_both_colour_schemes() -> None:
    names = [".soft", ".row", ".head", ".step", ".change", ".was", ".rule", ".number", ".name"]
    names += [".line", ".foot", "a", "h1", "h2", "h3", ".cut", "ins", "del", ".level"]
    names += [".critical", ".notable", ".warning"]
    worst = []
    for sheet in (SHEET, DARK.partition("{")[2]):
        card = properties(".cell", sheet)["background-color"].split()[0]
        for name in names:
            own = properties(name, sheet)
            ground = own.get("background-color", card).split()[0]
            worst.append((contrast(own["color"].split()[0], ground), name))
    print(f"contrast: {len(worst)} pairs, worst {min(worst)}")
    assert min(worst)[0] >= 4.5


@pytest.mark.parametrize("site", [SITE, ""])
def test_links_lead_to_the_pages_of_web_url_or_to_the_registry(site: str) -> None:
    built = digest(limit=2, elsewhere={an_id(5): Level.ROUTINE})
    html = render_mail_html(built, site=site)
    text = render_mail_text(built, site=site)

    page = f"{SITE}/trials/{SLOW}.html" if site else f"https://clinicaltrials.gov/study/{SLOW}"
    for part in (html, text):
        assert page in part
        assert "below your lowest level or reported in another message: 1 of 42 trials" in (
            " ".join(part.split())
        )
        commands = re.findall(r"\bctsync (?:changes|report|diff|history|watch)\b(?!:)", part)
        # no page of the registry lists the changes of several trials
        assert commands == ([] if site else ["ctsync changes"])


@pytest.mark.parametrize("site", [SITE, ""])
def test_each_trial_of_a_plain_text_mail_has_its_link(site: str) -> None:
    sites = event(
        Kind.SITE, Level.ROUTINE, category=Category.SITES, path="sites", label="Sites",
        summary="Sites 44 -> 43",
    )  # fmt: skip
    folded = [stored(sites, an_id(n)) for n in range(20, 27)]
    built = report(
        [*demo_events(), *folded, stored(first_seen(), an_id(12))], watched=42, coverage=COVERAGE
    )
    assert (len(built.folded(Fold.SITES)), built.welcomed) == (7, 2)
    for mailed in (render_mail_text(built, site=site), render_mail_text(welcome(60), site=site)):
        named = set(re.findall(r"NCT\d{8}", mailed))
        links = re.findall(r"https://\S+", mailed)
        linked = {nct_id for url in links for nct_id in re.findall(r"NCT\d{8}", url)}
        print(f"mail: {len(linked)} of {len(named)} trials have a link")
        assert named - linked == set()
        assert all(not site or url.startswith((site, "https://clini")) for url in links)


def test_a_mail_names_the_watches_of_each_trial_and_what_could_not_be_checked() -> None:
    for part in (render_mail_html(digest()), render_mail_text(digest())):
        assert "Watches: melanoma, sponsor" in part
        assert "Watch: sponsor" in part
        assert "INCOMPLETE: 41 of 42 checked" in part
        assert "timed out" in part


def test_routine_changes_of_one_kind_are_shown_by_their_first_ones() -> None:
    frame = event(Kind.OUTCOME, Level.ROUTINE, label="Secondary outcome time frame")
    events = [stored(replace(frame, path=f"s{n}")) for n in range(20)]
    events += [stored(replace(outcome("a", "b"), path=f"p{n}")) for n in range(5)]
    built = report(events)
    for part in (render_mail_html(built), render_mail_text(built)):
        words = " ".join(part.split())
        assert part.count("Secondary outcome time frame") == MOST_ALIKE
        assert part.count("[notable R-OUT-06]") == 5
        assert "17 more changes" in words
        assert f"https://clinicaltrials.gov/study/{SLOW}?tab=history" in words


def test_a_welcome_has_totals_by_status_and_one_line_per_trial() -> None:
    built = welcome(572)
    text = render_mail_text(built, site=SITE, notes=NOTES)
    lines = text.splitlines()

    assert lines[0] == built.subject == "Now following 572 trials: melanoma, sponsor"
    totals = re.findall(r"^ +(\d+)  (\w.*)", text, re.MULTILINE)
    assert totals == [
        ("229", "Recruiting"),
        ("115", "Completed"),
        ("114", "Active, not recruiting"),
        ("114", "No status"),
    ]
    assert len([line for line in lines if line.startswith("NCT")]) == 50
    assert f"and 522 more trials: {SITE}/" in lines
    assert max(len(line.partition("  https://")[0]) for line in lines) <= 76
    assert len(lines) < 70
    assert lines[-1] == NOTES[0]
    html = render_mail_html(built, site=SITE, notes=NOTES)
    assert html.count(f'href="{SITE}/trials/NCT') == 50
    assert f'<a href="{SITE}/"' in html
    assert "229" in html
    assert len(html) < 50_000


@pytest.mark.slow
def test_remote_text_adds_no_element_to_a_mail() -> None:
    def tags(text: str) -> list[str]:
        keys = {an_id(1): KeyFields(status="RECRUITING", brief_title=text)}
        one = event(Kind.OTHER, label=text, summary=text, before="", after=text)
        reports = [
            report([stored(one, brief_title=text)], watches={SLOW: (text,)}, title=text),
            build_welcome(keys, window=WINDOW, scope=Scope(text, 1)),
        ]
        pages = [Elements(render_mail_html(built, notes=(text,))) for built in reports]
        return [f"{tag} {sorted(set(one))}" for page in pages for tag, one in page.found]

    expected = {*tags("benign"), *tags("a long text " * 500)}
    wrong = [text for text in ATTACKS if not expected.issuperset(tags(text))]
    print(f"mail HTML: {len(ATTACKS)} attacks, {len(wrong)} with other elements")
    assert wrong == []


def test_a_welcome_lists_open_trials_first_by_their_next_date_and_says_so() -> None:
    keys = {
        an_id(1): KeyFields(status="COMPLETED", completion_date="2030-01"),
        an_id(2): KeyFields(status="RECRUITING", primary_completion_date="2031-05"),
        an_id(3): KeyFields(status="NOT_YET_RECRUITING", start_date="2026-12-01"),
        an_id(4): KeyFields(status="RECRUITING", primary_completion_date="2001-05"),
        an_id(5): KeyFields(status="TERMINATED"),
        an_id(6): KeyFields(status="SUSPENDED", start_date="2001-01", completion_date="2030-02-03"),
    }
    welcome = build_welcome(keys, window=WINDOW, scope=Scope("melanoma", 6))
    order = [one.nct_id for one in welcome.welcomes]
    assert order == [an_id(n) for n in (3, 6, 2, 4, 5, 1)]
    for written in (render_mail_text(welcome), render_mail_html(welcome)):
        places = [written.index(nct_id) for nct_id in order]
        assert places == sorted(places)
        assert "Open trials come first, by their next date" in " ".join(written.split())
