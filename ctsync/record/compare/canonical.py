"""Canonical form of a record: volatile paths dropped, keys and set-like lists sorted.

Two studies with the same content have the same canonical bytes and the same digest, in whatever
order the registry wrote their keys and their set-like lists. The digest begins with the version
of the canonical form, so that digests of different forms are distinguishable.

Does no I/O.
"""

from __future__ import annotations

import hashlib
from itertools import chain
from operator import itemgetter, lt
from typing import Any

import orjson

from ctsync.errors import BadNctId, BadRecord
from ctsync.model import JsonObject, KeyFields, NctId, Record
from ctsync.nct_id import parse_nct_id
from ctsync.record.fields.field_types import ListKey
from ctsync.record.fields.table import FIELDS, VOLATILE
from ctsync.text import shorten

CANONICAL_VERSION = 1

_LONGEST_KEY_TEXT = 2000
_DEEPEST = 200
_STATUS = "protocolSection.statusModule"


def canonicalize(study: JsonObject, *, own: bool = False) -> Record:
    """Return the canonical record of a study as the registry sent it.

    Keeps everything except the volatile paths: nulls, wrong types, unknown fields. Rewrites
    values that no database can hold: half a surrogate pair becomes its escape, an integer
    beyond 64 bits a float, one beyond 300 digits hexadecimal text.

    With `own`, `study` itself becomes the record's body: it is modified, and its keys keep their
    order. This takes half the time. Otherwise `study` is not modified.

    Raises BadRecord if the study is not an object, has no NCT id, or is nested deeper than 200
    levels.
    """
    if not isinstance(study, dict):
        raise BadRecord(f"a study is a JSON object, not {_kind_of(study)}")
    body: JsonObject = study if own else orjson.loads(_sorted_bytes(study))
    for path in VOLATILE:
        _drop(body, path.split("."))
    return seal(body)


def seal(body: JsonObject) -> Record:
    """Make a record of a body, sorting the body's set-like lists in place.

    Raises BadRecord if the body has no NCT id.
    """
    nct_id = _identity(body)
    _arrange(body, _PLAN)
    canonical = _sorted_bytes(body)
    return Record(nct_id, body, canonical, digest_of(canonical))


def restore(canonical: bytes, digest: str) -> Record:
    """Read a record from stored canonical bytes. Does not check them against the digest.

    Raises BadRecord if the bytes are not a record.
    """
    try:
        body = orjson.loads(canonical)
    except orjson.JSONDecodeError as error:
        raise BadRecord(f"the stored record is not JSON: {error}") from None
    if not isinstance(body, dict):
        raise BadRecord(f"a record is a JSON object, not {_kind_of(body)}")
    return Record(_identity(body), body, canonical, digest)


def digest_of(canonical: bytes) -> str:
    """Return the digest of canonical bytes: form version, a colon, SHA-256 in hexadecimal."""
    return f"{CANONICAL_VERSION}:{hashlib.sha256(canonical).hexdigest()}"


def key_fields(body: JsonObject) -> KeyFields:
    """Return the few fields that are stored as SQL columns. A value of a wrong type is None.

    Phases are joined as in the registry's CSV ("PHASE2|PHASE3"). Texts longer than 2,000
    characters are shortened, with a note of how much was cut.
    """
    protocol = _child(body, "protocolSection")
    status = _child(protocol, "statusModule")
    design = _child(protocol, "designModule")
    identity = _child(protocol, "identificationModule")
    enrollment = _child(design, "enrollmentInfo")
    start, primary, completion = (
        _child(status, f"{name}DateStruct") for name in ("start", "primaryCompletion", "completion")
    )
    return KeyFields(
        status=_text(status, "overallStatus"),
        last_known_status=_text(status, "lastKnownStatus"),
        why_stopped=_text(status, "whyStopped"),
        start_date=_text(start, "date"),
        start_date_type=_text(start, "type"),
        primary_completion_date=_text(primary, "date"),
        primary_completion_date_type=_text(primary, "type"),
        completion_date=_text(completion, "date"),
        completion_date_type=_text(completion, "type"),
        enrollment=_count(enrollment, "count"),
        enrollment_type=_text(enrollment, "type"),
        phases=_phases(design),
        study_type=_text(design, "studyType"),
        lead_sponsor=_text(
            _child(_child(protocol, "sponsorCollaboratorsModule"), "leadSponsor"), "name"
        ),
        org_study_id=_text(_child(identity, "orgStudyIdInfo"), "id"),
        brief_title=_text(identity, "briefTitle"),
        verified=_text(status, "statusVerifiedDate"),
        first_submitted=_text(status, "studyFirstSubmitDate"),
        first_posted=_text(_child(status, "studyFirstPostDateStruct"), "date"),
        submitted=_text(status, "lastUpdateSubmitDate"),
        posted=_text(_child(status, "lastUpdatePostDateStruct"), "date"),
        results_first_posted=_text(_child(status, "resultsFirstPostDateStruct"), "date"),
        has_results=body.get("hasResults") is True,
    )


# --- key fields ----------------------------------------------------------------------------------


def _child(parent: JsonObject, key: str) -> JsonObject:
    child = parent.get(key)
    return child if isinstance(child, dict) else {}


def _text(parent: JsonObject, key: str) -> str | None:
    value = parent.get(key)
    if not isinstance(value, str):
        return None
    # NUL is the one character of JSON that PostgreSQL cannot store as text
    return shorten(value.replace("\x00", r"\x00"), _LONGEST_KEY_TEXT)


