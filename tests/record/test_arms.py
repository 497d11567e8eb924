"""Events of arms and interventions, whose links the registry writes on both sides."""

from ctsync.model import Kind, Level
from tests.record.studies import events_between, study

ARMS = "protocolSection__armsInterventionsModule__armGroups"
INTERVENTIONS = "protocolSection__armsInterventionsModule__interventions"

OLAPARIB, DURVALUMAB, CARBOPLATIN = (
    ("DRUG", name) for name in ("Olaparib", "Durvalumab", "Carboplatin")
)
IRON = ("DIETARY_SUPPLEMENT", "Iron")
ALL = [OLAPARIB, DURVALUMAB, CARBOPLATIN]


def trial(arms, **descriptions):
    """Return a trial from its interventions per arm label, with the links on both sides."""
    interventions: dict[tuple[str, str], list[str]] = {}
    for label, given in arms.items():
        for one in given:
            interventions.setdefault(one, []).append(label)
    return study(**{
        ARMS: [
            {
                "label": label,
                "type": "EXPERIMENTAL",
                "description": descriptions.get(label, "As randomized"),
                "interventionNames": [
                    f"{kind.replace('_', ' ').title()}: {name}" for kind, name in given
                ],
            }
            for label, given in arms.items()
        ],
        INTERVENTIONS: [
            {"type": kind, "name": name, "armGroupLabels": labels}
            for (kind, name), labels in interventions.items()
        ],
    })  # fmt: skip


def summaries(before, after):
    events = events_between(before, after)
    assert {event.kind for event in events} <= {Kind.ARM}
    return [event.summary for event in events]


def test_a_relabelled_arm_is_one_event():
    before, after = trial({"2L": ALL, "1L": [OLAPARIB]}), trial({"2/3L": ALL, "1L": [OLAPARIB]})
    (event,) = events_between(before, after)
    assert event.summary == 'Arm renamed: "2L" -> "2/3L" (in 3 interventions too)'
    assert (event.label, event.rule, event.level) == ("Arm", "R-ARM-01", Level.ROUTINE)
    assert (event.before, event.after) == ("2L", "2/3L")
    assert len(event.covers) == 7


def test_a_misspelt_label_corrected_is_one_event():
    # NCT02942355, as the registry's own comparison of two versions lists it
    before = trial({"Cohort A": ALL[:2], "Cohort B: Maintenance thrapy": ALL[:2]})
    after = trial({"Cohort A": ALL[:2], "Cohort B: Maintenance therapy": ALL[:2]})
    (summary,) = summaries(before, after)
    assert summary == (
        'Arm renamed: "Cohort B: Maintenance thrapy" -> "Cohort B: Maintenance therapy" '
        "(in 2 interventions too)"
    )


def test_a_label_in_other_letter_case_is_administrative_with_its_consequences():
    before = trial({"Arm A": [OLAPARIB], "Arm B": [OLAPARIB]})
    after = trial({"ARM A": [OLAPARIB], "Arm B": [OLAPARIB]})
    (event,) = events_between(before, after)
    assert (event.rule, event.level) == ("R-ADM-07", Level.ADMINISTRATIVE)
    assert event.summary.endswith('"Arm A" -> "ARM A" (in 1 intervention too)')


def test_a_long_label_that_was_edited_is_named():
    label = "Participants with disease that progressed after one line of platinum-based therapy"
    (summary,) = summaries(trial({label: ALL}), trial({f"{label} or more": ALL}))
    assert summary.startswith('Arm label of "Participants with disease that progressed')
    assert summary.endswith("(in 3 interventions too)")


def test_two_relabelled_arms_are_two_events():
    assert summaries(
        trial({"Cohort 1": ALL, "Cohort 2": [IRON]}),
        trial({"Cohort 1: 10 mg": ALL, "Cohort 2: 20 mg": [IRON]}),
    ) == [
        'Arm renamed: "Cohort 1" -> "Cohort 1: 10 mg" (in 3 interventions too)',
        'Arm renamed: "Cohort 2" -> "Cohort 2: 20 mg" (in 1 intervention too)',
    ]


def test_an_arm_with_the_same_description_is_renamed_whatever_its_label():
    before = trial({"A": ALL}, A="Treatment of the second line")
    after = trial({"Dose expansion": ALL}, **{"Dose expansion": "Treatment of the second line"})
    assert summaries(before, after) == [
        'Arm renamed: "A" -> "Dose expansion" (in 3 interventions too)'
    ]


