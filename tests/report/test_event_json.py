"""One event as JSON and as a line."""

from __future__ import annotations

import json
import re

from ctsync.model import MISSING, Kind
from ctsync.report.event_json import event_json, event_line
from tests.report.examples import demo_events, event, stored
from tests.security.attacks import ATTACKS

PUBLISHED = (
    "nct_id kind category level rule path label before after before_type after_type days "
    "days_since_first percent percent_since_first from_version to_version posted observed fetched "
    "summary url"
)


def test_the_schema_of_an_event_keeps_its_published_keys_and_order() -> None:
    assert " ".join(event_json(demo_events()[0])) == PUBLISHED


def test_an_event_is_json_whatever_its_values() -> None:
    told = event_json(stored(event(before=MISSING, after={"a": [1, None]}), observed=None))

    assert json.loads(json.dumps(told)) == told
    assert told["before"] is None
    assert told["observed"] is None
    assert told["fetched"] == "2019-07-17T10:00:00Z"


def test_a_line_says_what_happened_where_it_is_from_and_by_which_rule() -> None:
    assert event_line(demo_events()[0]) == (
        "critical NCT01352702 v4->v5 Status RECRUITING -> TERMINATED [R-STA-01] "
        "posted 2019-07-16, seen 2019-07-17T09:00:00Z"
    )


def test_no_remote_text_forges_a_second_line() -> None:
    lines = [event_line(stored(event(Kind.TEXT, summary=text))) for text in ATTACKS]

    forged = [line for line in lines if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", line)]
    print(f"log lines: {len(lines)} attacks, {len(forged)} forged")
    assert not forged
