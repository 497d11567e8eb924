"""Rule table that gives every event its level, and the thresholds in it.

The first rule that fires gives the level. A rule uses only the event's kind and inputs, which are
stored with the event. So `assign` can derive a level under other thresholds without the records,
and its result equals that of classifying the records again.

Does no I/O.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple

from ctsync.model import Kind, Level

RULES_VERSION = 5
"""Increased whenever a rule's id, condition or level, or the words of events change."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The numbers in the rules. Each can be set in the configuration and per watch."""

    enrollment_below_target_percent: float = 85
    """Actual enrollment below this percentage of the last target is critical."""
    enrollment_target_change_percent: float = 10
    """A target that changed by at least this percentage is notable."""
    implausible_enrollment: float = 10_000_000
    """An enrollment of at least this number is reported as implausible."""
    slip_critical_days: float = 365
    """A (primary) completion date that slipped by at least this many days is critical."""
    slip_notable_days: float = 90
    """A (primary) completion date that moved by at least this many days is notable."""
    start_slip_notable_days: float = 90
    """A start date that moved by at least this many days is notable."""
    sites_notable_count: float = 10
    """At least this many sites that closed, or that opened, are notable if the share is too."""
    sites_notable_percent: float = 25
    """At least this percentage of the sites that closed, or that opened, is notable."""
    implausible_move_days: float = 3650
    """A date that moved by at least this many days is reported as implausible."""
    reprocessing_share_percent: float = 20
    """A change by the registry in at least this percentage of the trials becomes one notice."""
    reprocessing_trials: float = 20
    """A change by the registry in fewer trials than this is reported per trial."""

    def replace(self, given: Mapping[str, float]) -> Thresholds:
        """Return a copy with some thresholds changed. Raises ValueError for an unknown name."""
        unknown = given.keys() - {known.name for known in fields(self)}
        if unknown:
            raise ValueError(f"no such threshold: {', '.join(sorted(unknown))}")
        return replace(self, **given)


