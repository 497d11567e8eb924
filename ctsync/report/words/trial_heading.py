"""The heading of a trial: title, lead sponsor, condition and phase. Does no I/O.

Every word comes from the record. Remote text is not changed: each format makes it safe for its
own sink.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ctsync.model import JsonObject, KeyFields
from ctsync.record.enum_words import enum_words, phase_words

TITLE_WIDTH = 60
SPONSOR_WIDTH = 40
CONDITION_WIDTH = 32
NO_SPONSOR = "no sponsor given"
_MOST_JOINED = 2
_LEAST_SHARE = 1 / 3
"""Least share of a condition's words that the title must have to name it."""
_NO_PHASE = "NA"
_INTERVENTIONAL = "INTERVENTIONAL"
_ELLIPSIS = "…"
_LEGAL_FORM = re.compile(
    r"[\s,]+(?:Inc|Incorporated|LLC|L\.L\.C|Ltd|Limited|Co|Corp|Corporation|GmbH|AG|S\.?A|S\.?A\.?S"
    r"|S\.?p\.?A|S\.?r\.?l|B\.?V|N\.?V|A/S|AB|KGaA|PLC|plc|LP|L\.P|Pty)\.?\s*$"
)
_WORD = re.compile(r"[^\W_]+")
_ABBREVIATION = re.compile(r"[A-Z][A-Za-z0-9]*[A-Z0-9]")
_SHORTEST = 3
"""Fewest letters of an abbreviation: two letters name too many things."""
_SMALL_WORDS = frozenset(
    {"a", "an", "and", "by", "for", "in", "of", "on", "or", "the", "to", "with"}
)


@dataclass(frozen=True, slots=True)
class TrialHeading:
    """The title, sponsor, conditions and phase of a trial, as its record has them.

    A text is empty if the record has none. `phase` is in words ("Phase 2/3"), empty if phases do
    not apply; `study_type` is the registry's value.
    """

    brief_title: str = ""
    acronym: str = ""
    sponsor: str = ""
    phase: str = ""
    study_type: str = ""
    conditions: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()


def heading_of(body: JsonObject) -> TrialHeading:
    """The heading from the body of a record; ignores values of the wrong type."""
    protocol = _object(body.get("protocolSection"))
    identification = _object(protocol.get("identificationModule"))
    design = _object(protocol.get("designModule"))
    conditions = _object(protocol.get("conditionsModule"))
    sponsors = _object(protocol.get("sponsorCollaboratorsModule"))
    return TrialHeading(
        brief_title=_text(identification.get("briefTitle")),
        acronym=_text(identification.get("acronym")),
        sponsor=_text(_object(sponsors.get("leadSponsor")).get("name")),
        phase=_phase("|".join(_texts(design.get("phases")))),
        study_type=_text(design.get("studyType")),
        conditions=_texts(conditions.get("conditions")),
        keywords=_texts(conditions.get("keywords")),
    )


def heading_of_key(key: KeyFields | None, *, brief_title: str | None = None) -> TrialHeading:
    """The heading from key fields, which have no acronym and no conditions."""
    key = key or KeyFields()
    return TrialHeading(
        brief_title=_text(brief_title or key.brief_title),
        sponsor=_text(key.lead_sponsor),
        phase=_phase(key.phases or ""),
        study_type=key.study_type or "",
    )


def short_title(heading: TrialHeading, width: int = TITLE_WIDTH) -> str:
    """Acronym and brief title, cut at a word to at most `width` characters.

    An acronym alone is unclear ("MS", "AC18/00031"), so the title follows it.
    """
    acronym, title = heading.acronym, heading.brief_title
    if acronym and acronym.lower() not in title.lower():
        title = f"{acronym}: {title}" if title else acronym
    return cut_at_word(title, width)


def short_sponsor(heading: TrialHeading, width: int = SPONSOR_WIDTH) -> str:
    """The lead sponsor without its legal form ("Inc.", "Co., Ltd."), cut at a word."""
    name = heading.sponsor
    while (shorter := _LEGAL_FORM.sub("", name)) != name and shorter:
        name = shorter
    return cut_at_word(name, width)