def _count(parent: JsonObject, key: str) -> int | None:
    value = parent.get(key)
    is_count = isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
    return value if is_count else None


def _phases(design: JsonObject) -> str | None:
    phases = design.get("phases")
    named = [p for p in phases if isinstance(p, str)] if isinstance(phases, list) else []
    return _text({"phases": "|".join(named)}, "phases") if named else None


# --- canonical form ------------------------------------------------------------------------------


def _identity(body: JsonObject) -> NctId:
    identity = _child(_child(body, "protocolSection"), "identificationModule").get("nctId")
    try:
        return parse_nct_id(identity if isinstance(identity, str) else "")
    except BadNctId:
        raise BadRecord(f"the study has no NCT id: {_kind_of(identity)}") from None


def _kind_of(value: object) -> str:
    return repr(value[:40]) if isinstance(value, str) else type(value).__name__


def _sorted_bytes(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        return orjson.dumps(_storable(value, 0), option=orjson.OPT_SORT_KEYS)


def _storable(value: Any, depth: int) -> Any:
    """Copy a value, rewriting what orjson refuses to write."""
    if depth > _DEEPEST:
        raise BadRecord(f"a study nested deeper than {_DEEPEST} levels")
    match value:
        case dict():
            return {_storable(str(k), depth): _storable(v, depth + 1) for k, v in value.items()}
        case list():
            return [_storable(item, depth + 1) for item in value]
        case str():
            return value.encode("utf-8", "backslashreplace").decode()
        case int() if not -(2**63) <= value < 2**64:
            return float(value) if abs(value) < 10**300 else hex(value)
        case _:
            return value


def _drop(body: Any, steps: list[str]) -> None:
    for step in steps[:-1]:
        if not isinstance(body, dict):
            return
        body = body.get(step)
    if isinstance(body, dict):
        body.pop(steps[-1], None)


class _Plan:
    """A tree of the paths that lead to set-like lists; `listing` is set if this path is one."""

    __slots__ = ("below", "listing")

    def __init__(self) -> None:
        self.below: dict[str, _Plan] = {}
        self.listing: ListKey | None = None


def _lists_to_sort() -> _Plan:
    top = _Plan()
    for field in FIELDS.values():
        if field.items is None or field.items.ordered:
            continue
        plan = top
        for step in field.path.split("."):
            plan = plan.below.setdefault(step, _Plan())
        plan.listing = field.items
    return top


_PLAN = _lists_to_sort()


def _arrange(value: JsonObject, plan: _Plan) -> None:
    """Sort the set-like lists below an object, innermost first, in place."""
    for key, below in plan.below.items():
        child = value.get(key)
        if not child:
            continue
        if isinstance(child, list):
            if below.below:
                for item in child:
                    if isinstance(item, dict):
                        _arrange(item, below)
            if below.listing is not None and len(child) > 1:
                _sort(child, below.listing)
        elif isinstance(child, dict):
            _arrange(child, below)


def _sort(items: list[Any], listing: ListKey) -> None:
    """Sort by key, in place. Items with equal keys are sorted by their bytes: one fixed order."""
    keys = _plain_keys(items, listing) or [key_of(item, listing) for item in items]
    if all(map(lt, keys, keys[1:])):
        return  # already sorted, as most short lists are
    by_key = dict(zip(keys, items, strict=True))
    if len(by_key) == len(items):
        items[:] = [by_key[key] for key in sorted(by_key)]
        return
    ties = [_sorted_bytes(item) for item in items]
    order = sorted(range(len(items)), key=lambda i: (keys[i], ties[i]))
    items[:] = [items[i] for i in order]


def _plain_keys(items: list[Any], listing: ListKey) -> list[Any] | None:
    """Return keys that sort like those of `key_of`, or None if the items need `key_of`.

    Fast path for well-formed items, which nearly all are: it takes a third of the time.
    """
    names = listing.key
    if not names:
        return items if set(map(type, items)) == {str} else None
    keys: list[Any]
    try:
        if len(names) == 1:
            keys = [item[names[0]] for item in items]
            return keys if set(map(type, keys)) == {str} else None
        keys = _all_named(items, names)
    except (KeyError, TypeError, AttributeError):
        return None
    plain = {str} == set(map(type, chain.from_iterable(keys)))
    return keys if plain and not any("/" in name for name in names) else None


def _all_named(items: list[Any], names: tuple[str, ...]) -> list[tuple[Any, ...]]:
    try:
        return list(map(itemgetter(*names), items))
    except KeyError:  # for example a site without a facility name
        return [tuple([item.get(name, "") for name in names]) for item in items]


def key_of(item: Any, listing: ListKey) -> tuple[str, ...]:
    """Return the texts that identify an item of a list."""
    if not listing.key or not isinstance(item, dict):
        return (as_text(item),)
    return tuple([key_part(item, name) for name in listing.key])


def key_part(item: JsonObject, name: str) -> str:
    """Return the text of a field; of "pmid/citation", that of the first of the two present."""
    value = item.get(name)
    if value is None and "/" in name:
        value = next((item[either] for either in name.split("/") if item.get(either)), None)
    return value if isinstance(value, str) else as_text(value)


def as_text(value: Any) -> str:
    """Return a string unchanged, None as an empty string, any other JSON value as sorted JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else _sorted_bytes(value).decode()
