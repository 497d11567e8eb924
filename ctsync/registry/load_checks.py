"""The load of /version, checked against our clock and the loads already seen. Does no I/O."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ctsync.dates import LOAD_TOLERANCE, format_minute, parse_timestamp
from ctsync.errors import BadAnswer, FutureLoad, StaleRegistry
from ctsync.model import RegistryVersion
from ctsync.registry.http.response import as_object
from ctsync.text import for_log, shorten


def read_version(value: Any) -> RegistryVersion:
    """Read the answer of /version. Raises BadAnswer."""
    body = as_object(value)
    number, stamp = body.get("apiVersion"), body.get("dataTimestamp")
    if not isinstance(number, str) or not isinstance(stamp, str) or "T" not in stamp:
        raise BadAnswer("the registry's version has no apiVersion or dataTimestamp")
    try:
        return RegistryVersion(number, parse_timestamp(stamp))
    except (ValueError, OverflowError) as error:
        shown = shorten(for_log(stamp), 40)
        raise BadAnswer(f"the registry's dataTimestamp is no time: {shown!r}") from error


def is_future_load(load: datetime, now: datetime) -> bool:
    """Return whether a load is so far ahead of our clock that one of the two clocks is wrong."""
    return load > now + LOAD_TOLERANCE


def refuse_future_load(load: datetime, now: datetime) -> None:
    """Raise FutureLoad for a load more than a day ahead of our clock, naming both clocks.

    If it were stored, every later load would look old.
    """
    if is_future_load(load, now):
        raise FutureLoad(
            f"the registry data are of {format_minute(load)}, but this computer's clock says "
            f"{format_minute(now)}; one of the two is wrong, and nothing was compared. Check this "
            "clock: ctsync doctor. If the registry is right, add --accept-load"
        )


def refuse_older_load(load: datetime, newest: datetime | None, now: datetime) -> None:
    """Raise StaleRegistry for a load older than the newest one already seen."""
    if newest is not None and load < newest:
        raise StaleRegistry(
            f"the registry shows data of {format_minute(load)}, older than the data of "
            f"{format_minute(newest)} already seen; nothing was compared, "
            f"{advice_on_newest(newest, now)}"
        )


def advice_on_newest(newest: datetime, now: datetime) -> str:
    """Return what to do about a load that is older than the newest one already seen."""
    if not is_future_load(newest, now):
        return "try again later"
    return (
        f"and {format_minute(newest)} is ahead of this computer's clock, which says "
        f"{format_minute(now)}; if this clock is right: {forget_command(newest)}"
    )


def forget_command(load: datetime) -> str:
    """Return the command that undoes a stored load with a wrong dataTimestamp."""
    return f"ctsync db forget-load {load.astimezone(UTC).isoformat().replace('+00:00', 'Z')}"
