"""Days on which the registry itself changed most records, and a schema that drifts."""

from __future__ import annotations

import json
import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctsync.config.settings import LogSettings
from ctsync.deliver.channels.log import LogChannel
from ctsync.deliver.outbox import drain
from ctsync.errors import Stopped
from ctsync.model import JsonObject, Level, NctId
from ctsync.questions.changes.report_data import ReportQuestion, report_data
from ctsync.record.registry.notices import NoticeKind, read_notices
from ctsync.record.rules.rules import Thresholds
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.report.report import Window
from ctsync.route import ChannelKind, Layout, Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.data.outbox import DeliveryState
from ctsync.store.store import Store, open_store
from ctsync.sync import observations
from ctsync.sync.result import RunCallbacks, SyncResult
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.deliver.desk import Recording
from tests.given_settings import given_section
from tests.registry_fixtures import an_id, make_study, stop_after

MakeSync = Callable[..., TrialPass]
IDS = [*map(an_id, range(1, 31))]
MESH = "derivedSection.conditionBrowseModule"
STATUS = "protocolSection.statusModule"
CITATION = "protocolSection.referencesModule.references"
EVERYTHING = Route("mail", "everything@example.org", minimum_level=Level.ADMINISTRATIVE)
NEWS = Route("mail", "news@example.org", minimum_level=Level.ROUTINE)
WATCH_ALL = [EVERYTHING, NEWS]
FORK = multiprocessing.get_context("fork")


def study(nct_id: str, **parts: Any) -> JsonObject:
    body = make_study(nct_id)
    body["derivedSection"]["conditionBrowseModule"] = {"meshes": [{"id": "D000001", "term": "A"}]}
    body["protocolSection"]["referencesModule"] = {"references": [{"pmid": "1", "citation": "One"}]}
    return body | parts


@pytest.fixture
def followed(store: Store, replay: Any, make_sync: MakeSync) -> Store:
    """Thirty trials that are followed since the load of 2026-02-02."""
    for nct_id in IDS:
        replay.catalogue.publish(study(nct_id))
    with store.unit() as unit:
        unit.watches.add_trials("all", dict.fromkeys(IDS), replay.load)
    make_sync().run(IDS)
    return store


def reprocess(replay: Any, ids: list[NctId] | None = None) -> None:
    """Change records as the registry does by itself: new MeSH ids, and no new update date."""
    replay.catalogue.advance()
    for nct_id in IDS if ids is None else ids:
        replay.catalogue.edit(nct_id, {MESH: {"meshes": [{"id": "D999999", "term": "A"}]}})


def planned(store: Store) -> dict[str, int]:
    """The number of waiting deliveries per recipient."""
    waiting = [row.recipient for row in store.outbox.deliveries(DeliveryState.PENDING)]
    return {recipient: waiting.count(recipient) for recipient in waiting}


def test_a_reprocessing_is_reported_once_and_every_event_stays_stored(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay)
    result = make_sync(routes=WATCH_ALL).run(IDS)
    (notice,) = result.notices
    assert notice.kind is NoticeKind.REPROCESSING
    assert "changed in 30 of 30 trials (100 %) without a new update date" in notice.summary
    assert notice.command == "ctsync changes --level administrative --since 2026-02-03"
    assert len(result.events) == 30
    assert len(followed.events.find(EventFilter(run_id=result.run_id))) == 30
    assert planned(followed) == {EVERYTHING.recipient: 1}
    dropped = followed.outbox.deliveries(DeliveryState.DROPPED)
    assert {row.last_error for row in dropped} == {"replaced by the run's notice"}
    (run,) = followed.runs.with_notices()
    assert (run.id, read_notices(run.notices)) == (result.run_id, result.notices)


@pytest.mark.slow
def test_the_remaining_delivery_carries_the_notice_and_no_trial(
    followed: Store, replay: Any, make_sync: MakeSync, clock: Any
) -> None:
    reprocess(replay)
    (notice,) = make_sync(routes=WATCH_ALL).run(IDS).notices
    channel = Recording.to(EVERYTHING, NEWS)
    drain(followed, {"mail": channel}, clock=clock)
    (message,) = channel.sent
    report = message.report()
    assert (message.events, report.total) == ((), 0)
    assert report.notices == (notice.line,) == report.footer[:1]
    assert report.subject.startswith("registry reprocessing · quiet: 0 of 30 trials")


