"""How often each rule fires on real versions: `python -m tests.rule_rates` prints the figures.

Two sets of version steps from the corpus:

    histories   every version of 81 trials, as the R package cthist tabulated them: status, dates,
                enrollment, outcomes, eligibility and lead sponsor; nothing else is in the table
    loads       complete records of trials at several data refreshes

The figures are those of docs/levels.md.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

from ctsync.model import Event, JsonObject, KeyFields, Level
from ctsync.record.compare.canonical import canonicalize, key_fields
from ctsync.record.compare.diff import diff
from ctsync.record.events.classify import classify
from ctsync.record.rules.presets import PRESETS
from ctsync.record.rules.rules import RULES, Thresholds
from tests.corpus.test_cthist_versions import Row, study

_TIME_FRAME = re.compile(r"\[ Time Frame: (.*?) \]", re.DOTALL)
_LISTS = {"Primary": "primaryOutcomes", "Secondary": "secondaryOutcomes", "Other": "otherOutcomes"}


@dataclass(frozen=True, slots=True)
class RuleRates:
    """The number of version steps, and how many of them have an event of each rule.

    `examples` holds the first events of each rule, each with its trial; `lines` counts the events
    of each level.
    """

    steps: int
    versions: Counter[str]
    lines: Counter[Level]
    examples: dict[str, list[tuple[str, Event]]] = field(default_factory=dict)

    def per_thousand(self, rule: str) -> float:
        """The number of versions with an event of the rule, per 1,000 versions."""
        return self.versions[rule] / self.steps * 1000 if self.steps else 0.0


def rates_of(
    histories: Iterable[Sequence[JsonObject]], thresholds: Thresholds | None = None
) -> RuleRates:
    """Count the rules that fire in the steps of these histories, each oldest version first."""
    steps, versions, examples = 0, Counter[str](), dict[str, list[tuple[str, Event]]]()
    lines = Counter[Level]()
    for bodies in histories:
        records = [canonicalize(body) for body in bodies]
        past: list[KeyFields] = []
        for old, new in pairwise(records):
            past.append(key_fields(old.body))
            if old.digest == new.digest:
                continue
            steps += 1
            events = classify(
                diff(old, new), old, new, past=past, thresholds=thresholds or Thresholds()
            )
            versions.update({event.rule for event in events})
            lines.update(event.level for event in events)
            for event in events:
                examples.setdefault(event.rule, []).append((new.nct_id, event))
    return RuleRates(steps, versions, lines, examples)


def tabulated(corpus: Path) -> Iterator[list[JsonObject]]:
    """Yield the versions of each trial in the table of cthist, oldest first."""
    source = corpus / "history" / "cthist-versions.csv.gz"
    with gzip.open(source, "rt", encoding="utf-8", newline="") as lines:
        for _, rows in groupby(csv.DictReader(lines), lambda row: row["nctid"]):
            yield [with_texts(study(row), row) for row in rows]


def with_texts(body: JsonObject, row: Row) -> JsonObject:
    """Add the outcomes, the eligibility criteria and the lead sponsor of a row."""
    outcomes: JsonObject = {}
    for one in _json(row["outcome_measures"]):
        name = _LISTS.get(str(one.get("section")).split(" ")[0])
        if name:
            outcomes.setdefault(name, []).append(_outcome(str(one.get("content"))))
    criteria = "\n".join(map(str, _json(row["criteria"])))
    sponsors = [
        one["content"]
        for one in _json(row["sponsor_collaborators"])
        if str(one.get("label")).startswith("Sponsor") and one.get("content")
    ]
    section = body["protocolSection"]
    section["outcomesModule"] = outcomes
    section["eligibilityModule"] = {"eligibilityCriteria": criteria}
    if sponsors:
        section["sponsorCollaboratorsModule"] = {"leadSponsor": {"name": sponsors[0]}}
    return body


def _json(text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return []
    return found if isinstance(found, list) else []


def _outcome(content: str) -> dict[str, str]:
    found = _TIME_FRAME.search(content)
    measure = content[: found.start()] if found else content.partition("\n\n")[0]
    rest = content[found.end() :] if found else content.partition("\n\n")[2]
    parts = {"measure": measure.strip(), "timeFrame": found[1] if found else ""}
    return {key: text for key, text in (parts | {"description": rest.strip()}).items() if text}


def loads(
    corpus: Path, folders: Sequence[str] = ("days", "versions")
) -> Iterator[list[JsonObject]]:
    """Yield the bodies of each trial at several loads, oldest first."""
    for folder in folders:
        for trial in sorted((corpus / folder).glob("NCT*")):
            files = sorted(trial.glob("*.json"))
            if len(files) > 1:
                yield [json.loads(file.read_text(encoding="utf-8")) for file in files]


def preset_lines(corpus: Path) -> Iterator[tuple[str, str]]:
    """Yield each preset with its critical, notable and routine lines in both sets.

    The first set has the 600 trials at 25 data refreshes.
    """
    sets = list(loads(corpus, ["days"])), list(tabulated(corpus))
    shown = Level.CRITICAL, Level.NOTABLE, Level.ROUTINE
    for preset, values in (("none", {}), *PRESETS.items()):
        counts = (rates_of(histories, Thresholds(**values)).lines for histories in sets)
        yield preset, " | ".join(" / ".join(str(n[level]) for level in shown) for n in counts)


def main() -> None:
    """Print the lines of each preset, then one line per rule: level, rates and examples."""
    corpus = Path(os.environ["CTSYNC_CORPUS"])
    found = {"histories": rates_of(tabulated(corpus)), "loads": rates_of(loads(corpus))}
    print(" ".join(f"{name}: {rates.steps} steps" for name, rates in found.items()))
    for preset, lines in preset_lines(corpus):
        print(f"preset {preset}: {lines}")
    for rule in RULES:
        figures = " ".join(f"{rates.per_thousand(rule.id):6.1f}" for rates in found.values())
        examples = [one for rates in found.values() for one in rates.examples.get(rule.id, ())]
        print(f"{rule.id} {rule.level:<14} {figures}")
        for nct_id, event in examples[:4]:
            print(f"    {nct_id}: {event.summary[:200]}")


if __name__ == "__main__":
    main()
