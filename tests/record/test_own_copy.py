"""A package that loads less for ctsync, and stays complete for the program around it."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from threading import Thread

import pytest

from ctsync.record.compare.own_copy import own_copy

PACKAGE = """
try:
    import ctsync_test_optional
except ImportError:
    is_complete = False
else:
    is_complete = True
"""

DIFF = """
import sys
from ctsync.record.compare.canonical import canonicalize
from ctsync.record.compare.diff import diff

def study(status):
    module = {"overallStatus": status}
    return canonicalize({"protocolSection": {
        "identificationModule": {"nctId": "NCT00000001"}, "statusModule": module,
    }})

def found():
    return [(change.before, change.after) for change in diff(study("RECRUITING"), study("UNKNOWN"))]
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a package that uses an optional one, which is installed."""
    for name, text in (("ctsync_test_package", PACKAGE), ("ctsync_test_optional", "")):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return "ctsync_test_package"


def test_the_copy_is_made_without_the_optional_package(package: str) -> None:
    with own_copy(package, without=frozenset({"ctsync_test_optional"})):
        ours = import_module(package)
    assert not ours.is_complete
    assert "ctsync_test_optional" not in sys.modules


def test_a_later_import_makes_a_complete_copy_and_leaves_ours(package: str) -> None:
    with own_copy(package, without=frozenset({"ctsync_test_optional"})):
        ours = import_module(package)
    assert import_module(package).is_complete
    assert not ours.is_complete


def test_a_package_that_is_loaded_already_stays_loaded(package: str) -> None:
    theirs = import_module(package)
    with own_copy(package, without=frozenset({"ctsync_test_optional"})):
        assert import_module(package) is theirs
    assert sys.modules[package] is theirs


def test_another_thread_finds_the_optional_package_at_the_same_time(package: str) -> None:
    found: list[str] = []
    with own_copy(package, without=frozenset({"ctsync_test_optional"})):
        other = Thread(target=lambda: found.append(import_module("ctsync_test_optional").__name__))
        other.start()
        other.join()
    assert found == ["ctsync_test_optional"]


def test_every_package_is_found_again_after_an_error(package: str) -> None:
    with pytest.raises(ZeroDivisionError), own_copy(
        package, without=frozenset({"ctsync_test_optional"})
    ):  # fmt: skip
        _ = 1 / 0
    assert import_module(package).is_complete


@pytest.mark.slow
def test_a_diff_loads_no_data_frame_library_and_a_user_has_all_of_deepdiff() -> None:
    code = (
        "before = found()\n"
        "print(before, found() == before, {'numpy', 'pandas', 'polars'} & set(sys.modules))\n"
        "import deepdiff, deepdiff.helper, numpy\n"
        "print(deepdiff.helper.np is numpy, found() == before)\n"
        "print(sorted(deepdiff.DeepDiff(numpy.array([1, 2]), numpy.array([1, 3]))))\n"
    )
    command = [sys.executable, "-c", DIFF + code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "[('RECRUITING', 'UNKNOWN')] True set()",
        "True True",
        "['values_changed']",
    ]