@pytest.mark.slow
def test_a_report_of_the_day_shows_the_notice_instead_of_the_events(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay)
    replay.catalogue.edit(IDS[0], {f"{STATUS}.overallStatus": "SUSPENDED"})
    (notice,) = make_sync().run(IDS).notices
    window = Window(replay.load, replay.catalogue.advance())
    report = report_data(followed, ReportQuestion(window))
    assert [trial.nct_id for trial in report.trials] == [IDS[0]]
    assert (report.total, report.notices) == (1, (notice.line,))
    of_one = report_data(followed, ReportQuestion(window, ids=(IDS[5],)))
    assert (of_one.total, of_one.notices) == (0, (notice.line,))
    later = report_data(followed, ReportQuestion(Window(window.until, replay.catalogue.advance())))
    assert later.notices == ()


def test_a_sponsors_update_on_a_reprocessing_day_is_reported_as_usual(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay)
    updated = {
        f"{STATUS}.lastUpdatePostDateStruct.date": "2026-02-03",
        f"{STATUS}.overallStatus": "COMPLETED",
    }
    replay.catalogue.edit(IDS[0], updated)
    replay.catalogue.edit(IDS[1], {f"{STATUS}.overallStatus": "SUSPENDED"})
    result = make_sync(routes=WATCH_ALL).run(IDS)
    (notice,) = result.notices
    assert len(notice.trials) == 29
    assert IDS[0] not in notice.trials
    # first trial: status, date and MeSH; second trial: status; one delivery with the notice
    assert planned(followed) == {EVERYTHING.recipient: 5, NEWS.recipient: 2}


def test_trials_below_the_share_for_a_notice_are_reported_one_by_one(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay, IDS[:19])
    result = make_sync(routes=WATCH_ALL).run(IDS)
    assert result.notices == ()
    assert planned(followed) == {EVERYTHING.recipient: 19}
    assert followed.runs.latest()[0].notices == []


def test_the_share_of_trials_for_a_notice_is_a_threshold(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay, IDS[:19])
    strict = Thresholds(reprocessing_share_percent=60, reprocessing_trials=10)
    assert len(make_sync(thresholds=strict).run(IDS).notices) == 1


@pytest.mark.slow
def test_two_parts_reprocessed_at_once_are_two_notices(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay)
    for nct_id in IDS:
        replay.catalogue.edit(nct_id, {CITATION: [{"pmid": "1", "citation": "One. Erratum in: X"}]})
    result = make_sync(routes=WATCH_ALL).run(IDS)
    assert len(result.notices) == 2
    assert planned(followed) == {EVERYTHING.recipient: 1}


