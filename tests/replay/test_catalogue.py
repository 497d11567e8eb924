"""The catalogue: its loads, and how it reads a folder."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.replay.catalogue import Catalogue
from tests.replay.conftest import a_study


def test_the_next_load_is_on_the_next_weekday() -> None:
    catalogue = Catalogue("2026-02-05")
    days = [catalogue.advance().date().isoformat() for _ in range(3)]
    assert days == ["2026-02-06", "2026-02-09", "2026-02-10"]
    assert catalogue.advance(days=30).date().isoformat() == "2026-03-12"


def test_a_folder_without_records_raises_an_error_that_says_so(tmp_path: Any) -> None:
    with pytest.raises(ValueError, match="holds no dated records"):
        Catalogue.from_folder(tmp_path)


def test_a_folder_without_a_day_list_has_the_days_of_its_files(tmp_path: Any) -> None:
    for number, day in ((1, "2026-02-03"), (1, "2026-02-06"), (2, "2026-02-04")):
        folder = tmp_path / f"NCT{number:08d}"
        folder.mkdir(exist_ok=True)
        (folder / f"{day}.json").write_text(json.dumps(a_study(number, title=day)))
    catalogue = Catalogue.from_folder(tmp_path)
    assert [load.date().isoformat() for load in catalogue.loads] == [
        *("2026-02-03", "2026-02-04", "2026-02-06"),
    ]
    assert list(catalogue.view().ids) == ["NCT00000001"]
    catalogue.set_load("2026-02-05")
    assert sorted(catalogue.view().ids) == ["NCT00000001", "NCT00000002"]


def test_a_null_file_withdraws_a_trial(tmp_path: Any) -> None:
    folder = tmp_path / "NCT00000001"
    folder.mkdir()
    (folder / "2026-02-03.json").write_text(json.dumps(a_study(1)))
    (folder / "2026-02-04.json").write_text("null\n")
    catalogue = Catalogue.from_folder(tmp_path)
    assert list(catalogue.view().ids) == ["NCT00000001"]
    catalogue.set_load("2026-02-04")
    assert list(catalogue.view().ids) == []


def test_editing_an_absent_trial_raises_key_error(catalogue: Catalogue) -> None:
    with pytest.raises(KeyError, match="NCT00000009 is not shown"):
        catalogue.edit("NCT00000009", {"hasResults": True})
