"""The process that sends one message through apprise."""

from __future__ import annotations

import io
import json
import logging

import pytest

from ctsync.deliver.channels.apprise_process import UNSUPPORTED, main

pytest.importorskip("apprise", reason="apprise is not installed; it comes with ctsync[notify]")


# modules that apprise imports are deprecated
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_url_of_no_known_service_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    # the process ends itself at its limit, so the limit is longer than any run of the tests
    given = {"url": "nosuchservice://x", "title": "t", "body": "b", "seconds": 1_000_000}
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps(given)))
    try:
        assert main() == UNSUPPORTED
    finally:
        logging.disable(logging.NOTSET)
