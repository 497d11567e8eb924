"""Break ctsync in places drawn with a seed, and list the breaks that no fast test notices.

`make mutants ARGS="--seed 17 --places 40"`. Each break changes one place in a copy of the last
commit: a condition, a constant, an exception, a loop. The tests that run its line are run first,
then all fast tests. cosmic-ray lists and makes the breaks.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names
from coverage import CoverageData

ROOT = Path(__file__).parents[1]
ROOMS = ("deliver", "record", "registry", "store", "sync")
FAST = "not slow and not bench and not bench_registry and not soak"
LONGEST_SECONDS = 900
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


def run_tests(copy: Path, args: Sequence[str]) -> bool:
    """Return whether tests pass in the copy; one that takes too long has failed."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:randomly", *args]
    corpus = str(ROOT.parent / "shared" / "corpus")
    env = {"CTSYNC_CORPUS": corpus} | os.environ | {"PYTHONPATH": str(copy)}
    try:
        done = subprocess.run(
            command, cwd=copy, env=env, capture_output=True, timeout=LONGEST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def whole_suite(*more: str) -> list[str]:
    """Return the arguments that run all fast tests."""
    return ["-m", FAST, "-n", "logical", "--dist", "loadfile", *more]


def tests_of(measured: CoverageData, copy: Path, place: Place) -> list[str]:
    """Return the tests that run the line of a place."""
    found = measured.contexts_by_lineno(str(copy / place.file)).get(place.line, [])
    return sorted({context.partition("|")[0] for context in found if context})


def is_noticed(copy: Path, place: Place, *, measured: CoverageData) -> bool:
    """Break a place, run the tests, and restore it. Prints the break if no test fails."""
    path = copy / place.file
    source = path.read_text(encoding="utf-8")
    broken = place.broken(source)
    path.write_text(broken, encoding="utf-8")
    try:
        tests = tests_of(measured, copy, place)
        noticed = bool(tests) and not run_tests(copy, tests)
        noticed = noticed or not run_tests(copy, whole_suite())
    finally:
        path.write_text(source, encoding="utf-8")
    print(f"{'noticed' if noticed else 'MISSED '} {place.file}:{place.line} {place.operator}")
    if not noticed:
        print(*list(unified_diff(source.splitlines(), broken.splitlines(), lineterm="", n=1))[2:],
              sep="\n")  # fmt: skip
    sys.stdout.flush()
    return noticed


def main() -> int:
    """Draw places, break each, and print how many were noticed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--places", type=int, default=40)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        with subprocess.Popen(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE) as head:
            subprocess.run(["tar", "-x"], cwd=copy, stdin=head.stdout, check=True)
        # the tests of commits need the history
        (copy / ".git").symlink_to(ROOT / ".git")
        measure = ("--cov=ctsync", "--cov-context=test", "--cov-report=")
        if not run_tests(copy, whole_suite(*measure)):
            print("the fast tests fail without any break", file=sys.stderr)
            return 1
        measured = CoverageData(str(copy / ".coverage"))
        measured.read()
        places = draw(copy, seed=asked.seed, count=asked.places)
        noticed = sum(is_noticed(copy, place, measured=measured) for place in places)
    print(f"seed {asked.seed}: {len(places)} places broken, {noticed} noticed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
