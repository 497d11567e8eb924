"""Mutants: ctsync with one guard removed. For each, a test must fail by its assertion."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
NOT_RAISED = "DID NOT RAISE"


@dataclass(frozen=True, slots=True)
class Mutant:
    """ctsync with `old` replaced by `new` in a module. `test` must fail and print `word`."""

    guard: str
    module: str
    old: str
    new: str
    test: str
    word: str


COMMIT_ANYWAY = """\
        transaction = writer.begin()
        try:
            yield writer
        finally:
            transaction.commit()"""

MUTANTS = [
    Mutant("a unit that raises stores nothing", "ctsync.store.database.engine",
           "        with writer.begin():\n            yield writer", COMMIT_ANYWAY,
           "store/test_versions.py::test_a_version_after_an_outdated_head_rolls_back_its_unit",
           "assert"),
    Mutant("the stamp of the load is stripped", "ctsync.record.compare.canonical",
           '_drop(body, path.split("."))', "pass",
           "record/test_canonical.py::test_version_holder_is_not_part_of_the_canonical_form",
           "versionHolder"),
    Mutant("mass disappearance is held", "ctsync.sync.trial_pass",
           "lacking > most_at_once(of)", "lacking < 0",
           "sync/test_listing_faults.py::test_many_vanished_trials_are_held_back_and_a_few_are_accepted",
           "Kind.GONE"),
    Mutant("an absence needs a second load", "ctsync.sync.decide",
           "head.absent_since < load", "head.absent_since <= load",
           "sync/test_decide.py::test_the_same_load_requested_twice_does_not_confirm_an_absence",
           "Gone"),
    Mutant("HTML is escaped", "ctsync.report.html_templates", "autoescape=True", "autoescape=False",
           "report/test_formats.py::test_no_tag_and_no_attribute_comes_from_remote_text",
           "onerror"),
    Mutant("a terminal is not steered", "ctsync.text",
           "return _LINE.sub(_escaped, text)", "return text",
           "report/test_plain_text.py::test_no_remote_text_controls_the_terminal", "assert not"),
    Mutant("a mail header is one line", "ctsync.text",
           r'_LINE.sub("\ufffd", one_line).replace("=?", "= ?")', "text",
           "test_text.py::test_a_header_is_one_line_without_encoded_words", "assert"),
    Mutant("no cell is a formula", "ctsync.text", "if runs or cell", "if cell",
           "report/test_formats.py::test_no_cell_of_a_csv_is_a_formula", "assert not"),
    Mutant("a request has a deadline", "ctsync.registry.http.transport",
           "if self._clock.monotonic() > deadline:", "if False:",
           "registry/test_transport.py::test_the_deadline_follows_the_given_clock", NOT_RAISED),
    Mutant("an answer has a largest size", "ctsync.registry.http.transport",
           "if len(body) > limit:", "if False:",
           "registry/test_transport.py::test_an_answer_larger_than_the_limit_is_refused",
           NOT_RAISED),
    Mutant("an id answered is the id asked for", "ctsync.registry.api",
           "if asked not in identity.names or (redirected", "if False and (redirected",
           "registry/test_api.py::test_a_single_answer_for_another_trial_is_a_mismatch",
           "isinstance"),
    Mutant("an older load is refused", "ctsync.registry.load_checks",
           "if newest is not None and load < newest:", "if newest and False:",
           "sync/test_trial_pass.py::test_an_older_load_than_one_already_seen_is_refused",
           NOT_RAISED),
    Mutant("a load from the future is refused", "ctsync.registry.load_checks",
           "if is_future_load(load, now):", "if False:",
           "cli/test_future_load.py::test_an_archive_from_the_future_is_refused", "exited with"),
    Mutant("a run in the future is ignored", "ctsync.store.data.runs",
           "RUNS.c.kind == kind, RUNS.c.finished <= now + CLOCK_TOLERANCE", "RUNS.c.kind == kind",
           "store/test_future_times.py::test_times_written_by_a_clock_that_ran_ahead_count_as_due",
           "an_end_of_a_sync"),
    Mutant("one worker at a time has a recipient", "ctsync.store.data.outbox",
           "is_free, is_due, recipient.not_in(held)", "is_free, is_due",
           "store/test_outbox.py::test_a_recipient_with_a_claimed_delivery_is_left_to_its_worker",
           "assert"),
    Mutant("only the holder notes an attempt", "ctsync.store.data.outbox",
           "self._is_mine(worker),\n            attempts=", "DELIVERIES.c.id > 0, attempts=",
           "store/test_outbox.py::test_an_attempt_is_counted_only_for_the_worker_that_holds_the_claim",
           "assert 1 == 0"),
    Mutant("what was sent is marked", "ctsync.deliver.outbox",
           "                self._mark_sent(result.parcel)", "                pass",
           "deliver/test_outbox.py::test_one_message_per_recipient_contains_all_due_events",
           "2 messages sent"),
    Mutant("one writer at a time", "ctsync.store.database.lock", "lock.acquire(timeout=0)", "pass",
           "store/test_lock.py::test_two_holders_in_one_process_exclude_each_other", NOT_RAISED),
    Mutant("a body is what its digest names", "ctsync.store.bodies.codec",
           " or hashlib.sha256(raw).hexdigest() != sha256", "",
           "store/test_codec.py::test_a_malformed_digest_matches_no_body", NOT_RAISED),
]  # fmt: skip


def run(runs: list[tuple[list[str], Mutant | None]]) -> list[Any]:
    """Run tests on mutants, on SQLite only. Return the exit code and the output of each run."""
    given = [
        (
            json.dumps([mutant.module, mutant.old, mutant.new]) if mutant else "",
            [f"tests/{test}" for test in tests],
        )
        for tests, mutant in runs
    ]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.mutant_runs"],
        cwd=ROOT,
        env=os.environ | {"CTSYNC_TEST_POSTGRES": "off"},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


def is_noticed(mutant: Mutant, code: int, output: str) -> bool:
    """Return whether the test failed by its assertion; print the output if it did not."""
    said = "\n".join(line for line in output.splitlines() if line.startswith("E  "))
    asserted = "assert" in said.lower() or NOT_RAISED in said
    noticed = code == 1 and "1 failed" in output and asserted
    if not (noticed and mutant.word in said):
        print(f"--- {mutant.guard}: exit code {code}\n{output}")
        return False
    return True


def test_a_test_fails_for_every_guard_that_is_removed() -> None:
    tests = list(dict.fromkeys(mutant.test for mutant in MUTANTS))
    unchanged, *changed = run([(tests, None), *(([one.test], one) for one in MUTANTS)])
    assert unchanged["code"] == 0, unchanged["output"]
    unnoticed = [
        mutant.guard
        for mutant, done in zip(MUTANTS, changed, strict=True)
        if not is_noticed(mutant, **done)
    ]
    print(f"mutants: {len(MUTANTS)} removed, {len(MUTANTS) - len(unnoticed)} noticed")
    assert not unnoticed
