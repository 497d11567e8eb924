"""From stored events to a finished report: grouped, ranked, counted; formats nothing, no I/O."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from ctsync.model import (
    STUDY_PAGE,
    KeyFields,
    Kind,
    Level,
    NctId,
    StoredEvent,
    Version,
    compare_url,
)
from ctsync.report import headline as words
from ctsync.report.passages import compare
from ctsync.report.phrases import (
    counted,
    move,
    move_since_first,
    short,
    short_since_first,
    sides,
)
from ctsync.report.timeline import Timeline
from ctsync.report.values import (
    Coverage,
    LeftOut,
    Line,
    Report,
    Section,
    Sentence,
    Step,
    Trial,
    Welcome,
    Window,
)

_KIND_ORDER = {kind: position for position, kind in enumerate(Kind)}
_ROW_PHRASES = 3


@dataclass(frozen=True, slots=True)
class Scope:
    """What a report is about: its title, how many trials are followed, what was looked at.

    `keys` are the newest key fields of trials, for welcomes and for ranking; `timelines` are
    drawn where there are any. `limit` bounds the lines shown; the rest is counted.
    """

    title: str
    watched: int
    coverage: Coverage | None = None
    keys: Mapping[NctId, KeyFields] | None = None
    timelines: Mapping[NctId, Timeline] | None = None
    limit: int | None = None


def build(events: Iterable[StoredEvent], *, window: Window, scope: Scope) -> Report:
    """Group events by level, trial and version, worst first.

    Baselines become welcomes, never changes. Administrative events are collapsed to counts.
    Ties go to the larger slip since registration, the later phase, the larger enrollment.
    """
    told = list(events)
    baselines = [stored for stored in told if stored.event.kind is Kind.FIRST_SEEN]
    changes = [stored for stored in told if stored.event.kind is not Kind.FIRST_SEEN]
    welcomes = [_welcome(stored, window, scope) for stored in baselines]
    return _assemble(changes, welcomes, window, scope)


def build_welcome(keys: Mapping[NctId, KeyFields], *, window: Window, scope: Scope) -> Report:
    """A report without a change: the state of trials that are followed from now on."""
    welcomes = [
        Welcome(nct_id, key.brief_title or "", STUDY_PAGE + nct_id, words.state(key, window.until))
        for nct_id, key in keys.items()
    ]
    return _assemble([], welcomes, window, scope)


def _assemble(
    changes: Sequence[StoredEvent], found: Sequence[Welcome], window: Window, scope: Scope
) -> Report:
    trials = _ranked(changes, window, scope)
    kept, left_out = _limited(trials, window, scope.limit)
    counts = Counter(trial.level for trial in trials)
    by_level = {level: counts[level] for level in Level}
    welcomes = tuple(sorted(found, key=lambda welcome: welcome.nct_id))
    report_id = _report_id(changes, welcomes, window, scope)
    line = words.headline(
        by_level, watched=scope.watched, welcomed=len(welcomes), coverage=scope.coverage
    )
    return Report(
        report_id=report_id,
        subject=_subject(line, trials, welcomed=bool(welcomes), window=window, scope=scope),
        headline=line,
        title=scope.title,
        window=window,
        watched=scope.watched,
        coverage=scope.coverage,
        counts=by_level,
        sections=tuple(
            Section(level, tuple(group)) for level, group in groupby(kept, lambda t: t.level)
        ),
        welcomes=welcomes[: scope.limit],
        welcomed=len(welcomes),
        sentences=tuple(_sentences(trials, welcomes, scope)),
        left_out=left_out,
        shown=sum(len(trial.lines) for trial in kept),
        collapsed=sum(trial.administrative for trial in kept),
        total=len(changes),
        footer=tuple(words.footer(scope.coverage, watched=scope.watched, report_id=report_id)),
    )


def _subject(
    line: str, trials: Sequence[Trial], *, welcomed: bool, window: Window, scope: Scope
) -> str:
    whole = scope.coverage is None or not scope.coverage.failed
    if scope.watched == 1 and len(trials) == 1 and not welcomed and whole:
        return f"{words.PREFIX} {trials[0].subject}"
    if line.startswith("quiet"):
        return f"{words.PREFIX} {line}"
    return f"{words.PREFIX} {line} · {scope.title} · {window.until:%Y-%m-%d}"


def _report_id(
    events: Sequence[StoredEvent], welcomes: Sequence[Welcome], window: Window, scope: Scope
) -> str:
    """Name the content: the same events over the same window give the same id."""
    seen = sorted((s.nct_id, s.from_version or 0, s.to_version, s.event.path) for s in events)
    new = [welcome.nct_id for welcome in welcomes]
    text = repr((scope.title, window.since, window.until, seen, new))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]


# --- trials -----------------------------------------------------------------------------------


def _ranked(events: Sequence[StoredEvent], window: Window, scope: Scope) -> list[Trial]:
    by_trial: dict[NctId, list[StoredEvent]] = defaultdict(list)
    for stored in events:
        by_trial[stored.nct_id].append(stored)
    ordered = sorted(by_trial.values(), key=lambda group: _rank(group, scope))
    return [_trial(n, group, window, scope) for n, group in enumerate(ordered, 1)]


def _rank(events: Sequence[StoredEvent], scope: Scope) -> tuple[int, int, float, int, str]:
    nct_id = events[0].nct_id
    key = (scope.keys or {}).get(nct_id) or KeyFields()
    slip = max(abs(stored.event.days_since_first or 0) for stored in events)
    worst = min(stored.event.level.rank for stored in events)
    return worst, -slip, -words.phase_rank(key.phases), -(key.enrollment or 0), nct_id


def _trial(number: int, events: Sequence[StoredEvent], window: Window, scope: Scope) -> Trial:
    newest = max(events, key=lambda stored: stored.to_version)
    told = [stored for stored in events if stored.event.level is not Level.ADMINISTRATIVE]
    aside = [stored for stored in events if stored.event.level is Level.ADMINISTRATIVE]
    latest = _latest(told)
    changes = [stored.event for stored in latest]
    since = [figure for event in changes if (figure := short_since_first(event))]
    nct_id = newest.nct_id
    return Trial(
        number=number,
        nct_id=nct_id,
        title=newest.brief_title or "",
        url=newest.url,
        level=min((stored.event.level for stored in events), key=lambda level: level.rank),
        what=_what(latest, aside),
        since_first=", ".join(dict.fromkeys(since)),
        subject=words.trial_subject(nct_id, changes) if told else f"{nct_id} {_aside(aside)}",
        steps=tuple(_steps(events)),
        administrative=len(aside),
        administrative_versions=len({stored.to_version for stored in aside}),
        left_out=0,
        command=f"ctsync changes {nct_id} --level administrative{_since(window)}",
        key=(scope.keys or {}).get(nct_id),
        timeline=(scope.timelines or {}).get(nct_id),
    )


def _latest(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """The newest event of each path, worst first: what a row says of several versions."""
    newest: dict[str, StoredEvent] = {}
    for stored in sorted(events, key=lambda stored: stored.to_version):
        newest[stored.event.path] = stored
    return sorted(newest.values(), key=_line_order)


def _what(latest: Sequence[StoredEvent], aside: Sequence[StoredEvent]) -> str:
    if not latest:
        return _aside(aside)
    phrases = list(dict.fromkeys(short(stored.event) for stored in latest))
    more = f"; +{len(phrases) - _ROW_PHRASES} more" if len(phrases) > _ROW_PHRASES else ""
    return "; ".join(phrases[:_ROW_PHRASES]) + more


def _aside(aside: Sequence[StoredEvent]) -> str:
    lanes = "/".join(dict.fromkeys(stored.event.lane.value for stored in aside))
    versions = counted(len({stored.to_version for stored in aside}), "version")
    return f"{versions}, {lanes} only (collapsed)"


def _line_order(stored: StoredEvent) -> tuple[int, int, str]:
    event = stored.event
    return event.level.rank, _KIND_ORDER[event.kind], event.path


def _since(window: Window) -> str:
    return f" --since {window.since:%Y-%m-%d}" if window.since else ""


# --- steps and lines ----------------------------------------------------------------------------


def _steps(events: Sequence[StoredEvent]) -> Iterator[Step]:
    ordered = sorted(events, key=lambda stored: (stored.to_version, _line_order(stored)))
    for _, group in groupby(ordered, key=lambda stored: stored.to_version):
        yield _step(list(group))


def _step(events: Sequence[StoredEvent]) -> Step:
    first = events[0]
    told = [stored for stored in events if stored.event.level is not Level.ADMINISTRATIVE]
    newer = first.to_registry_version
    return Step(
        number=_number(first.to_version, newer),
        from_version=first.from_version,
        to_version=first.to_version,
        posted=first.posted,
        observed=first.observed,
        fetched=first.fetched,
        compare_url=_compare(first.nct_id, first.from_registry_version, newer),
        lines=tuple(_line(stored) for stored in told),
        administrative=len(events) - len(told),
        command=_diff_command(first.nct_id, first.from_version, first.to_version),
    )


def step_of(version: Version, events: Sequence[StoredEvent], *, before: int | None) -> Step:
    """A version as a step that shows these events, whatever their level; there may be none."""
    older = events[0].from_registry_version if events else None
    return Step(
        number=_number(version.version, version.registry_version),
        from_version=before,
        to_version=version.version,
        posted=version.posted,
        observed=version.observed,
        fetched=version.fetched,
        compare_url=_compare(version.nct_id, older, version.registry_version),
        lines=tuple(_line(stored) for stored in sorted(events, key=_line_order)),
        administrative=0,
        command=_diff_command(version.nct_id, before, version.version),
    )


def _number(version: int, registry_version: int | None) -> str:
    known = "" if registry_version is None else f" (registry v{registry_version})"
    return f"{version}{known}"


def _compare(nct_id: NctId, older: int | None, newer: int | None) -> str | None:
    return None if older is None or newer is None else compare_url(nct_id, older, newer)


def _diff_command(nct_id: NctId, before: int | None, after: int) -> str:
    return f"ctsync diff {nct_id} {before} {after}" if before else f"ctsync show {nct_id}"


def _line(stored: StoredEvent) -> Line:
    before, after = sides(stored.event)
    passage = compare(before, after, values=(stored.event.before, stored.event.after))
    return Line(
        stored=stored,
        before=passage.before,
        after=passage.after,
        pieces=passage.pieces,
        move=move(stored.event),
        since_first=move_since_first(stored.event),
        is_cut=passage.is_cut,
    )


# --- what is not shown in lines -------------------------------------------------------------------


def _limited(
    trials: Sequence[Trial], window: Window, limit: int | None
) -> tuple[list[Trial], LeftOut | None]:
    """Keep the worst lines up to the limit, and count what is left; a row costs one line."""
    if limit is None:
        return list(trials), None
    kept: list[Trial] = []
    room, events, out = limit, 0, 0
    for trial in trials:
        lines = len(trial.lines)
        if room <= 0:
            events, out = events + lines + trial.administrative, out + 1
            continue
        short_of = max(0, lines - room)
        kept.append(_shortened(trial, room) if short_of else trial)
        events += short_of
        room -= max(1, lines)
    if not events:
        return kept, None
    return kept, LeftOut(events, out, f"ctsync changes{_since(window)}")


def _shortened(trial: Trial, room: int) -> Trial:
    worst = sorted(
        trial.lines, key=lambda line: (_line_order(line.stored), -line.stored.to_version)
    )
    keep = {id(line) for line in worst[:room]}
    steps = tuple(
        replace(step, lines=tuple(line for line in step.lines if id(line) in keep))
        for step in trial.steps
    )
    return replace(trial, steps=steps, left_out=len(trial.lines) - room)


def _welcome(stored: StoredEvent, window: Window, scope: Scope) -> Welcome:
    key = (scope.keys or {}).get(stored.nct_id)
    text = words.state(key, window.until) if key else stored.event.summary
    return Welcome(stored.nct_id, stored.brief_title or "", stored.url, text)


def _sentences(
    trials: Sequence[Trial], welcomes: Sequence[Welcome], scope: Scope
) -> Iterator[Sentence]:
    failed = {one.nct_id for one in scope.coverage.failed} if scope.coverage else set()
    aside = sum(trial.level is Level.ADMINISTRATIVE for trial in trials)
    spoken_of = {t.nct_id for t in trials} | {w.nct_id for w in welcomes} | failed
    still = max(0, scope.watched - len(spoken_of))
    return words.sentences(
        watched=scope.watched, still=still, administrative=aside, coverage=scope.coverage
    )
