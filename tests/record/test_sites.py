"""Sites and other long lists, summarized in one event per version step."""

from typing import Any

import pytest

from ctsync.model import Category, Kind, Level
from ctsync.record.rules.rules import Thresholds
from tests.record.studies import LOCATIONS, events_between, site, study, the_event

SITES = [
    site(f"Hospital {n}", country, status="NOT_YET_RECRUITING", zip=str(n))
    for n, country in enumerate(["Poland"] * 4 + ["Spain"] * 3 + ["France"])
]


def test_up_to_three_changed_sites_are_named():
    after = [{**s, "status": "RECRUITING"} if n < 2 else s for n, s in enumerate(SITES[:-1])]
    after += [site("New A", "Poland", zip="90"), site("New B", "Spain", zip="91")]
    (event,) = events_between(study(sites=SITES), study(sites=after))
    assert (event.kind, event.path, event.rule) == (Kind.SITE, LOCATIONS, "R-SIT-01")
    assert event.level is Level.ROUTINE
    assert event.summary == (
        'Sites 8 -> 9: 2 added ("New A", Poland; "New B", Spain), '
        '1 removed ("Hospital 7", France), '
        '2 of 9 opened ("Hospital 0", Poland; "Hospital 1", Poland)'
    )
    assert event.inputs["added_by_country"] == {"Poland": 1, "Spain": 1}
    assert (event.inputs["before"], event.inputs["after"]) == (8, 9)
    assert [s["facility"] for s in event.before] == ["Hospital 7", "Hospital 0", "Hospital 1"]
    assert event.after[-1] == {**SITES[1], "status": "RECRUITING"}


def test_more_than_three_changed_sites_are_counted_by_country():
    after = [{**s, "status": "RECRUITING"} for s in SITES[:-1]]
    after += [site(f"New {n}", ("Poland", "Spain")[n % 2], zip=str(90 + n)) for n in range(4)]
    (event,) = events_between(study(sites=SITES), study(sites=after))
    assert event.summary == (
        'Sites 8 -> 11: 4 added (2 Poland, 2 Spain), 1 removed ("Hospital 7", France), '
        "7 of 11 opened (4 Poland, 3 Spain)"
    )


def many(total: int, changed: int = 0, *, status: str = "RECRUITING") -> list[Any]:
    """Return recruiting sites, the first of them with another status."""
    return [
        site(f"Hospital {n}", zip=str(n), status=status if n < changed else "RECRUITING")
        for n in range(total)
    ]


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        (many(40), many(40, 10, status="COMPLETED"), "R-SIT-03"),
        (many(40), many(40, 10, status="SUSPENDED"), "R-SIT-03"),
        (many(40), many(40)[10:], "R-SIT-03"),
        (many(40), many(40, 9, status="COMPLETED"), "R-SIT-01"),
        (many(41), many(41, 10, status="COMPLETED"), "R-SIT-01"),
        (many(40, 10, status="NOT_YET_RECRUITING"), many(40), "R-SIT-04"),
        (many(30), many(40), "R-SIT-04"),
        (many(31), many(40), "R-SIT-01"),
        # a trial that ends loses the status of its sites: no site closed
        (many(40), [{**s, "status": None} for s in many(40)], "R-SIT-01"),
        # a closed site that is removed has not closed now
        (many(40, 10, status="COMPLETED"), many(40)[10:], "R-SIT-01"),
    ],
)
def test_many_sites_that_close_or_open_are_notable(before, after, rule):
    (event,) = events_between(study(sites=before), study(sites=after))
    assert event.rule == rule
    assert (event.level is Level.NOTABLE) is (rule != "R-SIT-01")


def test_a_watch_can_set_how_many_sites_are_notable():
    given = Thresholds(sites_notable_count=3, sites_notable_percent=50)
    before, after = many(6), many(6, 3, status="COMPLETED")
    (event,) = events_between(study(sites=before), study(sites=after), thresholds=given)
    assert (event.rule, event.summary) == (
        "R-SIT-03",
        (
            'Sites: 3 of 6 are now completed ("Hospital 0", Poland; "Hospital 1", Poland; '
            '"Hospital 2", Poland)'
        ),
    )


def test_a_site_without_a_facility_is_named_by_its_city():
    nameless = {"city": "Gdansk", "country": "Poland", "zip": "80"}
    (event,) = events_between(study(sites=SITES), study(sites=[*SITES, nameless, {"state": "X"}]))
    assert event.summary == 'Sites 8 -> 10: 2 added (no name; "Gdansk", Poland)'


def test_a_change_of_address_alone_is_administrative():
    after = [{**SITES[0], "state": "Mazowieckie"}, *SITES[1:]]
    (event,) = events_between(study(sites=SITES), study(sites=after))
    assert (event.rule, event.level) == ("R-SIT-02", Level.ADMINISTRATIVE)
    assert event.summary == 'Sites: 1 of 8 with an edited address ("Hospital 0", Poland)'


def test_a_renamed_site_is_reported_as_renamed():
    after = [{**SITES[0], "facility": "Ospedale Niguarda"}, *SITES[1:]]
    (event,) = events_between(study(sites=SITES), study(sites=after))
    assert event.summary == ('Sites: 1 of 8 renamed ("Hospital 0" -> "Ospedale Niguarda", Poland)')
    assert event.level is Level.ROUTINE


