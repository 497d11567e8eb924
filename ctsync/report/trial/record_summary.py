"""The key fields of one version with their labels. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from ctsync.dates import format_minute
from ctsync.model import STUDY_PAGE, Version
from ctsync.record.enum_words import key_field_words
from ctsync.record.value_text import typed, typed_date


def overview(version: Version) -> Iterator[tuple[str, str]]:
    """Labels as on the registry's pages, with their values; skips empty fields."""
    key = version.key
    enrollment = "" if key.enrollment is None else str(key.enrollment)
    known = f"{version.version}, source {version.source}"
    lines = (
        ("NCT id", version.nct_id),
        ("Title", key.brief_title),
        ("Sponsor's study id", key.org_study_id),
        ("Lead sponsor", key.lead_sponsor),
        ("Overall status", key_field_words("status", key.status)),
        ("Last known status", key_field_words("last_known_status", key.last_known_status)),
        ("Why stopped", key.why_stopped),
        ("Study type", key_field_words("study_type", key.study_type)),
        ("Phase", key_field_words("phases", key.phases)),
        ("Enrollment", typed(enrollment, key.enrollment_type)),
        ("Start", _dated(key.start_date, key.start_date_type)),
        (
            "Primary completion",
            _dated(key.primary_completion_date, key.primary_completion_date_type),
        ),
        ("Completion", _dated(key.completion_date, key.completion_date_type)),
        ("First posted", key.first_posted),
        ("Last update posted", key.posted),
        ("Verified", key.verified),
        ("Results first posted", key.results_first_posted),
        ("Version", known),
        ("Seen in load", format_minute(version.observed) if version.observed else None),
        ("Digest", version.digest),
        ("Page", STUDY_PAGE + version.nct_id),
    )
    return ((label, value) for label, value in lines if value)


def _dated(text: str | None, kind: str | None) -> str:
    return typed_date(text, kind) if text else ""
