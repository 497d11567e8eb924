"""The versions of a trial that the registry lists and that are not fetched. Writes nothing.

They have no record: they are no versions, and are never among the rows of versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date

from ctsync.model import STUDY_PAGE, ListedVersion, NctId, Version
from ctsync.questions.results.registry_rows import ListedVersionRow
from ctsync.questions.trial.stored_records import stored_versions
from ctsync.questions.trial.version_dates import stands_from
from ctsync.record.history_form.module_labels import may_change
from ctsync.record.value_text import counted
from ctsync.report.trial.course_points import CoursePoint
from ctsync.store.store import Store


def listed_version_row(one: ListedVersion) -> ListedVersionRow:
    """Return the row of a listed version."""
    return ListedVersionRow(
        nct_id=one.nct_id,
        registry_version=one.number,
        submitted=one.submitted,
        status=one.status,
        modules=tuple(sorted(one.modules)),
        url=f"{STUDY_PAGE}{one.nct_id}?tab=history&a={one.number + 1}",
    )


def unfetched_versions(store: Store, nct_id: NctId) -> tuple[ListedVersionRow, ...]:
    """List the versions of a trial that the registry lists and that are not fetched.

    Raises UnknownTrial if none is listed and none is stored.
    """
    listed = store.listed.unfetched(nct_id)
    if not listed:
        stored_versions(store, nct_id)  # raises if there are none
    return tuple(map(listed_version_row, listed))


def course_points(
    versions: Sequence[Version], listed: Sequence[ListedVersion]
) -> tuple[CoursePoint, ...]:
    """Return stored and listed versions in the registry's order, each with its first day.

    Both are oldest first. A listed version is current from the day of its submission, because its
    post date is not known.
    """
    points: list[CoursePoint] = []
    waiting = list(listed)
    for version, day in zip(versions, stands_from(versions), strict=True):
        while waiting and _precedes(waiting[0], version, day):
            points.append(_listed_point(waiting.pop(0), points))
        points.append(CoursePoint(version, max(day, points[-1].day) if points else day))
    for one in waiting:
        points.append(_listed_point(one, points))
    return tuple(points)


def _precedes(one: ListedVersion, version: Version, day: date) -> bool:
    if version.registry_version is not None:
        return one.number < version.registry_version
    # a version seen live has no number yet: the registry's own dates order it
    return one.submitted <= (version.submitted or day.isoformat())


def _listed_point(one: ListedVersion, points: Sequence[CoursePoint]) -> CoursePoint:
    day = date.fromisoformat(one.submitted)
    return CoursePoint(one, max(day, points[-1].day) if points else day)


def between(
    points: Sequence[CoursePoint], before: Version, after: Version
) -> tuple[ListedVersion, ...]:
    """Return the listed versions between two stored versions."""
    at = {
        point.what.version: index
        for index, point in enumerate(points)
        if isinstance(point.what, Version)
    }
    first, last = sorted((at[before.version], at[after.version]))
    return _listed_in(points[first:last])


def since_version(
    points: Sequence[CoursePoint], version: Version, day: date
) -> tuple[ListedVersion, ...]:
    """Return the listed versions that replaced a stored version by the end of a day."""
    found: list[ListedVersion] = []
    for point in points:
        if isinstance(point.what, ListedVersion):
            if point.day <= day:
                found.append(point.what)
        elif point.what.version <= version.version:
            found.clear()
    return tuple(found)


def _listed_in(points: Sequence[CoursePoint]) -> tuple[ListedVersion, ...]:
    return tuple(point.what for point in points if isinstance(point.what, ListedVersion))


# --- in words ------------------------------------------------------------------------------------


def numbers_of(numbers: Sequence[int]) -> str:
    """Return the registry's numbers of versions, which increase: "v1-v3, v5"."""
    return ", ".join(_ranges(numbers))


def _ranges(numbers: Sequence[int]) -> Iterator[str]:
    start = 0
    for at in range(1, len(numbers) + 1):
        if at == len(numbers) or numbers[at] != numbers[at - 1] + 1:
            first, last = numbers[start], numbers[at - 1]
            yield f"v{first}" if first == last else f"v{first}-v{last}"
            start = at


def listed_sentence(listed: Sequence[ListedVersion]) -> str:
    """Return "3 versions are listed by the registry and not fetched (v1-v3)"; "" if none is."""
    if not listed:
        return ""
    verb = "is" if len(listed) == 1 else "are"
    versions, numbers = counted(len(listed), "version"), numbers_of([one.number for one in listed])
    return f"{versions} {verb} listed by the registry and not fetched ({numbers})"


def how_to_fetch(nct_id: NctId) -> str:
    """Return how to fetch the versions that are listed."""
    return f"to fetch: ctsync backfill {nct_id}"


def unfetched_note(nct_id: NctId, listed: Sequence[ListedVersion]) -> str:
    """Return what is listed and not fetched of a trial, and how to fetch it; "" if nothing is."""
    return f"{listed_sentence(listed)}; {how_to_fetch(nct_id)}" if listed else ""


def gap_note(nct_id: NctId, listed: Sequence[ListedVersion]) -> str:
    """Return that a comparison runs across versions that are not fetched; "" if it does not."""
    if not listed:
        return ""
    return (
        f"between these versions, {listed_sentence(listed)}: a change may have come with any of "
        f"them; {how_to_fetch(nct_id)}"
    )


def record_note(nct_id: NctId, listed: Sequence[ListedVersion], day: date) -> str:
    """Return that a record of a day may have been replaced by then; "" if it was not."""
    if not listed:
        return ""
    modules = sorted({label for one in listed for label in one.modules})
    changed = f" in {', '.join(modules)}" if modules and all(one.modules for one in listed) else ""
    return (
        f"{listed_sentence(listed)}: the record on {day} may differ{changed}; "
        f"{how_to_fetch(nct_id)}"
    )


def field_note(
    nct_id: NctId, listed: Sequence[ListedVersion], path: str, *, has_values: bool
) -> str:
    """Return what is not known of a field because versions are not fetched; "" if none is listed.

    With `has_values`, the list of the registry has the value itself.
    """
    if not listed:
        return ""
    if has_values:
        return f"{listed_sentence(listed)}; their values are those of the registry's list"
    doubtful = [one for one in listed if may_change(path, one.modules)]
    if not doubtful:
        return f"{listed_sentence(listed)}; by the registry's list, none changed this field"
    which = "each"
    if len(doubtful) < len(listed):
        which = f"{counted(len(doubtful), 'version')} of them ("
        which += f"{numbers_of([one.number for one in doubtful])})"
    return (
        f"{listed_sentence(listed)}; by the registry's list, {which} may have changed this field; "
        f"{how_to_fetch(nct_id)}"
    )
