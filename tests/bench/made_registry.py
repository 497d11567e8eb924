"""Generates a registry whose record sizes, shapes and redundancy resemble the real registry's.

The real registry in October 2026: 605,599 studies with a mean of 17.3 KB, a median of 8 KB and a
maximum of 3.6 MB. Its zip archive is 26.3 % of the JSON.

Generated sizes are lognormal with this median and mean. Texts are drawn by Zipf's law from 30,000
generated words, names and places from a few thousand, and numbers at random. The benchmark prints
the archive's share of the JSON beside the real one, to show that compression is not easier here.
"""

from __future__ import annotations

import bisect
import itertools
import math
import random
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import orjson

MEDIAN, MEAN, LARGEST = 8_000, 17_000, 4_000_000
SIGMA = math.sqrt(2 * math.log(MEAN / MEDIAN))
WORDS = 30_000
REPEATED = 0.66
MOST_REPEATABLE = 400
DAY = "2026-10-02"

_ONSETS = ("b", "c", "ch", "d", "f", "g", "h", "l", "m", "n", "p", "ph", "pr", "r", "s", "st", "t",
           "th", "tr", "v", "w", "")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ea", "io", "y")
_CODAS = ("", "n", "r", "s", "t", "l", "m", "ct", "nt", "st", "ng", "x")
_COMMON = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "with",
    "for",
    "a",
    "or",
    "be",
    "is",
    "by",
    "at",
    "on",
    "patients",
    "study",
    "treatment",
    "will",
    "from",
    "as",
    "an",
    "are",
    "subjects",
    "participants",
    "weeks",
    "months",
    "days",
    "years",
    "dose",
    "disease",
    "who",
    "have",
    "not",
    "at",
    "least",
    "prior",
    "history",
    "clinical",
    "informed",
    "consent",
    "baseline",
    "adverse",
    "events",
    "safety",
    "efficacy",
    "randomized",
    "group",
    "control",
    "placebo",
    "mg",
    "daily",
    "oral",
    "therapy",
    "treatment-related",
    "assessment",
    "measured",
    "using",
    "score",
]
_STATUSES = ("COMPLETED", "COMPLETED", "COMPLETED", "UNKNOWN", "RECRUITING", "TERMINATED",
             "NOT_YET_RECRUITING", "ACTIVE_NOT_RECRUITING", "WITHDRAWN")  # fmt: skip
_ROLES = ("PRINCIPAL_INVESTIGATOR", "SUB_INVESTIGATOR", "STUDY_DIRECTOR", "STUDY_CHAIR", "CONTACT")


@lru_cache(maxsize=1)
def _vocabulary() -> tuple[list[str], list[float]]:
    chance = random.Random(7)

    def word() -> str:
        syllables = chance.choices((1, 2, 3, 4, 5), (2, 5, 6, 4, 2))[0]
        return "".join(
            chance.choice(_ONSETS) + chance.choice(_VOWELS) + chance.choice(_CODAS)
            for _ in range(syllables)
        )

    words = list(dict.fromkeys([*_COMMON, *(word() for _ in range(WORDS))]))
    weights = [1 / (rank + 2.7) for rank in range(len(words))]
    return words, list(itertools.accumulate(weights))


