"""Detection of days on which the registry itself changed many records."""

from datetime import date

from ctsync.model import NctId
from ctsync.record.registry.mass_changes import find_mass_change, reprocessed_part
from ctsync.record.registry.notices import of_reprocessing
from tests.record.studies import LOCATIONS, events_between, site, study
from tests.registry_fixtures import an_id
from tests.report.examples import stored

MESH = "derivedSection__conditionBrowseModule__meshes"


def mesh(identity):
    return {MESH: [{"id": identity, "term": "Leukemia"}]}


def step(**update):
    return events_between(study(**mesh("D000007938")), study(**mesh("D007938"), **update))


def load(changed, **update):
    return {an_id(n): step(**update) for n in range(changed)}


def test_a_change_in_many_trials_without_an_update_is_reprocessing():
    (notice,) = find_mass_change(load(60), fetched=100)
    assert notice.part == "derivedSection.conditionBrowseModule.meshes"
    assert len(notice.trials) == 60
    assert notice.summary == (
        "Registry reprocessing: condition mesh terms changed in 60 of 100 trials (60 %) "
        "without a new update date"
    )


def test_a_change_in_a_few_trials_is_not_reprocessing():
    assert find_mass_change(load(15), fetched=20) == []
    assert find_mass_change(load(40), fetched=1000) == []
    assert find_mass_change({}, fetched=0) == []


def test_changes_with_a_new_update_date_are_not_reprocessing():
    assert find_mass_change(load(60, posted="2020-02-02"), fetched=100) == []


def test_map_positions_are_registry_owned_and_sites_are_not():
    old = [site("A", geoPoint={"lat": 1.0, "lon": 2.0})]
    new = [site("A", geoPoint={"lat": 1.5, "lon": 2.0})]
    (geo,) = events_between(study(sites=old), study(sites=new))
    (moved,) = events_between(study(sites=[site("A")]), study(sites=[site("B", city="Gdynia")]))
    assert reprocessed_part(geo) == f"{LOCATIONS}.geoPoint"
    assert reprocessed_part(moved) is None


def test_rerendered_texts_share_one_notice():
    before, after = study(eligibility="* age \\> 18"), study(eligibility="- age > 18")
    title = {"protocolSection__descriptionModule__briefSummary": "a  b"}
    again = {"protocolSection__descriptionModule__briefSummary": "a b"}
    events = {
        an_id(n): events_between(before, after)
        if n % 2
        else events_between(study(**title), study(**again))
        for n in range(50)
    }
    (notice,) = find_mass_change(events, fetched=60)
    assert (notice.part, len(notice.trials)) == ("rendering of texts", 50)


def test_a_notice_covers_the_events_of_its_part_without_an_update():
    updated = NctId("NCT00000099")
    events = {**load(60), updated: step(posted="2020-02-02")}
    (found,) = find_mass_change(events, fetched=100)
    notice = of_reprocessing(found, [118], date(2020, 2, 2))
    trial = NctId("NCT00000001")
    (mesh_event,) = events[trial]
    assert notice.covers(stored(mesh_event, trial))
    assert not notice.covers(stored(mesh_event, trial, run_id=119))
    assert not any(notice.covers(stored(event, updated)) for event in events[updated])
    (stop,) = events_between(study(), study(status="TERMINATED"))
    assert not notice.covers(stored(stop, trial))
