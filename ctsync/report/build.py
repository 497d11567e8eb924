"""Build a report from stored events: group, rank and count them. Does no I/O."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import groupby

from ctsync.model import (
    STUDY_PAGE,
    KeyFields,
    Kind,
    Level,
    NctId,
    StoredEvent,
)
from ctsync.record.context import PUBLISHED_RATES, BaseRates
from ctsync.record.flags import Flag
from ctsync.record.registry.notices import Notice, uncovered
from ctsync.record.trial_line import state_of
from ctsync.record.value_text import counted
from ctsync.report import summary as words
from ctsync.report.mail.subject import subject_of
from ctsync.report.mail.welcome import heading, in_order, status_of, status_totals
from ctsync.report.report import (
    Coverage,
    Fold,
    LeftOut,
    Report,
    ReportSection,
    ReportSentence,
    ReportTrial,
    Welcome,
    Window,
)
from ctsync.report.report_filter import EVERY_CHANGE, ReportFilter
from ctsync.report.trial.timeline import Timeline
from ctsync.report.trial_groups import TrialGroup, ranked_groups
from ctsync.report.version_steps import steps_of
from ctsync.report.words.net_changes import (
    NetChange,
    net_changes,
    since_registration,
)
from ctsync.report.words.trial_heading import TrialHeading, heading_of_key
from ctsync.report.words.trial_row import trial_row


@dataclass(frozen=True, slots=True)
class Scope:
    """The scope of a report: its title, the number of followed trials, and the last run.

    `keys` holds the newest key fields per trial, for welcomes and ranking. `timelines` are drawn
    if given. `limit` is the most lines shown; the report counts the rest. `elsewhere` holds other
    trials that changed in the window, with the worst level of the changes not in this report.
    `watches` names the watches that each trial is in, if the report shows them. `notices`
    describe a load and replace the events they cover. `headings` holds the words for
    each trial; if one is missing, they come from `keys`. `selection` holds the filters; it
    applies to the net changes, which need all events of the window. `rates` are the base rates
    shown beside changes; with None, changes have no context. `flags` are those to show for each
    trial on the day `flagged_on`. `most_rows` is the most trials of each kind that are shown: with
    changes, new in a watch, and of each fold; the report counts the rest.
    """

    title: str
    watched: int
    coverage: Coverage | None = None
    keys: Mapping[NctId, KeyFields] | None = None
    timelines: Mapping[NctId, Timeline] | None = None
    limit: int | None = None
    elsewhere: Mapping[NctId, Level] | None = None
    watches: Mapping[NctId, Sequence[str]] = field(default_factory=dict)
    notices: tuple[Notice, ...] = ()
    headings: Mapping[NctId, TrialHeading] | None = None
    selection: ReportFilter = EVERY_CHANGE
    rates: BaseRates | None = field(default_factory=lambda: PUBLISHED_RATES)
    flags: Mapping[NctId, tuple[Flag, ...]] = field(default_factory=dict)
    flagged_on: date | None = None
    most_rows: int | None = None


def build(
    events: Iterable[StoredEvent],
    *,
    window: Window,
    scope: Scope,
    groups: Sequence[TrialGroup] | None = None,
) -> Report:
    """Group events by level, trial and version, worst first.

    Baselines become welcomes, never changes. Administrative events are only counted. Among trials
    of one level, those whose status, enrollment, dates or outcomes changed come first, and those
    with changed sites only come last; then they are ordered by slip since registration, phase and
    enrollment, largest first. `groups` are the trials that `worst_first` returned, if known.
    """
    reported = uncovered(events, scope.notices)
    baselines = [stored for stored in reported if stored.event.kind is Kind.FIRST_SEEN]
    changes = [stored for stored in reported if stored.event.kind is not Kind.FIRST_SEEN]
    changed = {stored.nct_id for stored in changes}
    welcomes = [
        _welcome(stored, window, scope, changed=changed)
        for stored in sorted(baselines, key=lambda stored: stored.nct_id)
        if _is_welcomed(stored, scope)
    ]
    new = {one.nct_id for one in baselines}
    return _assemble(changes, welcomes, window, scope, new=new, groups=groups)


def worst_first(events: Iterable[StoredEvent], scope: Scope) -> list[TrialGroup]:
    """Return the trials that changed in the order of the report. Needs no headings."""
    reported = uncovered(events, scope.notices)
    changes = [stored for stored in reported if stored.event.kind is not Kind.FIRST_SEEN]
    return ranked_groups(changes, scope.keys or {}, scope.selection)


def _is_welcomed(stored: StoredEvent, scope: Scope) -> bool:
    return scope.selection.accepts_trial(_key(stored.nct_id, scope)) and (
        scope.selection.accepts(stored.event)
    )


def _key(nct_id: NctId, scope: Scope) -> KeyFields | None:
    return (scope.keys or {}).get(nct_id)


def build_welcome(keys: Mapping[NctId, KeyFields], *, window: Window, scope: Scope) -> Report:
    """A report without changes: the state of newly followed trials."""
    welcomes = [
        Welcome(
            nct_id,
            key.brief_title or "",
            STUDY_PAGE + nct_id,
            state_of(key, on=window.until.date()),
            status_of(key),
        )
        for nct_id, key in in_order(keys, window.until.date())
    ]
    report = _assemble([], welcomes, window, scope)
    return replace(report, subject=heading(report), statuses=status_totals(keys.values()))


def _assemble(
    changes: Sequence[StoredEvent],
    found: Sequence[Welcome],
    window: Window,
    scope: Scope,
    *,
    new: Collection[NctId] = (),
    groups: Sequence[TrialGroup] | None = None,
) -> Report:
    if groups is None:
        groups = ranked_groups(changes, scope.keys or {}, scope.selection)
    unselected = {stored.nct_id for stored in changes}.union(new) - {
        *(group.nct_id for group in groups),
        *(welcome.nct_id for welcome in found),
    }
    kept, left_out = _limited(groups, window, scope)
    counts = Counter(group.level for group in groups)
    by_level = {level: counts[level] for level in Level}
    welcomes = tuple(found)
    report_id = _report_id(changes, welcomes, window, scope)
    line = words.headline(
        by_level,
        watched=scope.watched,
        welcomed=len(welcomes),
        coverage=scope.coverage,
        unselected=len(unselected),
    )
    line = " · ".join([*dict.fromkeys(notice.title for notice in scope.notices), line])
    notices = tuple(notice.line for notice in scope.notices)
    return Report(
        report_id=report_id,
        subject=_subject(line, kept, by_level, welcomed=len(welcomes), window=window, scope=scope),
        headline=line,
        title=scope.title,
        window=window,
        watched=scope.watched,
        coverage=scope.coverage,
        counts=by_level,
        sections=tuple(
            ReportSection(level, tuple(group)) for level, group in groupby(kept, lambda t: t.level)
        ),
        welcomes=welcomes[: scope.limit],
        welcomed=len(welcomes),
        sentences=tuple(_sentences(groups, welcomes, window, scope, unselected=unselected)),
        left_out=left_out,
        shown=sum(len(line.events) for trial in kept for line in trial.lines),
        collapsed=sum(trial.administrative for trial in kept),
        total=sum(len(group.shown) + len(group.aside) for group in groups),
        footer=(
            *notices,
            *words.footer(scope.coverage, watched=scope.watched, report_id=report_id),
        ),
        notices=notices,
        filters=scope.selection.line(),
        rates=scope.rates,
        flagged_on=scope.flagged_on,
    )


def _subject(
    line: str,
    trials: Sequence[ReportTrial],
    counts: Mapping[Level, int],
    *,
    welcomed: int,
    window: Window,
    scope: Scope,
) -> str:
    if any(trial.level is not Level.ADMINISTRATIVE for trial in trials):
        titles = tuple(dict.fromkeys(notice.title for notice in scope.notices))
        return subject_of(
            trials, counts, notices=titles, welcomed=welcomed, coverage=scope.coverage
        )
    if line.startswith("quiet"):
        return line
    return f"{line} · {scope.title} · {window.until:%Y-%m-%d}"


def _report_id(
    events: Sequence[StoredEvent], welcomes: Sequence[Welcome], window: Window, scope: Scope
) -> str:
    """A digest of the content: the same events in the same window give the same id."""
    seen = sorted((s.nct_id, s.from_version or 0, s.to_version, s.event.path) for s in events)
    new = sorted(welcome.nct_id for welcome in welcomes)
    # two selections of the same events are two reports
    selection = [scope.selection.line()] if scope.selection.has_filters else []
    text = repr((scope.title, window.since, window.until, seen, new, *selection))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


# --- trials -----------------------------------------------------------------------------------


def _trial(
    number: int, group: TrialGroup, room: int | None, *, since: str, scope: Scope
) -> ReportTrial:
    """A trial with lines for at most `room` of its events, the worst."""
    events = (*group.shown, *group.aside)
    newest = max(events, key=lambda stored: stored.to_version)
    is_complete = scope.selection.shows_administrative
    changes: tuple[NetChange, ...] = tuple(net_changes(events, administrative=is_complete))
    nct_id, shown = group.nct_id, group.shown[:room]
    return ReportTrial(
        number=number,
        nct_id=nct_id,
        title=newest.brief_title or "",
        url=newest.url,
        level=group.level,
        what=trial_row(changes) if changes else _aside(group.aside),
        since_first=since_registration(changes),
        changes=changes,
        steps=tuple(
            steps_of((*shown, *group.aside), administrative=is_complete, rates=scope.rates)
        ),
        administrative=len(group.aside),
        administrative_versions=len({stored.to_version for stored in group.aside}),
        left_out=len(group.shown) - len(shown),
        command=f"ctsync changes {nct_id} --level administrative{since}",
        watches=tuple(scope.watches.get(nct_id, ())),
        key=_key(nct_id, scope),
        timeline=(scope.timelines or {}).get(nct_id),
        heading=_heading(newest, scope),
        fold=group.fold(scope.selection),
        flags=scope.flags.get(nct_id, ()),
    )


def _heading(newest: StoredEvent, scope: Scope) -> TrialHeading:
    known = (scope.headings or {}).get(newest.nct_id)
    return known or heading_of_key(_key(newest.nct_id, scope), brief_title=newest.brief_title)


def _aside(aside: Sequence[StoredEvent]) -> str:
    categories = "/".join(dict.fromkeys(stored.event.category.value for stored in aside))
    versions = counted(len({stored.to_version for stored in aside}), "version")
    return f"{versions}, {categories} only (collapsed)"


def _since(window: Window) -> str:
    return f" --since {window.since:%Y-%m-%d}" if window.since else ""


# --- events without a line --------------------------------------------------------------------


def _limited(
    groups: Sequence[TrialGroup], window: Window, scope: Scope
) -> tuple[list[ReportTrial], LeftOut | None]:
    """Trials up to the limits, worst first, and a count of the rest; a row costs one line."""
    kept: list[ReportTrial] = []
    room, events, since = scope.limit, 0, _since(window)
    rows: Counter[tuple[Fold | None, bool]] = Counter()
    out: list[TrialGroup] = []
    for group in groups:
        kind = group.fold(scope.selection), group.is_arrival
        has_row = scope.most_rows is None or rows[kind] < scope.most_rows
        if not has_row or (room is not None and room <= 0):
            out.append(group)
            continue
        rows[kind] += 1
        kept.append(_trial(len(kept) + 1, group, room, since=since, scope=scope))
        events += kept[-1].left_out
        room = None if room is None else room - max(1, len(group.shown))
    events += sum(len(group.shown) + len(group.aside) for group in out)
    return kept, _left_out(out, events, scope, f"ctsync changes{since}") if events else None


def _left_out(groups: Sequence[TrialGroup], events: int, scope: Scope, command: str) -> LeftOut:
    folds = Counter(group.fold(scope.selection) for group in groups)
    own = [group for group in groups if group.fold(scope.selection) is None]
    return LeftOut(
        events,
        len(groups),
        command,
        levels=Counter(group.level for group in own if not group.is_arrival),
        folds={fold: folds[fold] for fold in Fold if folds[fold]},
        arrivals=sum(group.is_arrival for group in own),
    )


def _welcome(
    stored: StoredEvent, window: Window, scope: Scope, *, changed: Collection[NctId]
) -> Welcome:
    # after a change, the newest state is no longer the state in which ctsync found the trial
    key = None if stored.nct_id in changed else (scope.keys or {}).get(stored.nct_id)
    text = state_of(key, on=window.until.date()) if key else stored.event.summary
    return Welcome(stored.nct_id, stored.brief_title or "", stored.url, text)


def _sentences(
    groups: Sequence[TrialGroup],
    welcomes: Sequence[Welcome],
    window: Window,
    scope: Scope,
    *,
    unselected: Collection[NctId],
) -> Iterator[ReportSentence]:
    failed = {one.nct_id for one in scope.coverage.failed} if scope.coverage else set()
    shown = {g.nct_id for g in groups} | {w.nct_id for w in welcomes} | failed
    filtered = set(unselected) - shown
    others = {
        nct_id: level
        for nct_id, level in (scope.elsewhere or {}).items()
        if nct_id not in shown and nct_id not in filtered
    }
    quietly = [nct_id for nct_id, level in others.items() if level is Level.ADMINISTRATIVE]
    aside = sum(group.level is Level.ADMINISTRATIVE for group in groups)
    return words.sentences(
        watched=scope.watched,
        still=max(0, scope.watched - len(shown | filtered | others.keys())),
        administrative=aside + len(quietly),
        coverage=scope.coverage,
        untold=(len(others) - len(quietly), f"ctsync changes{_since(window)}"),
        unselected=(len(filtered), f"ctsync changes{_since(window)}"),
    )
