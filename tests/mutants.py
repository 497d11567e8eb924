"""Break ctsync in places drawn with a seed, and list the breaks that no test notices.

`make mutants ARGS="--seed 17 --places 40"`. Each break changes one place in a copy of the last
commit: a condition, a constant, an exception, a loop. cosmic-ray lists and makes the breaks.

For each break the tests run in this order, up to the first that fails:

1. fast tests of its room and of files that name its module, the nearest file first,
2. slow tests of the same files,
3. tests of other files that run its line, by a measurement of all tests,
4. tests of other files that start processes, which the measurement does not see.

A test counts only if it fails again alone with the break, and passes alone without it. A test
that hangs counts in the same way. The measurement takes as long as all tests. It is made when the
first break needs it, and `--measured FILE` keeps it for the next run. `--only 3 9` breaks only the
places with these numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import lru_cache, partial
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

ROOT = Path(__file__).parents[1]
ROOMS = ("deliver", "record", "registry", "store", "sync")
ALL = "not bench and not bench_registry and not soak"
FAST, SLOW = f"not slow and {ALL}", f"slow and {ALL}"
LONGEST_SECONDS = 1800
LONGEST_SECONDS_OF_ONE = 300
# these read the code and do not run it, so that they see a break that changes no behaviour
READERS = {"test_docs.py", "test_english.py", "test_habits.py", "test_layers.py", "test_mutants.py",
           "test_module_coverage.py", "test_packaging.py", "test_supply_chain.py"}  # fmt: skip
# what pytest exits with if no test of the files has the wanted mark
NO_TESTS = 5
# the opposite of each comparison, or its neighbour: other pairs are noticed too easily to count
COMPARISONS = ("Eq_NotEq", "NotEq_Eq", "Lt_LtE", "LtE_Lt", "Gt_GtE", "GtE_Gt", "Is_IsNot",
               "IsNot_Is", "Lt_GtE", "GtE_Lt", "LtE_Gt", "Gt_LtE")  # fmt: skip
OPERATORS = {
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in COMPARISONS),
    "core/ReplaceBinaryOperator_Add_Sub",
    "core/ReplaceBinaryOperator_Sub_Add",
    "core/ReplaceUnaryOperator_Delete_Not",
    "core/AddNot",
    "core/ReplaceTrueWithFalse",
    "core/ReplaceFalseWithTrue",
    "core/ReplaceAndWithOr",
    "core/ReplaceOrWithAnd",
    "core/ReplaceBreakWithContinue",
    "core/ReplaceContinueWithBreak",
    "core/ExceptionReplacer",
    "core/NumberReplacer",
    "core/ZeroIterationForLoop",
}


@dataclass(frozen=True, slots=True)
class Place:
    """One break: the `occurrence`-th place of an operator in a file."""

    file: str
    line: int
    operator: str
    occurrence: int

    def broken(self, source: str) -> str:
        """Return the source with this place changed."""
        return mutate_code(source, get_operator(self.operator)(), self.occurrence) or source

    def __str__(self) -> str:
        """Return where the break is and what it does."""
        return f"{self.file}:{self.line} {self.operator}"

    def shown(self, copy: Path) -> str:
        """Return the break as a patch."""
        source = (copy / self.file).read_text(encoding="utf-8")
        old, new = source.splitlines(), self.broken(source).splitlines()
        return "\n".join(list(unified_diff(old, new, lineterm="", n=1))[2:])


def places_of(copy: Path, room: str) -> Iterator[Place]:
    """Yield every place of a room that an operator can break."""
    for path in sorted((copy / "ctsync" / room).rglob("*.py")):
        nodes = list(ast_nodes(get_ast(path.read_text(encoding="utf-8"))))
        for name in sorted(OPERATORS.intersection(operator_names())):
            operator = get_operator(name)()
            starts = [start for node in nodes for start, _ in operator.mutation_positions(node)]
            for occurrence, (line, _) in enumerate(starts):
                yield Place(str(path.relative_to(copy)), line, name, occurrence)


def draw(copy: Path, *, seed: int, count: int) -> list[Place]:
    """Return `count` places, the same number from each room; no two in one line."""
    chance, drawn = random.Random(seed), dict[tuple[str, int], Place]()
    for number, room in enumerate(ROOMS):
        wanted = count * (number + 1) // len(ROOMS)
        places = list(places_of(copy, room))
        chance.shuffle(places)
        for place in places:
            if len(drawn) == wanted:
                break
            drawn.setdefault((place.file, place.line), place)
    return list(drawn.values())


def is_alike(one: str, other: str) -> bool:
    """Return whether one word begins with the other, as "listings" with "listing"."""
    letters = min(len(one), len(other))
    return letters > 2 and one[:letters] == other[:letters]


def environment(copy: Path) -> dict[str, str]:
    """Return the environment in which tests import the copy."""
    corpus = str(ROOT.parent / "shared" / "corpus")
    return {"CTSYNC_CORPUS": corpus} | os.environ | {"PYTHONPATH": str(copy)}


def first_failure(
    copy: Path, tests: Sequence[str], *options: str, seconds: int = LONGEST_SECONDS
) -> str | None:
    """Run tests in the copy in this order. Return the first that fails or hangs, if any."""
    wanted, log = copy / ".wanted", copy / ".log"
    wanted.write_text("\n".join(tests), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-v", "-x", "-n", "0", "-p", "no:randomly",
               "--cache-clear", *options, f"@{wanted}"]  # fmt: skip
    with (
        log.open("wb") as output,
        subprocess.Popen(
            command,
            cwd=copy,
            env=environment(copy),
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            # its servers and workers are in the same group
            os.killpg(process.pid, signal.SIGKILL)
            code = None
    if code in {0, NO_TESTS}:
        return None
    if code is None:
        test = log.read_text(encoding="utf-8").rstrip().rpartition("\n")[2]
        print(f"timed out: {test}", flush=True)
        return test
    failed = copy / ".pytest_cache" / "v" / "cache" / "lastfailed"
    if not failed.exists():
        # pytest cannot start
        return tests[0]
    return str(next(iter(json.loads(failed.read_text(encoding="utf-8")))))


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of the copy, and which of them can reach a place."""

    copy: Path
    measured: Callable[[], CoverageData]

    def files(self) -> dict[str, str]:
        """Return each test file that runs the code, with its text."""
        return {
            str(path.relative_to(self.copy)): path.read_text(encoding="utf-8")
            for path in sorted((self.copy / "tests").rglob("test_*.py"))
            if path.name not in READERS and path.parent.name != "bench"
        }

    def nearest(self, place: Place) -> list[str]:
        """Return the test files of a place's room, and others that name its module."""
        module = Path(place.file).with_suffix("")
        dotted, room = ".".join(module.parts), module.parts[1]
        package, _, name = dotted.rpartition(".")
        imported = re.compile(rf"\b{dotted}\b|from {package} import .*\b{name}\b")
        own_words = [*module.parts[2:-1], *name.split("_")]

        def nearness(file: str, text: str) -> int:
            words = Path(file).stem.removeprefix("test_").split("_")
            is_of_room = file.startswith(f"tests/{room}/")
            is_named = name in file or imported.search(text) is not None
            if not (is_of_room or is_named):
                return 0
            shared = sum(is_alike(own, word) for own in own_words for word in words)
            return 3 * shared + 2 * is_named + is_of_room

        near = {file: nearness(file, text) for file, text in self.files().items()}
        return sorted((file for file in near if near[file]), key=lambda file: -near[file])

    def running(self, place: Place) -> list[str]:
        """Return the tests that run a place's line, or its file if only an import runs it."""
        lines = self.measured().contexts_by_lineno(place.file)
        of_line = {context for context in lines.get(place.line, []) if context}
        of_file = {context for contexts in lines.values() for context in contexts if context}
        return sorted({context.partition("|")[0] for context in of_line or of_file})

    def starting_processes(self) -> list[str]:
        """Return the test files that start processes, by themselves or with a helper of theirs."""
        helpers = [
            path.stem
            for path in (self.copy / "tests").rglob("*.py")
            if not path.name.startswith("test_") and "subprocess" in path.read_text("utf-8")
        ]
        starts = re.compile(rf"\bsubprocess\b|import .*\b({'|'.join(helpers)})\b")
        return [file for file, text in self.files().items() if starts.search(text)]

    def stages(self, place: Place) -> Iterator[tuple[list[str], str]]:
        """Yield tests that can reach a place, with the mark they need, the likeliest first."""
        near = self.nearest(place)
        far = self.files().keys() - near
        yield near, FAST
        yield near, SLOW
        yield [test for test in self.running(place) if test.partition("::")[0] in far], ALL
        yield [file for file in self.starting_processes() if file in far], ALL

    def notices(self, place: Place) -> str | None:
        """Break a place. Return the test that notices it, if any; the place is restored."""
        path = self.copy / place.file
        source = path.read_text(encoding="utf-8")
        broken, unsure = place.broken(source), list[str]()
        try:
            for tests, mark in self.stages(place):
                while tests:
                    path.write_text(broken, encoding="utf-8")
                    options = [f"--deselect={test}" for test in unsure]
                    failed = first_failure(self.copy, tests, "-m", mark, *options)
                    if failed is None:
                        break
                    if self._fails_only_broken(path, failed, source):
                        return failed
                    if failed in unsure:
                        break
                    unsure.append(failed)
                # the next stage may be measured, which needs the unbroken code
                path.write_text(source, encoding="utf-8")
        finally:
            path.write_text(source, encoding="utf-8")
        return None

    def _fails_only_broken(self, path: Path, test: str, source: str) -> bool:
        """Return whether a test fails alone with the break, and passes without it."""
        again = first_failure(self.copy, [test], "-m", "", seconds=LONGEST_SECONDS_OF_ONE)
        path.write_text(source, encoding="utf-8")
        unbroken = first_failure(self.copy, [test], "-m", "", seconds=LONGEST_SECONDS_OF_ONE)
        is_sure = again is not None and unbroken is None
        if not is_sure:
            print(f"unsure: {test}", flush=True)
        return is_sure