def test_an_arm_without_a_description_is_renamed_if_its_interventions_are_the_same():
    # NCT00337649: the registry's own comparison lists the first label as edited, the arm as added
    drugs = [("DRUG", "Epothilone D"), ("DRUG", "Herceptin")]
    first, second = (
        "Phase I - Epothilone D Dose Escalation",
        "Phase II - Epothilone D Maximum Tolerated Dose",
    )
    before, after = trial({"1": drugs}), trial({first: drugs, second: drugs})
    for made in (before, after):
        for arm in made["protocolSection"]["armsInterventionsModule"]["armGroups"]:
            del arm["description"]
    assert summaries(before, after) == [
        f'Arm renamed: "1" -> "{first}" (in 2 interventions too)',
        f'Arm added: "{second}" (in 2 interventions too)',
    ]


def test_an_arm_replaced_by_another_one_is_two_events():
    before = trial({"A": ALL}, A="Treatment of the second line")
    after = trial({"Dose expansion": ALL}, **{"Dose expansion": "10 mg daily for 5 days"})
    assert summaries(before, after) == [
        'Arm removed: "A" (in 3 interventions too)',
        'Arm added: "Dose expansion" (in 3 interventions too)',
    ]


def test_an_added_arm_is_one_event():
    before, after = trial({"A": ALL}), trial({"A": ALL, "B": [OLAPARIB, IRON]}, B="Half the dose")
    assert summaries(before, after) == [
        'Arm added: "B" (in 1 intervention too)',
        'Intervention added: "Iron"',
    ]


def test_a_renamed_intervention_is_one_event():
    before = trial({"A": [OLAPARIB], "B": [OLAPARIB, IRON]})
    after = trial({"A": [("DRUG", "Olaparib 5")], "B": [("DRUG", "Olaparib 5"), IRON]})
    assert summaries(before, after) == [
        'Intervention renamed: "Olaparib" -> "Olaparib 5" (in 2 arms too)'
    ]


def test_an_intervention_of_another_type_is_one_event():
    before, after = trial({"A": [("DRUG", "Iron")], "B": ALL}), trial({"A": [IRON], "B": ALL})
    (summary,) = summaries(before, after)
    assert summary.startswith('Intervention type of "Iron": ')
    assert summary.endswith(" (in 1 arm too)")


def test_an_intervention_given_to_another_arm_is_one_event_that_names_both():
    before, after = trial({"A": ALL, "B": [IRON]}), trial({"A": ALL, "B": [IRON, OLAPARIB]})
    assert summaries(before, after) == ['Intervention of the arm "B" added: "Drug: Olaparib"']
    assert summaries(after, before) == ['Intervention of the arm "B" removed: "Drug: Olaparib"']


def test_a_relabelled_arm_that_loses_an_intervention_is_two_events():
    before, after = trial({"2L": ALL, "1L": ALL}), trial({"2/3L": ALL[:2], "1L": ALL})
    assert summaries(before, after) == [
        'Intervention of the arm "2L" removed: "Drug: Carboplatin"',
        'Arm renamed: "2L" -> "2/3L" (in 2 interventions too)',
    ]


def test_a_link_that_one_side_alone_changed_is_an_event_that_names_its_item():
    def linked(*labels):
        return study(**{
            ARMS: [{"label": "A"}, {"label": "B"}],
            INTERVENTIONS: [{"type": "DRUG", "name": "Iron", "armGroupLabels": list(labels)}],
        })  # fmt: skip

    assert summaries(linked("A"), linked("A", "B")) == ['Arm of the intervention "Iron" added: "B"']


def test_another_name_of_an_intervention_names_the_intervention():
    def named(*names):
        return study(
            **{INTERVENTIONS: [{"type": "DRUG", "name": "Iron", "otherNames": ["Fe", *names]}]}
        )

    assert summaries(named(), named("Ferrum")) == [
        'Other name of the intervention "Iron" added: "Ferrum"'
    ]


def test_another_name_of_a_nameless_intervention_is_an_event():
    before, after = (study(**{INTERVENTIONS: [{"type": "DRUG", "otherNames": names}]})
                     for names in (["Fe"], ["Fe", "Ferrum"]))  # fmt: skip
    assert summaries(before, after) == ['Other name of the intervention "DRUG" added: "Ferrum"']


def test_arms_that_share_a_label_lose_no_change():
    before, after = trial({"A": [OLAPARIB]}), trial({"B": [OLAPARIB]})
    for made in (before, after):
        module = made["protocolSection"]["armsInterventionsModule"]
        module["armGroups"] *= 2
    assert len(events_between(before, after)) == 2
