"""Named instruments and their versions: RECIST 1.1 is not iRECIST, CTCAE 3.0 is not 4.03.

Does no I/O.
"""

from __future__ import annotations

import re

from ctsync.record.outcomes.outcome_text import OutcomeText

# instruments that replace one another: an outcome uses one of them
_FAMILIES = (
    frozenset({"recist", "irecist", "mrecist", "imrecist", "who criteria", "rano", "irano",
               "lugano", "cheson", "percist"}),
    frozenset({"ctcae", "ctc", "who toxicity"}),
)  # fmt: skip
_NAME = re.compile(
    r"\b(i?m?recist|percist|i?rano|lugano|cheson|who criteria|who toxicity|ctcae|ctc|meddra|dsm"
    r"|icd|bdi|updrs|sf|eq ?5d|fact|hads?|wais|wisc|moca|locs|gold|naranjo|barc|timi|isth)\b"
    r"(?:[ -]*(?:criteria|guidelines?|version|vers\.?|v\.?|\(|,|-)*[ -]*"
    r"((?:\d+(?:\.\d+)*|iv|iii|ii)[a-z]?)\b"
    r"(?! ?(?:%|day|week|month|year|hour|point|item|patient)))?"
)
_ROMAN = {"ii": "2", "iii": "3", "iv": "4"}


def exchanged_instruments(before: OutcomeText, after: OutcomeText) -> list[tuple[str, str]]:
    """Return the instruments that another one or another version replaced, as (earlier, later).

    An instrument that only one side names is no exchange.
    """
    old = _instruments(before)
    new = _instruments(after) if old else {}
    if not new:
        return []
    found = []
    for family in _FAMILIES:
        was, is_now = (old.keys() & family) - new.keys(), (new.keys() & family) - old.keys()
        if was and is_now and not old.keys() & new.keys() & family:
            found.append((_named(min(was), old), _named(min(is_now), new)))
    found.extend(
        (_named(name, old), _named(name, new))
        for name in sorted(old.keys() & new.keys())
        if old[name] and new[name] and not old[name] & new[name]
    )
    return found


def _instruments(outcome: OutcomeText) -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, version in _NAME.findall(" ; ".join((outcome.plain[0], outcome.plain[2]))):
        versions = found.setdefault(name, set())
        if version:
            versions.add(_plain_version(version))
    return {name: frozenset(versions) for name, versions in found.items()}


def _plain_version(version: str) -> str:
    version = _ROMAN.get(version, version)
    return version.removesuffix(".0") if version.count(".") == 1 else version


def _named(name: str, versions: dict[str, frozenset[str]]) -> str:
    return " ".join([name.upper().replace("IRECIST", "iRECIST"), *sorted(versions[name])])
