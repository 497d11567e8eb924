"""Insertion points: history versions keep the registry's order, for any versions seen live."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ctsync.model import KeyFields, NctId, Source, State, Version
from ctsync.sync.history.insertion_point import InsertionPoint, KnownVersion, find_insertion_point

TRIAL = NctId("NCT03389919")
BEGIN = date(2020, 1, 6)


@dataclass(frozen=True)
class Shown:
    """A state the registry showed from a day on: version `number` after `touch` undated changes."""

    day: date
    number: int
    touch: int
    key: KeyFields

    @property
    def content(self) -> str:
        return f"{self.number}+{self.touch}"


@st.composite
def lives(draw: st.DrawFn) -> list[Shown]:
    """A trial's timeline: versions posted days apart or on one day, some changed without a date."""
    posted = BEGIN
    life: list[Shown] = []
    for number in range(draw(st.integers(1, 8))):
        posted += timedelta(days=draw(st.sampled_from([0, 0, 1, 7, 30])))
        submitted = posted - timedelta(days=draw(st.integers(0, 3)))
        before = life[-1].key.submitted if life else ""
        key = KeyFields(
            status="RECRUITING",
            posted=str(posted),
            submitted=max(str(submitted), before or ""),
            enrollment=draw(st.integers(1, 2)),
        )
        life.append(Shown(posted, number, 0, key))
        for touch in range(1, draw(st.integers(1, 3))):
            status = draw(st.sampled_from(["RECRUITING", "UNKNOWN"]))
            day = posted + timedelta(days=touch)
            life.append(Shown(day, number, touch, replace(key, status=status)))
            posted = day + timedelta(days=1)
    return life


def seen_live(life: Sequence[Shown], days: set[int]) -> list[tuple[Shown, Version]]:
    """The versions that loads on some of the days showed, as they are stored."""
    stored: list[tuple[Shown, Version]] = []
    for day in sorted(days):
        load = BEGIN + timedelta(days=day)
        standing = [one for one in life if one.day <= load]
        if standing and (not stored or stored[-1][0] is not standing[-1]):
            stored.append((standing[-1], _version(standing[-1], Source.LIVE, load, len(stored))))
    return stored


def _version(one: Shown, source: Source, load: date | None, snapshot: int) -> Version:
    return Version(
        snapshot_id=snapshot,
        nct_id=TRIAL,
        version=0,
        registry_version=None if source is Source.LIVE else one.number,
        source=source,
        state=State.PRESENT,
        digest=one.content,
        posted=one.key.posted,
        submitted=one.key.submitted,
        observed=None if load is None else datetime.combine(load, datetime.min.time(), UTC),
        fetched=datetime(2026, 1, 1, tzinfo=UTC),
        key=one.key,
    )


@given(life=lives(), days=st.sets(st.integers(0, 120)), order=st.randoms())
def test_history_fetched_in_any_order_joins_any_live_versions_in_order(
    life: list[Shown], days: set[int], order: object
) -> None:
    stored = seen_live(life, days)
    history = [one for one in life if one.touch == 0]
    order.shuffle(history)  # type: ignore[attr-defined]  # a random.Random
    for one in history:
        content = one.content

        def is_same(seen: Version, content: str = content) -> bool:
            return seen.digest == content

        found = find_insertion_point(
            [version for _, version in stored], one.number, one.key, is_same=is_same
        )
        if isinstance(found, KnownVersion):
            at = next(i for i, (_, v) in enumerate(stored) if v is found.version)
            known = replace(found.version, registry_version=one.number, source=Source.BOTH)
            stored[at] = (stored[at][0], known)
        else:
            stored.insert(found.index, (one, _version(one, Source.HISTORY, None, -1)))
    course = [one.content for one, _ in stored]
    assert course == [one.content for one in life if one.content in course]
    assert len(set(course)) == len(course)
    assert [v.registry_version for _, v in stored if v.registry_version is not None] == list(
        range(len(history))
    )


def a_version(posted: str, **more: object) -> Version:
    one = Shown(date.fromisoformat(posted), 0, 0, KeyFields(posted=posted, submitted=posted))
    values: dict[str, object] = {"registry_version": None, "source": Source.LIVE, **more}
    return replace(_version(one, Source.LIVE, one.day, 0), **values)  # type: ignore[arg-type]  # any field


def no(_: Version) -> bool:
    return False


def test_versions_are_inserted_before_the_end_of_a_trial_or_before_its_return() -> None:
    seen = a_version("2024-01-10")
    gone = replace(a_version("2024-02-01"), state=State.GONE, digest=None, key=seen.key)
    key = KeyFields(posted="2024-03-01", submitted="2024-02-27")
    assert find_insertion_point([seen, gone], 1, key, is_same=no) == InsertionPoint(1)
    back = a_version("2024-04-01")
    assert find_insertion_point([seen, gone, back], 1, key, is_same=no) == InsertionPoint(2)
    earlier = KeyFields(posted="2024-01-20", submitted="2024-01-18")
    assert find_insertion_point([seen, gone, back], 1, earlier, is_same=no) == InsertionPoint(1)


def test_a_version_without_dates_is_placed_by_its_number_alone() -> None:
    older, newer = a_version("2024-01-10", registry_version=0), a_version("2024-03-01")
    assert find_insertion_point([older, newer], 1, KeyFields(), is_same=no) == InsertionPoint(1)
    assert find_insertion_point([], 0, KeyFields(), is_same=no) == InsertionPoint(0)