def measure(copy: Path, to: Path) -> CoverageData:
    """Return which tests run which line; measures them if the file does not exist."""
    if not to.exists():
        settings = copy / ".measure"
        settings.write_text("[run]\nrelative_files = true\n", encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-m", ALL,
                   "-n", "logical", "--dist", "loadfile", "--cov=ctsync", "--cov-context=test",
                   "--cov-report=", f"--cov-config={settings}"]  # fmt: skip
        # a test that fails here counts for no break: it does not pass without one
        subprocess.run(command, cwd=copy, env=environment(copy), stdout=sys.stderr, check=False)
        shutil.move(copy / ".coverage", to)
    measured = CoverageData(str(to))
    measured.read()
    return measured


def copy_of_last_commit(folder: Path) -> Path:
    """Write the files of the last commit to a folder."""
    with subprocess.Popen(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE) as head:
        subprocess.run(["tar", "-x"], cwd=folder, stdin=head.stdout, check=True)
    # the tests of commits need the history
    (folder / ".git").symlink_to(ROOT / ".git")
    return folder


def main() -> int:
    """Draw places, break each, and print how many were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--places", type=int, default=40, help="how many to draw")
    parser.add_argument("--only", type=int, nargs="+", help="numbers of the drawn places to break")
    parser.add_argument(
        "--measured", type=Path, help="file that keeps the measurement, valid until ctsync/ changes"
    )
    asked = parser.parse_args()
    noticed = broken = 0
    with tempfile.TemporaryDirectory() as folder:
        copy = copy_of_last_commit(Path(folder))
        file = (asked.measured or copy / ".measured").absolute()
        suite = Suite(copy, lru_cache(partial(measure, copy, file)))
        for number, place in enumerate(draw(copy, seed=asked.seed, count=asked.places)):
            if asked.only and number not in asked.only:
                continue
            test = suite.notices(place)
            broken, noticed = broken + 1, noticed + bool(test)
            print(f"{number:2} {'noticed' if test else 'MISSED '} {place}  {test or ''}")
            if not test:
                print(place.shown(copy))
            sys.stdout.flush()
    print(f"seed {asked.seed}: {broken} places broken, {noticed} noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
