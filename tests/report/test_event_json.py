"""One event as JSON."""

from __future__ import annotations

import json

from ctsync.model import MISSING
from ctsync.report.row_json import to_json
from ctsync.report.rows import event_row
from tests.report.examples import demo_events, event, stored

PUBLISHED = (
    "nct_id kind category level rule path label before after before_type after_type days "
    "days_since_first percent percent_since_first from_version to_version posted observed fetched "
    "summary url"
)


def test_the_schema_of_an_event_keeps_its_published_keys_and_order() -> None:
    assert " ".join(to_json(event_row(demo_events()[0]))) == PUBLISHED


def test_an_event_is_json_whatever_its_values() -> None:
    told = to_json(event_row(stored(event(before=MISSING, after={"a": [1, None]}), observed=None)))

    assert json.loads(json.dumps(told)) == told
    assert told["before"] is None
    assert told["observed"] is None
    assert told["fetched"] == "2019-07-17T10:00:00Z"
