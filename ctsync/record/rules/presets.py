"""Presets: thresholds for a watch, by what its readers look for. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Preset(StrEnum):
    """A set of thresholds for one watch."""

    SPONSOR = "sponsor"
    COMPETITOR = "competitor"
    METHODS = "methods"


PRESETS: Mapping[Preset, Mapping[str, float]] = {
    # your own trials: small moves matter early, because you can still act. With 180 days, 51 of
    # 110 moves of 30 days or more would be critical in docs/levels.md's 452 versions
    Preset.SPONSOR: {
        "slip_notable_days": 30,
        "slip_critical_days": 270,
        "start_slip_notable_days": 30,
        "enrollment_target_change_percent": 5,
        "sites_notable_count": 3,
        "sites_notable_percent": 10,
    },
    # trials of others: plans and progress, as far as dates and sites show them
    Preset.COMPETITOR: {
        "slip_notable_days": 60,
        "start_slip_notable_days": 60,
        "sites_notable_count": 5,
        "sites_notable_percent": 10,
    },
    # research on registration: outcomes and registration matter, the course of a trial less
    Preset.METHODS: {
        "slip_notable_days": 365,
        "slip_critical_days": 730,
        "start_slip_notable_days": 365,
        "enrollment_target_change_percent": 25,
        "sites_notable_count": 100,
        "sites_notable_percent": 50,
    },
}
"""The thresholds that each preset sets; the others stay as in the settings."""