class RuleCondition(NamedTuple):
    """One condition: an input, a relation, and a value or the name of a threshold.

    A missing input, or None, meets only the relations "is not", "not below" and "not at least".
    """

    input: str
    relation: str
    value: object

    def holds(self, inputs: Mapping[str, Any], thresholds: Thresholds) -> bool:
        """Return whether the inputs meet the condition."""
        found = inputs.get(self.input)
        if self.relation == "is":
            return bool(found == self.value)
        if self.relation == "is not":
            return bool(found != self.value)
        if self.relation == "in":
            return isinstance(self.value, tuple) and found in self.value
        if not isinstance(found, int | float):
            return self.relation.startswith("not ")
        limit = float(getattr(thresholds, str(self.value)))
        below = found < limit
        return below if self.relation in {"below", "not at least"} else not below

    def describe(self, thresholds: Thresholds) -> str:
        """Return the condition in words, with the numbers of the thresholds."""
        value = self.value
        if isinstance(value, str) and value in Thresholds.__dataclass_fields__:
            value = f"{getattr(thresholds, value):g} ({value})"
        elif isinstance(value, tuple):
            value = ", ".join(map(str, value))
        return f"{self.input} {self.relation} {value}"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table. It fires for events of its kinds that meet all its conditions."""

    id: str
    level: Level
    kinds: frozenset[Kind]
    says: str
    when: tuple[RuleCondition, ...] = ()

    def fires(self, inputs: Mapping[str, Any], thresholds: Thresholds) -> bool:
        """Return whether the inputs meet all conditions."""
        return all(condition.holds(inputs, thresholds) for condition in self.when)

    def describe(self, thresholds: Thresholds) -> str:
        """Return the conditions in words."""
        return " and ".join(condition.describe(thresholds) for condition in self.when) or "always"


_ANY = frozenset(Kind)
_DATES = frozenset({Kind.START_DATE, Kind.PRIMARY_COMPLETION_DATE, Kind.COMPLETION_DATE})
_COMPLETIONS = _DATES - {Kind.START_DATE}
_START = frozenset({Kind.START_DATE})
_STATUS, _ENROLLMENT = frozenset({Kind.STATUS}), frozenset({Kind.ENROLLMENT})
_OUTCOME, _RESULTS = frozenset({Kind.OUTCOME}), frozenset({Kind.RESULTS})
_FLAG = frozenset({Kind.FLAG})
_CRITICAL, _NOTABLE = Level.CRITICAL, Level.NOTABLE
_ROUTINE, _ADMINISTRATIVE = Level.ROUTINE, Level.ADMINISTRATIVE


def _when(name: str, relation: str, value: object) -> RuleCondition:
    return RuleCondition(name, relation, value)


def _yes(name: str) -> RuleCondition:
    return RuleCondition(name, "is", value=True)


_PRIMARY = _when("rank", "is", "primary")
_DUPLICATE = _when("change", "in", ("duplicate removed", "duplicate added"))
_DROPPED, _DEMOTED = ("dropped", "part dropped"), ("demoted", "part demoted")
_TYPE = _when("part", "is", "type")
_ACTUAL = _when("after_type", "is", "ACTUAL")


def _kind(kind: Kind) -> frozenset[Kind]:
    return frozenset({kind})


RULES: tuple[Rule, ...] = (
    # not a change in substance
    Rule("R-ADM-06", _ADMINISTRATIVE, _ANY, "only the order of a list changed",
         (_when("nature", "is", "order"),)),
    Rule("R-ADM-07", _ADMINISTRATIVE, _ANY,
         "only letter case, punctuation, line breaks, numbering or markup changed",
         (_when("nature", "is", "cosmetic"),)),
    Rule("R-ADM-08", _ADMINISTRATIVE, _ANY, "repeats what another line of the step says",
         (_when("nature", "is", "repeats"),)),
    Rule("R-ADM-09", _ADMINISTRATIVE, _ANY, "an empty value stands for none, or none for it",
         (_when("nature", "is", "empty"),)),
    # status
    Rule("R-STA-01", _CRITICAL, _STATUS, "stopped: terminated, withdrawn or suspended",
         (_when("step", "is", "stopped"),)),
    Rule("R-STA-02", _CRITICAL, _STATUS, "restarted after a stop",
         (_when("step", "is", "restarted"),)),
    Rule("R-STA-06", _NOTABLE, _STATUS, "unknown: set by the registry itself",
         (_when("step", "is", "unknown"),)),
    Rule("R-STA-07", _NOTABLE, _STATUS, "an unusual step, against the course of a trial",
         (_when("step", "is", "unusual"),)),
    Rule("R-STA-03", _NOTABLE, _STATUS, "opened to recruitment", (_when("step", "is", "opened"),)),
    Rule("R-STA-04", _NOTABLE, _STATUS, "closed to recruitment", (_when("step", "is", "closed"),)),
    Rule("R-STA-05", _NOTABLE, _STATUS, "completed", (_when("step", "is", "completed"),)),
    Rule("R-STA-08", _NOTABLE, _STATUS, "another step of the overall status",
         (_when("step", "is", "other"),)),
    Rule("R-STA-09", _ROUTINE, _STATUS, "expanded access or posting status"),
    Rule("R-WHY-01", _ROUTINE, _kind(Kind.WHY_STOPPED), "the reason for a stop was changed"),
    # enrollment
    Rule("R-ENR-02", _CRITICAL, _ENROLLMENT,
         "actual enrollment below {enrollment_below_target_percent:g} % of the last target",
         (_when("percent_of_target", "below", "enrollment_below_target_percent"),
          _when("percent_of_target_before", "not below", "enrollment_below_target_percent"),
          _when("target", "not at least", "implausible_enrollment"))),
    Rule("R-ENR-01", _NOTABLE, _ENROLLMENT,
         "implausible count: {implausible_enrollment:,.0f} or more",
         (_when("part", "is", "count"), _when("after", "at least", "implausible_enrollment"))),
    Rule("R-ENR-04", _NOTABLE, _ENROLLMENT, "target became actual enrollment",
         (_when("nature", "is", "became actual"),)),
    Rule("R-ENR-05", _NOTABLE, _ENROLLMENT, "actual enrollment became a target again",
         (_when("nature", "is", "became estimated"),)),
    Rule("R-ENR-03", _NOTABLE, _ENROLLMENT,
         "count changed by {enrollment_target_change_percent:g} % or more",
         (_when("change_percent", "at least", "enrollment_target_change_percent"),)),
    Rule("R-ENR-06", _ROUTINE, _ENROLLMENT,
         "count changed by less than {enrollment_target_change_percent:g} %, or first given"),
    # dates
    Rule("R-DAT-06", _ADMINISTRATIVE, _DATES, "the same date, said more or less exactly",
         (_when("nature", "is", "precision"),)),
    Rule("R-DAT-07", _CRITICAL, _COMPLETIONS,
         "moved by {implausible_move_days:g} days or more, either way",
         (_when("moved_days", "at least", "implausible_move_days"),)),
    Rule("R-DAT-01", _CRITICAL, _COMPLETIONS, "slipped by {slip_critical_days:g} days or more",
         (_when("days", "at least", "slip_critical_days"),)),
    Rule("R-DAT-05", _NOTABLE, _START, "start moved across the date of registration",
         (_yes("crosses_registration"),)),
    Rule("R-DAT-02", _NOTABLE, _COMPLETIONS, "moved by {slip_notable_days:g} days or more",
         (_when("moved_days", "at least", "slip_notable_days"),)),
    Rule("R-DAT-08", _NOTABLE, _START, "moved by {start_slip_notable_days:g} days or more",
         (_when("moved_days", "at least", "start_slip_notable_days"),)),
    Rule("R-DAT-04", _NOTABLE, _DATES, "estimated date became actual",
         (_when("nature", "is", "became actual"),)),
    Rule("R-DAT-09", _NOTABLE, _DATES, "actual date became estimated again",
         (_when("nature", "is", "became estimated"),)),
    Rule("R-DAT-10", _ADMINISTRATIVE, _DATES, "type of the date first given, or dropped", (_TYPE,)),
    Rule("R-DAT-11", _NOTABLE, _DATES, "date removed from an open trial",
         (_when("nature", "is", "dropped"), _yes("is_open"))),
    Rule("R-DAT-03", _ROUTINE, _DATES,
         "moved by less, first given, removed from a closed trial, or unreadable"),
    # outcomes
    Rule("R-OUT-11", _ADMINISTRATIVE, _OUTCOME,
         "duplicate of an outcome removed or added: the list has an identical entry",
         (_DUPLICATE, _when("repeats", "is", "identical"))),
    Rule("R-OUT-12", _ROUTINE, _OUTCOME,
         "duplicate of an outcome removed or added: the list has an entry with the same measure "
         "and time frame", (_DUPLICATE,)),
    Rule("R-OUT-01", _CRITICAL, _OUTCOME, "primary outcome replaced after the start",
         (_PRIMARY, _when("change", "is", "replaced"), _yes("started"))),
    Rule("R-OUT-02", _CRITICAL, _OUTCOME,
         "primary outcome, or a part of it, dropped after the start",
         (_PRIMARY, _when("change", "in", _DROPPED), _yes("started"))),
    Rule("R-OUT-03", _CRITICAL, _OUTCOME,
         "primary outcome, or a part of it, demoted after the start",
         (_PRIMARY, _when("change", "in", _DEMOTED), _yes("started"))),
    Rule("R-OUT-04", _NOTABLE, _OUTCOME, "primary outcome replaced, dropped or demoted",
         (_PRIMARY, _when("change", "in", ("replaced", *_DROPPED, *_DEMOTED)))),
    Rule("R-OUT-05", _NOTABLE, _OUTCOME, "primary outcome added, or promoted to primary",
         (_PRIMARY, _when("change", "in", ("added", "promoted", "part added", "part promoted")))),
    Rule("R-OUT-06", _NOTABLE, _OUTCOME,
         "primary outcome measured otherwise: what, how or as which metric, or such a detail "
         "dropped",
         (_PRIMARY, _when("change", "in", (
             "measurement changed", "metric changed", "measure edited")))),
    Rule("R-OUT-07", _NOTABLE, _OUTCOME,
         "time frame of a primary outcome changed or dropped, or one of several added or dropped",
         (_PRIMARY, _when("change", "in", (
             "time frame changed", "time frame edited", "time frame added",
             "time frame dropped")))),
    Rule("R-OUT-13", _NOTABLE, _OUTCOME,
         "unresolved: the texts do not show whether a primary outcome changed in substance",
         (_PRIMARY, _when("change", "is", "unresolved"))),
    Rule("R-OUT-14", _ADMINISTRATIVE, _OUTCOME,
         "primary outcome reworded: the same measure, metric and time frame",
         (_PRIMARY, _when("nature", "is", "wording"))),
    Rule("R-OUT-08", _ROUTINE, _OUTCOME,
         "primary outcome with details added, or split or merged with nothing new", (_PRIMARY,)),
    Rule("R-OUT-09", _ROUTINE, _OUTCOME,
         "secondary or other outcome dropped, or one of its time frames",
         (_when("change", "in", ("dropped", "time frame dropped")),)),
    Rule("R-OUT-10", _ROUTINE, _OUTCOME, "secondary or other outcome added or edited"),
    # results
    Rule("R-RES-01", _CRITICAL, _RESULTS, "results vanished", (_when("step", "is", "vanished"),)),
    Rule("R-RES-02", _NOTABLE, _RESULTS, "results first posted", (_when("step", "is", "posted"),)),
    Rule("R-RQC-01", _ROUTINE, _RESULTS, "results in quality control: submitted or returned",
         (_when("category", "is", "results-qc"),)),
    Rule("R-RES-03", _ROUTINE, _RESULTS, "results, or dates about them, updated"),
    # the rest of the protocol
    Rule("R-SPO-01", _NOTABLE, _kind(Kind.SPONSOR), "lead sponsor changed",
         (_yes("lead_sponsor"),)),
    Rule("R-SPO-02", _ROUTINE, _kind(Kind.SPONSOR), "responsible party or collaborators changed"),
    Rule("R-ELI-01", _ROUTINE, _kind(Kind.ELIGIBILITY), "eligibility changed"),
    Rule("R-DES-01", _ROUTINE, _kind(Kind.DESIGN), "design changed"),
    Rule("R-ARM-01", _ROUTINE, _kind(Kind.ARM), "arms or interventions changed"),
    Rule("R-SIT-03", _NOTABLE, _kind(Kind.SITE),
         "{sites_notable_count:g} or more sites, and {sites_notable_percent:g} % or more of them, "
         "closed or were removed",
         (_when("closed", "at least", "sites_notable_count"),
          _when("closed_percent", "at least", "sites_notable_percent"))),
    Rule("R-SIT-04", _NOTABLE, _kind(Kind.SITE),
         "{sites_notable_count:g} or more sites, and {sites_notable_percent:g} % or more of them, "
         "opened",
         (_when("opened", "at least", "sites_notable_count"),
          _when("opened_percent", "at least", "sites_notable_percent"))),
    Rule("R-SIT-01", _ROUTINE, _kind(Kind.SITE), "sites added, removed or of another status",
         (_when("nature", "is not", "details"),)),
    Rule("R-SIT-02", _ADMINISTRATIVE, _kind(Kind.SITE), "addresses or names of sites changed"),
    Rule("R-DOC-01", _ROUTINE, _kind(Kind.DOCUMENT), "documents changed"),
    Rule("R-TXT-01", _ROUTINE, _kind(Kind.TEXT), "title, description, conditions or keywords"),
    Rule("R-OVR-01", _NOTABLE, _kind(Kind.OTHER), "violation of FDAAA 801 noted or settled",
         (_yes("violation"),)),
    Rule("R-OTH-01", _ROUTINE, _kind(Kind.OTHER),
         "identifiers, oversight, data sharing, or a field ctsync does not know"),
    # the whole record
    Rule("R-REC-01", _CRITICAL, _kind(Kind.GONE), "the record is gone from the registry"),
    Rule("R-REC-02", _NOTABLE, _kind(Kind.RETURNED), "the record is back in the registry"),
    Rule("R-REC-03", _NOTABLE, _kind(Kind.MOVED), "the record was merged into another"),
    Rule("R-NEW-01", _ADMINISTRATIVE, _kind(Kind.FIRST_SEEN), "newly followed: the baseline"),
    Rule("R-NEW-03", _NOTABLE, _kind(Kind.REGISTERED),
         "newly seen by ctsync: first posted before a data refresh that did not have the trial",
         (_when("newly_registered", "is", value=False),)),
    Rule("R-NEW-02", _NOTABLE, _kind(Kind.REGISTERED),
         "newly registered: first posted since a data refresh that did not have the trial"),
    Rule("R-WAT-01", _ROUTINE, _kind(Kind.ENTERED), "now matches a watched query"),
    Rule("R-WAT-02", _NOTABLE, _kind(Kind.LEFT), "no longer matches a watched query"),
    # flags
    Rule("R-FLG-01", _NOTABLE, _FLAG, "results are overdue by the published rule",
         (_when("flag", "is", "results_overdue"), _yes("holds"))),
    Rule("R-FLG-03", _ADMINISTRATIVE, _FLAG,
         "the last verification is more than a year old, or no longer is",
         (_when("flag", "is", "verification_stale"),)),
    Rule("R-FLG-02", _ROUTINE, _FLAG, "results are no longer overdue",
         (_when("flag", "is", "results_overdue"),)),
    Rule("R-FLG-05", _ADMINISTRATIVE, _FLAG, "another flag is no longer true",
         (_when("holds", "is", value=False),)),
    Rule("R-FLG-04", _ROUTINE, _FLAG, "another flag became true"),
    # administrative by nature
    Rule("R-ADM-01", _ADMINISTRATIVE, _kind(Kind.CONTACT), "contacts and officials"),
    Rule("R-ADM-02", _ADMINISTRATIVE, _kind(Kind.BOOKKEEPING), "dates of verifying and posting"),
    Rule("R-ADM-03", _ADMINISTRATIVE, _kind(Kind.REFERENCE), "references and links"),
    Rule("R-ADM-04", _ADMINISTRATIVE, _kind(Kind.DERIVED), "places on the map",
         (_when("category", "is", "geo"),)),
    Rule("R-ADM-05", _ADMINISTRATIVE, _kind(Kind.DERIVED), "derived by the registry itself"),
)  # fmt: skip
"""The table, in the order in which rules are tried. The last rule of each kind always fires."""

_BY_KIND = {kind: tuple(rule for rule in RULES if kind in rule.kinds) for kind in Kind}


def assign(kind: Kind, inputs: Mapping[str, Any], thresholds: Thresholds) -> tuple[str, Level]:
    """Return the id and level of the first rule that fires for an event of this kind."""
    rule = next(rule for rule in _BY_KIND[kind] if rule.fires(inputs, thresholds))
    return rule.id, rule.level


def describe(thresholds: Thresholds) -> Iterator[tuple[Rule, str, str]]:
    """Yield each rule with its text and its conditions, with the numbers of the thresholds."""
    named = {name: getattr(thresholds, name) for name in Thresholds.__dataclass_fields__}
    for rule in RULES:
        yield rule, rule.says.format(**named), rule.describe(thresholds)