@pytest.mark.slow
def test_a_pass_interrupted_anywhere_ends_in_one_notice_and_one_delivery(
    followed: Store, replay: Any, make_sync: MakeSync, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise Stopped("killed within the conclusion")

    reprocess(replay)
    cuts = 0
    for number in (5, 10, 15):
        with pytest.raises(Stopped):
            make_sync(routes=WATCH_ALL, watcher=stop_after(number)).run(IDS)
        cuts += 1
    with monkeypatch.context() as patch:
        patch.setattr(observations, "fold_deliveries", fail)
        with pytest.raises(Stopped):
            make_sync(routes=WATCH_ALL).run(IDS)
        cuts += 1
    assert planned(followed) == {EVERYTHING.recipient: 30}
    # one transaction stores the notice and drops the deliveries
    assert followed.runs.with_notices() == []

    (notice,) = make_sync(routes=WATCH_ALL).run(IDS).notices
    assert (len(notice.trials), len(notice.runs)) == (30, cuts + 1)
    assert planned(followed) == {EVERYTHING.recipient: 1}
    again = make_sync(routes=WATCH_ALL).run(IDS)
    assert (again.notices, planned(followed)) == ((), {EVERYTHING.recipient: 1})
    print(f"reprocessing: interrupted {cuts} times, 30 events stored, 1 notice, 1 delivery")
    assert followed.events.count(EventFilter(since=replay.load)) == 30


def killed(url: str, registry_url: str, moment: int | None) -> None:
    """Sync, and exit this process at the n-th trial, or while concluding if `moment` is None."""
    seen: list[int] = []

    def die(*_: object) -> None:
        seen.append(1)
        if moment is None or len(seen) > moment:
            os._exit(9)

    clock = StillClock()
    with open_store(url, clock=clock) as store:
        transport = Transport(registry_url, clock=clock, requests_per_second=1000)
        api = RegistryApi(transport, clock=clock)
        watcher = RunCallbacks() if moment is None else RunCallbacks(check=die)
        if moment is None:
            vars(observations)["fold_deliveries"] = die
        TrialPass(store=store, registry=api, clock=clock, routes=WATCH_ALL, watcher=watcher).run(
            IDS
        )


@pytest.mark.slow
def test_a_sync_killed_anywhere_leaves_one_notice_and_one_delivery(
    followed: Store, replay: Any, make_sync: MakeSync, migrated_url: str
) -> None:
    reprocess(replay)
    moments = [2, 14, 29, None]
    for moment in moments:
        child = FORK.Process(target=killed, args=(migrated_url, replay.url, moment))
        child.start()
        child.join()
        assert child.exitcode == 9
    (notice,) = make_sync(routes=WATCH_ALL).run(IDS).notices
    assert (len(notice.trials), planned(followed)) == (30, {EVERYTHING.recipient: 1})
    print(f"reprocessing: killed {len(moments)} times, 1 notice, 1 delivery of 30")


@pytest.mark.slow
def test_an_interrupted_pass_is_concluded_by_a_sync_of_the_next_load(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    reprocess(replay)
    with pytest.raises(Stopped):
        make_sync(routes=WATCH_ALL, watcher=stop_after(12)).run(IDS)
    replay.catalogue.advance()
    (notice,) = make_sync(routes=WATCH_ALL).run(IDS).notices
    assert len(notice.trials) == 30
    assert notice.command.endswith("--since 2026-02-03")
    assert planned(followed) == {EVERYTHING.recipient: 1}


def test_a_notice_does_not_replace_a_welcome(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    welcoming = Route("mail", "new@example.org", minimum_level=Level.ADMINISTRATIVE, welcomes=True)
    reprocess(replay)
    make_sync(routes=[welcoming]).run(IDS)
    # the welcome, and the delivery with the notice
    assert planned(followed) == {welcoming.recipient: 2}


# --- schema drift -----------------------------------------------------------------------------


def drift(result: SyncResult) -> list[tuple[NoticeKind, tuple[str, ...]]]:
    kinds = {NoticeKind.UNKNOWN_FIELDS, NoticeKind.VANISHED_FIELD}
    return [(notice.kind, notice.parts) for notice in result.notices if notice.kind in kinds]


def test_an_undeclared_field_is_reported_once(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    def add(field: str, *ids: NctId) -> SyncResult:
        replay.catalogue.advance()
        for nct_id in ids:
            replay.catalogue.edit(nct_id, {f"protocolSection.{field}": {"of": nct_id}})
        return make_sync().run(IDS)

    first = add("brandNewModule", *IDS[:3])
    assert drift(first) == [(NoticeKind.UNKNOWN_FIELDS, ("protocolSection.brandNewModule",))]
    assert "protocolSection.brandNewModule (in 3)" in first.notices[0].line
    assert drift(add("brandNewModule", *IDS[3:6])) == []
    assert drift(add("newerStill", IDS[0])) == [
        (NoticeKind.UNKNOWN_FIELDS, ("protocolSection.newerStill",))
    ]


def test_a_known_field_that_most_records_lost_is_drift(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    replay.catalogue.advance()
    for nct_id in IDS[:16]:
        bare = study(nct_id)
        del bare["protocolSection"]["referencesModule"]
        replay.catalogue.publish(bare)
    result = make_sync().run(IDS)
    assert drift(result) == [(NoticeKind.VANISHED_FIELD, ("protocolSection.referencesModule",))]
    assert "is gone from 16 of the 30 records that had it" in drift_lines(result)[0]
    replay.catalogue.advance()
    assert drift(make_sync().run(IDS)) == []


def test_a_field_that_half_of_the_records_lost_is_not_drift(
    followed: Store, replay: Any, make_sync: MakeSync
) -> None:
    replay.catalogue.advance()
    for nct_id in IDS[:15]:
        bare = study(nct_id)
        del bare["protocolSection"]["referencesModule"]
        replay.catalogue.publish(bare)
    assert drift(make_sync().run(IDS)) == []


def drift_lines(result: SyncResult) -> list[str]:
    return [n.line for n in result.notices if n.kind is NoticeKind.VANISHED_FIELD]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json"])
def test_the_log_has_one_line_for_the_notice(
    followed: Store, replay: Any, make_sync: MakeSync, clock: Any, tmp_path: Path, form: str
) -> None:
    route = Route(ChannelKind.LOG, ChannelKind.LOG, layout=Layout.STREAM)
    reprocess(replay)
    (notice,) = make_sync(routes=[route]).run(IDS).notices
    settings = given_section(
        LogSettings, {"events": "file", "file": tmp_path / "events.log", "format": form}
    )
    drain(followed, {ChannelKind.LOG: LogChannel({ChannelKind.LOG: route}, settings)}, clock=clock)
    (line,) = (tmp_path / "events.log").read_text().splitlines()
    if form == "text":
        assert line == f"2026-03-13T15:02:11Z notice {notice.line}"
    else:
        told = json.loads(line)
        assert (told["notice"], told["summary"]) == ("reprocessing", notice.summary)
