"""Output in an encoding that is not UTF-8: formats stay UTF-8, text degrades, nothing crashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.cli import hostile_installation as hostile
from tests.cli.hostile_installation import Caller, Ended
from tests.replay.registry_server import ReplayRegistry

ENCODINGS = ("cp1252", "iso8859-1", "ascii")
FAILING = {"db forget-load": 2, "doctor": 7}
"""Exit codes of calls that fail in every encoding: no mail server, and no load in the future."""


@pytest.fixture(scope="module")
def registry() -> Iterator[ReplayRegistry]:
    with ReplayRegistry(hostile.catalogue()) as running:
        yield running


@pytest.fixture(scope="module")
def prepared(registry: ReplayRegistry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        hostile.prepare(folder, registry)
    return folder


def problem_of(words: Sequence[str], ended: Ended, encoding: str) -> str | None:
    """Return what is wrong with the end of a call, or None."""
    said = ended.stderr.decode(encoding, "replace")
    if (
        ended.code != FAILING.get(" ".join(words[:2]), FAILING.get(words[0], 0))
        or "Traceback" in said
        or "internal error" in said
    ):
        return f"exit code {ended.code}: {said[-300:]}"
    if encoding == "ascii" and not (ended.stdout + ended.stderr).isascii():
        return "not ASCII"
    return None


def document_problem(words: Sequence[str], ended: Ended, encoding: str) -> str | None:
    """Return what is wrong with a file format on stdout, or None."""
    if ended.code:
        return problem_of(words, ended, encoding)
    try:
        text = ended.stdout.decode()
    except UnicodeDecodeError as error:
        return f"not UTF-8: {error}"
    # JSON may be ASCII with escapes, or have no text of a record
    is_complete = "日本" in text or (text.isascii() and text[0] in "[{")
    return None if is_complete else "lacks characters"


def test_the_calls_name_every_command() -> None:
    calls = (*hostile.READING, *hostile.WRITING, hostile.DEMO)
    called = {" ".join(words[:length]) for words in calls for length in (1, 2)}
    assert hostile.NAMES - called == set()


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_command_works_in_every_encoding(
    prepared: Path, registry: ReplayRegistry, tmp_path: Path, encoding: str
) -> None:
    folder = hostile.copied(prepared, tmp_path / encoding)
    call = Caller(folder, hostile.environment(folder, registry), encoding)
    calls = [(words, problem_of) for words in hostile.READING if words not in hostile.DOCUMENTS]
    calls += [(words, document_problem) for words in hostile.DOCUMENTS]
    calls += [(words, problem_of) for words in hostile.WRITING]
    calls += [(hostile.DEMO, problem_of)] if encoding == "ascii" else []
    wrong = {
        " ".join(words): problem
        for words, check in calls
        if (problem := check(words, call(words), encoding))
    }
    print(
        f"encodings: {len(hostile.NAMES)} commands in {len(calls)} calls under {encoding}, "
        f"{len(wrong)} crashed or wrote another encoding"
    )
    assert wrong == {}


LOCALES = (*ENCODINGS, "cp437", "cp932", "koi8_r")


@pytest.mark.slow
def test_a_sync_in_any_locale_stores_each_record_as_the_registry_has_it(
    prepared: Path, registry: ReplayRegistry, tmp_path: Path
) -> None:
    trials = (hostile.TRIAL, hostile.OTHER, hostile.NEW)

    def stored_under(encoding: str) -> list[bytes]:
        folder = hostile.copied(prepared, tmp_path / encoding)
        call = Caller(folder, hostile.environment(folder, registry), encoding)
        for words in (("watch", "add", hostile.NEW, "--name", "≥ 5"), ("sync",)):
            assert problem_of(words, call(words), encoding) is None
        shown = [call(("show", nct_id, "--raw")) for nct_id in trials]
        return [ended.stdout if ended.code == 0 else b"" for ended in shown]

    truth = stored_under("utf-8")
    assert all("日本" in record.decode() for record in truth)
    found = {encoding: stored_under(encoding) for encoding in LOCALES}
    lost = sum(record == b"" for records in found.values() for record in records)
    wrong = sum(
        record not in (true, b"")
        for records in found.values()
        for record, true in zip(records, truth, strict=True)
    )
    print(f"locales: {len(found)} attacks, {lost} lost, {wrong} stored wrongly")
    assert (lost, wrong) == (0, 0)