def test_a_city_in_another_spelling_is_an_edited_address_and_no_new_site():
    """NCT05581004 was reported as "1 site added, 1 site removed"."""
    papageorgiou = site("Papageorgiou General Hospital", "Greece", zip="564 03", city="N. Efkapria")
    after = [{**papageorgiou, "city": "Pavlos Melas"}, *SITES]
    for old, new in (([papageorgiou, *SITES], after), (after, [papageorgiou, *SITES])):
        (event,) = events_between(study(sites=old), study(sites=new))
        assert (event.rule, event.level) == ("R-SIT-02", Level.ADMINISTRATIVE)
        assert event.summary == (
            'Sites: 1 of 9 with an edited address ("Papageorgiou General Hospital", Greece)'
        )


def test_sites_of_one_name_without_a_zip_in_two_cities_are_two_sites():
    anywhere = site("Research Site", "Greece", city="Athens")
    after = [{**anywhere, "city": "Patras"}, *SITES]
    (event,) = events_between(study(sites=[anywhere, *SITES]), study(sites=after))
    assert event.summary == (
        'Sites: 1 added ("Research Site", Greece), 1 removed ("Research Site", Greece)'
    )


def test_a_site_added_at_the_front_of_600_is_one_event():
    many = [site(f"Hospital {n}", zip=str(n)) for n in range(600)]
    (event,) = events_between(study(sites=many), study(sites=[site("A"), *many]))
    assert event.summary == 'Sites 600 -> 601: 1 added ("A", Poland)'


def test_site_contacts_and_map_positions_have_their_own_categories():
    more = {"contacts": [{"name": "Dr A", "role": "CONTACT", "phone": "1"}],
            "geoPoint": {"lat": 52.2, "lon": 21.0}}  # fmt: skip
    other = {"contacts": [{"name": "Dr A", "role": "CONTACT", "phone": "2"}],
             "geoPoint": {"lat": 52.3, "lon": 21.1}}  # fmt: skip
    events = events_between(
        study(sites=[{**s, **more} for s in SITES]), study(sites=[{**s, **other} for s in SITES])
    )
    assert {e.category for e in events} == {Category.CONTACTS, Category.GEO}
    assert {e.level for e in events} == {Level.ADMINISTRATIVE}
    assert len(events) == 2
    assert the_event(events, Kind.DERIVED).rule == "R-ADM-04"


def test_countries_beyond_the_named_ones_are_counted_together():
    countries = [f"Country {n}" for n in range(9)] + ["Poland"] * 5
    after = [site(f"H{n}", country, zip=str(n)) for n, country in enumerate(countries)]
    (event,) = events_between(study(), study(sites=after))
    assert event.summary == (
        "Sites 0 -> 14: 14 added (5 Poland, 1 Country 0, 1 Country 1, 7 in 7 other countries)"
    )


def test_changed_mesh_terms_are_one_derived_event():
    path = "derivedSection__conditionBrowseModule__meshes"
    old = [{"id": f"D0000{n:05}", "term": f"T{n}"} for n in range(30)]
    new = [{"id": f"D{n:05}", "term": f"T{n}"} for n in range(30)]
    (event,) = events_between(study(**{path: old}), study(**{path: new}))
    assert (event.kind, event.rule) == (Kind.DERIVED, "R-ADM-05")
    assert event.summary == "Condition MeSH terms: 30 added, 30 removed"


def test_changes_below_an_undeclared_path_are_one_event_of_category_unknown():
    old, new = ({f"k{n}": n + plus for n in range(20)} for plus in (0, 1))
    (event,) = events_between(study(newSection=old), study(newSection=new))
    assert (event.kind, event.category, event.level) == (
        Kind.OTHER,
        Category.UNKNOWN,
        Level.ROUTINE,
    )
    assert event.summary == "Field unknown to ctsync, newSection: 20 other values changed"
    (single,) = events_between(study(newSection={"a": 1}), study(newSection={"a": 2}))
    assert single.summary == "Field unknown to ctsync, newSection: 1 -> 2"


def test_changed_result_values_are_one_event_per_list():
    def results(value):
        rows = [{"categories": [{"measurements": [{"groupId": "OG000", "value": value}]}]}]
        measures = [{"type": "PRIMARY", "title": f"Measure {n}", "classes": rows} for n in range(5)]
        return study(resultsSection__outcomeMeasuresModule__outcomeMeasures=measures)

    (event,) = events_between(results("1"), results("2"))
    assert (event.kind, event.rule) == (Kind.RESULTS, "R-RES-03")
    assert event.summary == "Outcome measure results: 5 changed"


def test_malformed_sites_are_reported_without_an_error():
    odd: list[Any] = [
        None,
        "text",
        7,
        [],
        {},
        {"facility": 7, "country": None, "status": []},
        ["x"],
    ]
    (event,) = events_between(study(sites=SITES), study(sites=odd))
    assert event.inputs["added"] == 7
    (back,) = events_between(study(sites=odd), study(sites=SITES))
    assert back.inputs["removed"] == 7