class _Author:
    """Writes the parts of one record from its own random generator."""

    def __init__(self, number: int, seed: int) -> None:
        self.chance = random.Random(f"{seed}/{number}")
        self.words, self.weights = _vocabulary()
        self.written: list[str] = []

    def text(self, least: int, most: int) -> str:
        """Write some words. They often repeat earlier texts of the record, as real records do."""
        wanted = self.chance.randint(least, most)
        chosen: list[str] = []
        while len(chosen) < wanted:
            if len(self.written) > 20 and self.chance.random() < REPEATED:
                at = self.chance.randrange(len(self.written) - 12)
                chosen += self.written[at : at + self.chance.randint(4, 12)]
            else:
                chosen += self.chance.choices(
                    self.words, cum_weights=self.weights, k=min(6, wanted - len(chosen))
                )
        del chosen[wanted:]
        self.written += chosen[: MOST_REPEATABLE - len(self.written)]
        return " ".join(chosen).capitalize() + "."

    def name(self, among: int) -> str:
        first, last = self.chance.randrange(among), self.chance.randrange(among)
        words = self.words
        return f"{words[-1 - first].capitalize()} {words[200 + last].capitalize()}"

    def date(self, first: int = 2005, last: int = 2026) -> str:
        day = f"{self.chance.randint(first, last)}-{self.chance.randint(1, 12):02}"
        return day if self.chance.random() < 0.2 else f"{day}-{self.chance.randint(1, 28):02}"

    def outcome(self) -> dict[str, Any]:
        return {
            "measure": self.text(4, 16),
            "description": self.text(10, 60),
            "timeFrame": f"{self.chance.randint(1, 104)} weeks",
        }

    def location(self) -> dict[str, Any]:
        city = self.chance.randrange(9_000)
        made: dict[str, Any] = {
            "facility": self.name(4_000),
            "city": self.words[-1 - city].capitalize(),
            "state": self.words[300 + city % 60].capitalize(),
            "zip": f"{self.chance.randrange(99_999):05}",
            "country": self.words[400 + city % 90].capitalize(),
            "geoPoint": {
                "lat": round(-60 + city * 0.0131, 5),
                "lon": round(-180 + city * 0.0397, 5),
            },
        }
        if self.chance.random() < 0.3:
            made["status"] = "RECRUITING"
            made["contacts"] = [
                {
                    "name": self.name(6_000),
                    "role": self.chance.choice(_ROLES),
                    "phone": f"+{self.chance.randrange(10**11)}",
                    "email": f"{self.name(6_000).replace(' ', '.').lower()}@example.org",
                }
            ]
        return made

    def measure(self) -> dict[str, Any]:
        groups = [f"OG{n:03}" for n in range(self.chance.randint(1, 6))]
        return {
            "type": self.chance.choice(("PRIMARY", "SECONDARY", "OTHER_PRE_SPECIFIED")),
            "title": self.text(5, 20),
            "description": self.text(15, 60),
            "populationDescription": self.text(5, 20),
            "reportingStatus": "POSTED",
            "paramType": self.chance.choice(("MEAN", "COUNT_OF_PARTICIPANTS", "NUMBER")),
            "dispersionType": "Standard Deviation",
            "unitOfMeasure": self.text(1, 3),
            "timeFrame": f"{self.chance.randint(1, 104)} weeks",
            "groups": [
                {"id": g, "title": self.text(2, 6), "description": self.text(8, 25)} for g in groups
            ],
            "classes": [
                {
                    "title": self.text(1, 4),
                    "categories": [
                        {
                            "measurements": [
                                {
                                    "groupId": g,
                                    "value": f"{self.chance.gauss(40, 25):.2f}",
                                    "spread": f"{abs(self.chance.gauss(9, 6)):.3f}",
                                }
                                for g in groups
                            ]
                        }
                    ],
                }
                for _ in range(self.chance.randint(1, 8))
            ],
        }

    def adverse_event(self) -> dict[str, Any]:
        return {
            "term": self.text(1, 4).capitalize(),
            "organSystem": self.words[500 + self.chance.randrange(26)].capitalize() + " disorders",
            "sourceVocabulary": "MedDRA 21.0",
            "assessmentType": "SYSTEMATIC_ASSESSMENT",
            "stats": [
                {
                    "groupId": f"EG{n:03}",
                    "numEvents": self.chance.randrange(40),
                    "numAffected": self.chance.randrange(30),
                    "numAtRisk": 100 + 7 * n,
                }
                for n in range(self.chance.randint(1, 5))
            ],
        }

    def reference(self) -> dict[str, Any]:
        return {
            "pmid": str(self.chance.randrange(10_000_000, 40_000_000)),
            "type": self.chance.choice(("BACKGROUND", "RESULT", "DERIVED")),
            "citation": f"{self.name(6_000)}, {self.name(6_000)}. {self.text(8, 20)} "
            f"{self.date()};{self.chance.randrange(99)}({self.chance.randrange(12)}):"
            f"{self.chance.randrange(999)}. doi: 10.{self.chance.randrange(9999)}/"
            f"{self.chance.randrange(10**9)}.",
        }


def nct_id_of(number: int) -> str:
    """Return the id of the record with this number. Ids have gaps, as in the registry."""
    return f"NCT{1_000_000 + number * 61:08}"


def make_study(number: int, *, seed: int = 1, size: int | None = None) -> dict[str, Any]:
    """Make the record with this number, of about `size` bytes or a random size."""
    author = _Author(number, seed)
    chance = author.chance
    wanted = size or min(
        LARGEST, max(1_500, int(chance.lognormvariate(math.log(0.94 * MEDIAN), SIGMA)))
    )
    study = _core(number, author)
    protocol = study["protocolSection"]
    parts: list[tuple[float, Callable[[], dict[str, Any]], list[dict[str, Any]]]] = [
        (3, author.location, protocol["contactsLocationsModule"]["locations"]),
        (3, author.outcome, protocol["outcomesModule"].setdefault("secondaryOutcomes", [])),
        (1, author.reference, protocol["referencesModule"]["references"]),
    ]
    if wanted > 25_000 and chance.random() < 0.7:
        study["hasResults"] = True
        results = study["resultsSection"] = {
            "outcomeMeasuresModule": {"outcomeMeasures": []},
            "adverseEventsModule": {"otherEvents": []},
        }
        parts += [
            (6, author.measure, results["outcomeMeasuresModule"]["outcomeMeasures"]),
            (9, author.adverse_event, results["adverseEventsModule"]["otherEvents"]),
        ]
    weights = list(itertools.accumulate(weight for weight, _, _ in parts))
    left = wanted - len(orjson.dumps(study))
    while left > 0:
        _, make, into = parts[bisect.bisect(weights, chance.random() * weights[-1])]
        part = make()
        into.append(part)
        left -= len(orjson.dumps(part)) + 1
    return study


