"""One event as a line of a log."""

from __future__ import annotations

import re

from ctsync.model import Kind
from ctsync.report.words.event_line import event_line
from tests.report.examples import demo_events, event, stored
from tests.security.attacks import ATTACKS


def test_a_line_has_the_change_its_versions_its_rule_and_its_dates() -> None:
    assert event_line(demo_events()[0]) == (
        "critical NCT01352702 v4->v5 Status RECRUITING -> TERMINATED [R-STA-01] "
        "posted 2019-07-16, seen 2019-07-17T09:00:00Z"
    )


def test_remote_text_forges_no_second_line() -> None:
    lines = [event_line(stored(event(Kind.TEXT, summary=text))) for text in ATTACKS]

    forged = [line for line in lines if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)]
    print(f"log lines: {len(lines)} attacks, {len(forged)} forged")
    assert not forged
