"""From the name of a field to its path, and from a path to the values in a record. No I/O."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ctsync.errors import UsageError
from ctsync.model import MISSING, JsonObject
from ctsync.record.fields.table import FIELDS
from ctsync.text import nearest_words

_STATUS = "protocolSection.statusModule"
_SHORT = {
    "start": f"{_STATUS}.startDateStruct",
    "start date": f"{_STATUS}.startDateStruct",
    "primary completion": f"{_STATUS}.primaryCompletionDateStruct",
    "primary completion date": f"{_STATUS}.primaryCompletionDateStruct",
    "pcd": f"{_STATUS}.primaryCompletionDateStruct",
    "completion": f"{_STATUS}.completionDateStruct",
    "completion date": f"{_STATUS}.completionDateStruct",
    "status": f"{_STATUS}.overallStatus",
    "enrollment": "protocolSection.designModule.enrollmentInfo",
    "phase": "protocolSection.designModule.phases",
    "sponsor": "protocolSection.sponsorCollaboratorsModule.leadSponsor",
    "lead sponsor": "protocolSection.sponsorCollaboratorsModule.leadSponsor",
    "title": "protocolSection.identificationModule.briefTitle",
    "eligibility": "protocolSection.eligibilityModule.eligibilityCriteria",
    "sites": "protocolSection.contactsLocationsModule.locations",
    "results": "hasResults",
}
"""Common short names. Labels and the ends of paths need no entry."""

_SHOWN = 6


def find_path(name: str) -> str:
    """The path of the one field that a name means.

    A name is a path ("protocolSection.statusModule.overallStatus"), the end of a path
    ("overallStatus", "locations.status"), the label on the registry's pages ("Overall Status")
    or a common short name ("primary completion"). If a field and one of its parts have the same
    name, the name means the field. If no field or several fields match, raises UsageError, which
    names similar fields.
    """
    wanted = name.strip()
    steps = tuple(wanted.lower().split("."))
    words = _words(wanted)
    for found in (
        [path for path in FIELDS if path.lower() == wanted.lower()],
        [_SHORT[words]] if words in _SHORT else [],
        [path for path, field in FIELDS.items() if _words(field.label) == words],
        [path for path in FIELDS if tuple(path.lower().split("."))[-len(steps) :] == steps],
    ):
        whole = _outermost(found)
        if len(whole) == 1:
            return whole[0]
        if whole:
            raise UsageError(_several(name, whole))
    raise UsageError(f"there is no field {name!r}{_near(words)}")


def values_of_field(body: JsonObject, name: str) -> dict[str, Any]:
    """The values of a field in a record by their place, for a name as in `find_path`.

    Raises UsageError if the record has none.
    """
    found = values_at(body, name) or values_at(body, find_path(name))
    if not found:
        nct_id = body["protocolSection"]["identificationModule"]["nctId"]
        raise UsageError(f"{nct_id} has no {name!r} in this version")
    return found


def _words(text: str) -> str:
    """A name in small letters and single spaces: of Like This, likeThis and like_this."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    return " ".join(re.split(r"[\s_.-]+", apart.strip().lower()))


def _outermost(paths: Sequence[str]) -> list[str]:
    return [one for one in paths if not any(one.startswith(f"{other}.") for other in paths)]


def _several(name: str, paths: Sequence[str]) -> str:
    shown = ", ".join(_shortest(path) for path in paths[:_SHOWN])
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return f"{name!r} may be {shown}{more}; write more of the path"


def _shortest(path: str) -> str:
    """The shortest end of a path that no other path ends with."""
    steps = path.split(".")
    for length in range(1, len(steps)):
        end = ".".join(steps[-length:])
        if sum(other == end or other.endswith(f".{end}") for other in FIELDS) == 1:
            return end
    return path


def _near(words: str) -> str:
    names: dict[str, str] = {key: key for key in _SHORT}
    for path, field in FIELDS.items():
        names.setdefault(_words(field.label), field.label)
        names.setdefault(_words(path.rsplit(".", 1)[-1]), _shortest(path))
    close = nearest_words(words, names, most=3)
    if close:
        return f"; did you mean {' or '.join(dict.fromkeys(names[one] for one in close))}?"
    return "; name a field by its label, its path, or the end of its path, such as overallStatus"


def value_at(body: JsonObject, path: str) -> Any:
    """The value of a record at a full path without list positions; MISSING if it has none.

    A path through lists gives one flat list of the values of their items.
    """
    return _at(body, path.split("."))


def _at(value: Any, steps: Sequence[str]) -> Any:
    if not steps:
        return value
    if isinstance(value, list):
        return _listed(_at(item, steps) for item in value)
    if not isinstance(value, dict) or steps[0] not in value:
        return MISSING
    return _at(value[steps[0]], steps[1:])


def _listed(values: Iterable[Any]) -> Any:
    flat: list[Any] = []
    for value in values:
        if isinstance(value, list):
            flat += value
        elif value is not MISSING:
            flat.append(value)
    return flat or MISSING


def values_at(body: JsonObject, path: str) -> dict[str, Any]:
    """Every value whose dotted path is `path` or ends with it, by its full path.

    Ignores case. The full path numbers list items from 0 ("...locations[3].city"); `path` has no
    such numbers ("locations.city"). If a match contains further matches, only the outer value
    is returned.
    """
    wanted = tuple(path.lower().split("."))
    return dict(_search(body, (), "", wanted))


def _search(
    value: Any, steps: tuple[str, ...], where: str, wanted: tuple[str, ...]
) -> Iterator[tuple[str, Any]]:
    if steps and steps[-len(wanted) :] == wanted:
        yield where, value
    elif isinstance(value, dict):
        for key, child in value.items():
            here = f"{where}.{key}" if where else key
            yield from _search(child, (*steps, key.lower()), here, wanted)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from _search(item, steps, f"{where}[{number}]", wanted)