def _core(number: int, author: _Author) -> dict[str, Any]:
    chance = author.chance
    status = chance.choice(_STATUSES)
    posted = author.date(2008, 2025)
    dates = {
        name: {"date": author.date(), "type": chance.choice(("ACTUAL", "ESTIMATED"))}
        for name in ("startDateStruct", "primaryCompletionDateStruct", "completionDateStruct")
    }
    condition = author.text(1, 3)
    return {
        "protocolSection": {
            "identificationModule": {
                "nctId": nct_id_of(number),
                "orgStudyIdInfo": {"id": f"{author.words[-1 - number % 9_000][:4]}-{number}"},
                "organization": {"fullName": author.name(3_000), "class": "OTHER"},
                "briefTitle": author.text(6, 16),
                "officialTitle": author.text(10, 28),
            },
            "statusModule": {
                "statusVerifiedDate": posted[:7],
                "overallStatus": status,
                **({"lastKnownStatus": "RECRUITING"} if status == "UNKNOWN" else {}),
                "expandedAccessInfo": {"hasExpandedAccess": False},
                **dates,
                "studyFirstSubmitDate": author.date(2000, 2008),
                "studyFirstPostDateStruct": {"date": author.date(2000, 2008), "type": "ACTUAL"},
                "lastUpdateSubmitDate": posted,
                "lastUpdatePostDateStruct": {"date": posted, "type": "ACTUAL"},
            },
            "sponsorCollaboratorsModule": {
                "responsibleParty": {"type": "SPONSOR"},
                "leadSponsor": {"name": author.name(3_000), "class": "OTHER"},
            },
            "oversightModule": {"oversightHasDmc": chance.random() < 0.4},
            "descriptionModule": {
                "briefSummary": author.text(30, 120),
                "detailedDescription": author.text(10, 160),
            },
            "conditionsModule": {"conditions": [condition], "keywords": author.text(3, 8).split()},
            "designModule": {
                "studyType": "INTERVENTIONAL",
                "phases": [f"PHASE{chance.randint(1, 4)}"],
                "designInfo": {
                    "allocation": "RANDOMIZED",
                    "interventionModel": "PARALLEL",
                    "primaryPurpose": "TREATMENT",
                    "maskingInfo": {"masking": "DOUBLE"},
                },
                "enrollmentInfo": {"count": chance.randrange(5, 900), "type": "ACTUAL"},
            },
            "armsInterventionsModule": {
                "armGroups": [
                    {"label": author.text(1, 4), "type": "EXPERIMENTAL",
                     "description": author.text(5, 30)}
                    for _ in range(chance.randint(1, 3))
                ],
                "interventions": [
                    {"type": "DRUG", "name": author.text(1, 3), "description": author.text(5, 30)}
                ],
            },
            "outcomesModule": {"primaryOutcomes": [author.outcome()]},
            "eligibilityModule": {
                "eligibilityCriteria": "Inclusion Criteria:\n\n* "
                + "\n* ".join(author.text(5, 25) for _ in range(chance.randint(2, 10)))
                + "\n\nExclusion Criteria:\n\n* "
                + "\n* ".join(author.text(5, 25) for _ in range(chance.randint(2, 10))),
                "healthyVolunteers": False,
                "sex": "ALL",
                "minimumAge": "18 Years",
                "stdAges": ["ADULT", "OLDER_ADULT"],
            },
            "contactsLocationsModule": {"locations": [author.location()]},
            "referencesModule": {"references": []},
        },
        "derivedSection": {
            "miscInfoModule": {"versionHolder": DAY},
            "conditionBrowseModule": {
                "meshes": [{"id": f"D{chance.randrange(20_000):06}", "term": condition}],
                "ancestors": [
                    {"id": f"D{n:06}", "term": author.words[600 + n].capitalize()}
                    for n in chance.sample(range(400), 3)
                ],
            },
        },
        "hasResults": False,
    }  # fmt: skip


def _packed(numbers: range) -> list[tuple[str, bytes]]:
    return [
        (nct_id_of(n), orjson.dumps(make_study(n, size=LARGEST if n == 777 else None)))
        for n in numbers
    ]


def each_study(count: int, processes: int = 2) -> Iterator[tuple[str, bytes]]:
    """Yield the id and JSON of each record of a registry with this number of records."""
    pieces = [range(at, min(at + 500, count)) for at in range(0, count, 500)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for start in range(0, len(pieces), 8):  # only a few pieces ahead, to limit memory
            for piece in pool.map(_packed, pieces[start : start + 8]):
                yield from piece


def write_archive(file: Path, count: int, processes: int = 2) -> int:
    """Write a bulk archive in the registry's layout, and return the bytes of JSON in it."""
    raw = 0
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for nct_id, study in each_study(count, processes):
            archive.writestr(f"{nct_id[-2:]}/{nct_id}.json", study)
            raw += len(study)
    return raw
