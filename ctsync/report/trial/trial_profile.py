"""What a trial is: sponsor, conditions, interventions, design, from its record. Does no I/O."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from ctsync.model import JsonObject, KeyFields
from ctsync.record.enum_words import enum_words, phase_words
from ctsync.record.value_text import counted, listed, plain, typed, typed_date
from ctsync.report.trial.charts.site_counts import country_of

_PROTOCOL = "protocolSection"
_DESIGN = f"{_PROTOCOL}.designModule"


def trial_facts(body: JsonObject, key: KeyFields) -> tuple[tuple[str, str], ...]:
    """Return labels with values in words; skips what the record does not give."""
    facts = (*_who_and_what(body, key), *_how(body, key))
    return tuple((label, value) for label, value in facts if value)


def sites_by_country(body: JsonObject) -> dict[str, int]:
    """Return the number of sites per country."""
    sites = _list(_module(body, "contactsLocationsModule").get("locations"))
    return dict(Counter(country_of(site) for site in sites if isinstance(site, Mapping)))


def _who_and_what(body: JsonObject, key: KeyFields) -> Iterator[tuple[str, str]]:
    sponsors = _module(body, "sponsorCollaboratorsModule")
    lead = _object(sponsors.get("leadSponsor"))
    kind = _words(lead.get("class"), "class")
    sponsor = plain(lead["name"]) if lead.get("name") else key.lead_sponsor or ""
    yield "Sponsor", f"{sponsor} ({kind})" if kind and sponsor else sponsor
    yield "Collaborators", _named(sponsors.get("collaborators"))
    title = _module(body, "identificationModule").get("officialTitle")
    yield "Official title", plain(title) if title else ""
    yield (
        "Condition",
        "; ".join(map(plain, _list(_module(body, "conditionsModule").get("conditions")))),
    )
    arms = _module(body, "armsInterventionsModule")
    yield "Intervention", "; ".join(_interventions(arms))
    yield "Arms", counted(len(groups), "arm") if (groups := _list(arms.get("armGroups"))) else ""


def _how(body: JsonObject, key: KeyFields) -> Iterator[tuple[str, str]]:
    yield "Phase", phase_words(key.phases) if key.phases else ""
    yield "Design", listed(list(_design(body)))
    enrollment = "" if key.enrollment is None else f"{key.enrollment:,}"
    yield "Enrollment", typed(enrollment, key.enrollment_type)
    for label, name in (
        ("Start", "start_date"),
        ("Primary completion", "primary_completion_date"),
        ("Completion", "completion_date"),
    ):
        value = getattr(key, name)
        yield label, typed_date(value, getattr(key, f"{name}_type")) if value else ""
    yield "Why stopped", plain(key.why_stopped) if key.why_stopped else ""
    yield "Participants", listed(list(_participants(body)))


def _interventions(arms: Mapping[str, Any]) -> Iterator[str]:
    for one in _list(arms.get("interventions")):
        if isinstance(one, Mapping) and one.get("name"):
            kind = _words(one.get("type"), "type")
            yield f"{plain(one['name'])} ({kind.lower()})" if kind else plain(one["name"])


def _design(body: JsonObject) -> Iterator[str]:
    design = _module(body, "designModule")
    yield _words(design.get("studyType"), f"{_DESIGN}.studyType")
    how = _object(design.get("designInfo"))
    for name in (
        "allocation",
        "interventionModel",
        "observationalModel",
        "timePerspective",
        "primaryPurpose",
    ):
        if how.get(name):
            yield _words(how[name], f"{_DESIGN}.designInfo.{name}").lower()
    masking = _object(how.get("maskingInfo")).get("masking")
    if masking:
        yield f"masking: {_words(masking, f'{_DESIGN}.designInfo.maskingInfo.masking').lower()}"


def _participants(body: JsonObject) -> Iterator[str]:
    who = _module(body, "eligibilityModule")
    yield _words(who.get("sex"), "sex")
    ages = [plain(who[name]) for name in ("minimumAge", "maximumAge") if who.get(name)]
    if ages:
        yield " to ".join(ages) if len(ages) > 1 or "maximumAge" in who else f"{ages[0]} and older"
    if who.get("healthyVolunteers") is True:
        yield "healthy volunteers accepted"


def _named(items: Any) -> str:
    named = (one for one in _list(items) if isinstance(one, Mapping) and one.get("name"))
    return "; ".join(plain(one["name"]) for one in named)


def _words(value: Any, field: str) -> str:
    return enum_words(plain(value), field) if isinstance(value, str) and value else ""


def _module(body: JsonObject, name: str) -> Mapping[str, Any]:
    return _object(_object(body.get(_PROTOCOL)).get(name))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
