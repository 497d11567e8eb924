"""The page of a trial with a long history prints on two sheets of paper."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ctsync.model import Source
from ctsync.questions.trial.trial_page import trial_page
from ctsync.report.report import Window
from ctsync.store.store import open_store
from ctsync.web.pages.trial import render_page
from tests.conftest import StillClock
from tests.questions.test_record_parts import a_version
from tests.sync.histories import keep_history

NOW = datetime(2026, 3, 13, 15, tzinfo=UTC)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
LONG_TITLE = "A Randomized, Double-Blind, Active-Controlled, Multicenter Study of " + "Safety " * 20


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="no Chromium on PATH")
def test_a_trial_of_forty_versions_prints_on_two_sheets(
    migrated_sqlite_url: str, clock: StillClock, tmp_path: Path
) -> None:
    life = [
        a_version(
            f"20{15 + n // 4}-{3 * (n % 4) + 1:02}-10",
            f"{n} months",
            *"ABC"[: 1 + n % 3],
            protocolSection__identificationModule__officialTitle=LONG_TITLE,
            protocolSection__statusModule__primaryCompletionDateStruct={"date": f"20{20 + n // 3}"},
        )
        for n in range(40)
    ]
    with open_store(migrated_sqlite_url, clock=clock) as store:
        trial = keep_history(store, life, source=Source.BOTH)
        page = render_page(trial_page(store, trial, until=NOW), Window(None, NOW))
    source, target = tmp_path / "trial.html", tmp_path / "trial.pdf"
    source.write_text(page, encoding="utf-8")
    subprocess.run(
        [
            str(BROWSER),
            "--headless",
            "--no-sandbox",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--no-pdf-header-footer",
            f"--print-to-pdf={target}",
            source.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    sheets = len(re.findall(rb"/Type /Page\b", target.read_bytes()))
    print(f"print: {len(life)} versions on {sheets} sheets")
    assert sheets == 2
