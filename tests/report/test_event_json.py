"""One event as JSON."""

from __future__ import annotations

import json

from ctsync.model import MISSING
from ctsync.report.rows.event_row import event_row
from ctsync.report.rows.row_json import to_json
from tests.report.examples import demo_events, event, stored

PUBLISHED = (
    "nct_id kind category level rule path label before after before_type after_type days "
    "days_since_first percent percent_since_first from_version to_version posted observed fetched "
    "summary url context unfetched"
)


def test_an_event_keeps_its_published_keys_in_order() -> None:
    assert " ".join(to_json(event_row(demo_events()[0]))) == PUBLISHED


def test_an_event_with_missing_values_is_valid_json() -> None:
    written = to_json(
        event_row(stored(event(before=MISSING, after={"a": [1, None]}), observed=None))
    )

    assert json.loads(json.dumps(written)) == written
    assert written["before"] is None
    assert written["observed"] is None
    assert written["fetched"] == "2019-07-17T10:00:00Z"