def short_condition(heading: TrialHeading, width: int = CONDITION_WIDTH) -> str:
    """One condition, by its abbreviation if the record gives it; cut at a word.

    It is the only condition, or the one that the title names best. If the title names none, these
    are two short conditions or the number of conditions: stored records have them in
    alphabetical order, so that the first one of the record is not known.
    """
    # "AML" beside "Acute Myeloid Leukemia" is the same condition
    names = heading.conditions
    conditions = [one for one in names if not any(_abbreviates(one, other) for other in names)]
    if not conditions:
        return ""
    title = f"{heading.acronym} {heading.brief_title}"
    words, abbreviations = set(_words(title)), list(_abbreviations_in(title))
    shares = [_named(one, words, abbreviations) for one in conditions]
    if len(shares) > 1 and max(shares) < _LEAST_SHARE:
        both = " and ".join(sorted(conditions))
        is_short = len(shares) == _MOST_JOINED and len(both) <= width
        return both if is_short else f"{len(shares)} conditions"
    found = conditions[shares.index(max(shares))]
    return _abbreviation(found, heading) or cut_at_word(found, width)


def short_phase(heading: TrialHeading) -> str:
    """The phase, else the study type if it is not interventional: "Observational"."""
    if heading.phase or heading.study_type in {"", _INTERVENTIONAL}:
        return heading.phase
    return enum_words(heading.study_type)


@lru_cache(maxsize=4096)
def heading_parts(heading: TrialHeading) -> tuple[str, ...]:
    """Sponsor, condition and phase, without the empty ones.

    Without a sponsor, the first part says so, because readers expect the sponsor there.
    """
    # cached: a report shows them in its table and again above the details of the trial. Choosing
    # the condition takes 0.1 ms, as long as writing several lines.
    sponsor, *others = (short_sponsor(heading), short_condition(heading), short_phase(heading))
    known = [part for part in others if part]
    return (sponsor or NO_SPONSOR, *known) if sponsor or known else ()


def trial_heading(heading: TrialHeading, between: str = " · ") -> str:
    """Sponsor, condition and phase: "AstraZeneca · NSCLC · Phase 2"; leaves out empty parts."""
    return between.join(heading_parts(heading))


def cut_at_word(text: str, width: int) -> str:
    """Text on one line, cut after a word to at most `width` characters, with "…" at the cut."""
    line = " ".join(text.split())
    if len(line) <= width:
        return line
    room = width - len(_ELLIPSIS)
    at = line.rfind(" ", 0, room + 1)
    # a first word that fills most of the line is cut inside
    kept = line[:at] if at > room // 2 else line[:room]
    return kept.rstrip(" ,;:.-–(/") + _ELLIPSIS


# --- parts ------------------------------------------------------------------------------------


def _words(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(text) if word.lower() not in _SMALL_WORDS]


def _named(condition: str, words: Collection[str], abbreviations: Iterable[str]) -> float:
    """How much of a condition these words of a title name, from 0 to 1; all by an abbreviation."""
    abbreviated = any(_abbreviates(word, condition) for word in abbreviations)
    return 1.0 if abbreviated else _share(_words(condition), words)


def _share(words: Sequence[str], title: Collection[str]) -> float:
    """The share of words that the title has; a plural counts as its singular."""
    named = sum(any(one in title for one in (w, f"{w}s", w.removesuffix("s"))) for w in words)
    return named / len(words) if words else 0.0


def _abbreviation(condition: str, heading: TrialHeading) -> str:
    """An abbreviation of the condition in its own words, other conditions or keywords."""
    candidates = (condition, *heading.conditions, *heading.keywords)
    for text in candidates:
        for word in _abbreviations_in(text):
            if _abbreviates(word, condition):
                return word
    return ""


def _abbreviations_in(text: str) -> Iterator[str]:
    return (word for word in _WORD.findall(text) if _ABBREVIATION.fullmatch(word))


def _abbreviates(word: str, condition: str) -> bool:
    """Whether `word` consists of the first letters of the other words of the condition."""
    if len(word) < _SHORTEST or " " in word:  # most conditions: first letters have no blanks
        return False
    words = [one for one in _WORD.findall(condition) if one.lower() != word.lower()]
    every = "".join(one[0] for one in words)
    large = "".join(one[0] for one in words if one.lower() not in _SMALL_WORDS)
    return word.lower() in {every.lower(), large.lower()}


def _phase(phases: str) -> str:
    return "" if phases in {"", _NO_PHASE} else phase_words(phases)


def _object(value: Any) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return " ".join(value.split()) if isinstance(value, str) else ""


def _texts(value: Any) -> tuple[str, ...]:
    items: Sequence[Any] = value if isinstance(value, list) else ()
    return tuple(filter(None, map(_text, items)))
