"""The pictures: records without persons, and pages that ctsync builds from them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ctsync.demo.story import TRIAL, studies
from docs.pictures import draw
from docs.pictures.pages import build_pages
from docs.pictures.records import INVENTED, records, without_names
from tests.web.html_pages import html_faults

PERSONS = re.compile(r"contact|official|investigator|email|phone|responsibleParty", re.IGNORECASE)
NO_PERSONS = {"contactsLocationsModule", "officialTitle"}


def fields_of(value: Any) -> Iterator[str]:
    """Yield the name of each field of a record."""
    if isinstance(value, dict):
        yield from value
    for item in value.values() if isinstance(value, dict) else value:
        if isinstance(item, dict | list):
            yield from fields_of(item)


def test_no_record_of_the_pictures_has_a_field_about_a_person() -> None:
    found = {
        name
        for versions in records().values()
        for record in versions.values()
        for name in fields_of(record)
        if PERSONS.search(name)
    }
    assert found <= NO_PERSONS
    # the demo's own records have such fields, so that the check above finds them
    assert {name for one in studies().values() for name in fields_of(one) if PERSONS.search(name)}
    assert without_names(next(iter(studies().values()))) != next(iter(studies().values()))


def test_each_invented_trial_says_that_it_is_an_illustration() -> None:
    assert set(records()) == {TRIAL, *(one.nct_id for one in INVENTED)}
    for one in INVENTED:
        assert re.fullmatch(r"NCT0000000\d", one.nct_id)
        assert re.match("Example|Sample|Placeholder|Specimen", one.sponsor)
        for _, record in one.versions():
            title = record["protocolSection"]["identificationModule"]["briefTitle"]
            assert title.startswith("Illustration: ")


def test_the_pages_of_the_pictures_show_varied_changes(tmp_path: Path) -> None:
    pages = build_pages(tmp_path)

    assert {name: html_faults(page) for name, page in pages.items()} == {"report": [], "trial": []}
    for what in (
        "primary completion +2.0 years", "status -&gt; Terminated", "Primary outcome replaced",
        "enrollment 300 (estimated) -&gt; 120 (estimated)", "Results first posted",
        "1 trial changed sites only",
    ):  # fmt: skip
        assert what in pages["report"]
    assert pages["trial"].count("<section id=") == 6
    assert set(pages) == set(draw.HEIGHTS)


def test_the_pictures_are_small_enough_for_the_readme() -> None:
    for name in draw.HEIGHTS:
        assert 10_000 < (draw.FOLDER / f"{name}.png").stat().st_size <= draw.LARGEST


def test_without_a_browser_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SystemExit, match=r"^no browser on PATH: install one of chromium, "):
        draw.main()
