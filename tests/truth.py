"""Measure `ctsync.record.outcomes` on rated pairs: `make truth`.

Prints the figures of the corpus's score.py, once for the weights as shipped, which were fitted on
the same pairs, and once cross-validated by trial: weights and limits from four folds, applied to
the fifth. The pairs are not part of the project; without them it says so and exits with code 0.
"""

from __future__ import annotations

import argparse
import gzip
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from ctsync.record.outcomes import compare_outcomes
from tests.rated_pairs import corpus, module_of, pairs_in

Figures = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with its goal and its stretch goal."""

    name: str
    figure: Callable[[Figures], float]
    goal: float
    stretch: float
    is_rate: bool = False

    def reaches(self, value: float, limit: float) -> bool:
        """Whether a value is at least as good as a limit."""
        return value <= limit if self.is_rate else value >= limit


def _f1(label: str) -> Callable[[Figures], float]:
    return lambda figures: float(figures[label]["f1"] or 0)


def _rate(key: str) -> Callable[[Figures], float]:
    return lambda figures: float(figures[key]["rate"] or 0)


def _missed(figures: Figures) -> float:
    return float(figures["missed"]["k"] / figures["missed"]["n"])


ROWS = (
    Row("unresolved, of pairs whose text differs", _rate("unresolved"), 0.30, 0.30, is_rate=True),
    Row("F1 any change, of the rest", _f1("any"), 0.85, 0.88),
    Row("hard negatives flagged", _rate("false_flag hard negatives any"), 0.12, 0.08, is_rate=True),
    Row("changed pairs called no change", _missed, 0.13, 0.10, is_rate=True),
    Row("F1 major", _f1("major"), 0.66, 0.72),
    Row("hard negatives flagged major", _rate("false_flag hard negatives major"), 0.10, 0.06,
        is_rate=True),
    Row("F1 added", _f1("added"), 0.70, 0.76),
    Row("F1 removed", _f1("removed"), 0.40, 0.55),
    Row("F1 modified", _f1("modified"), 0.68, 0.72),
    Row("F1 timing", _f1("timing"), 0.78, 0.84),
    Row("all no-change pairs flagged", _rate("false_flag all no-change any"), 0.08, 0.05,
        is_rate=True),
    Row("identical pairs flagged", _rate("false_flag identical any"), 0.0, 0.0, is_rate=True),
)  # fmt: skip


def shipped_predictions(folder: Path) -> dict[str, list[str]]:
    """Return the labels of each rated pair by the weights as shipped."""
    return {
        pair["id"]: sorted(
            compare_outcomes(module_of(pair, "before"), module_of(pair, "after")).labels
        )
        for pair in pairs_in(folder)
    }


def figures_of(folder: Path, predictions: Mapping[str, list[str]]) -> Figures:
    """Return the figures of score.py."""
    with tempfile.TemporaryDirectory() as name:
        truth, predicted, found = (Path(name, file) for file in ("truth", "predicted", "found"))
        truth.write_bytes(gzip.decompress((folder / "pairs.jsonl.gz").read_bytes()))
        predicted.write_bytes(
            b"\n".join(
                orjson.dumps({"id": pair, "labels": labels}) for pair, labels in predictions.items()
            )
        )
        subprocess.run(
            [
                sys.executable,
                str(folder / "score.py"),
                str(truth),
                str(predicted),
                "--json",
                str(found),
            ],
            check=True,
            capture_output=True,
        )
        figures: Figures = orjson.loads(found.read_bytes())
    return figures


def printed(columns: Mapping[str, Figures]) -> str:
    """Return the table of figures."""
    heads = ("goal", "stretch", *columns)
    lines = [f"{'':42}" + "".join(f"{head:>18}" for head in heads)]
    for row in ROWS:
        values = (row.goal, row.stretch, *(row.figure(figures) for figures in columns.values()))
        cells = (f"{value:.1%}" if row.is_rate else f"{value:.2f}" for value in values)
        lines.append(f"{row.name:42}" + "".join(f"{cell:>18}" for cell in cells))
    return "\n".join(lines)


def main() -> int:
    """Print the table, and write the predictions if a file is named."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--predictions", type=Path, help="write the predictions as JSON lines")
    options.add_argument("--quick", action="store_true", help="leave out the cross-validation")
    chosen = options.parse_args()
    folder = corpus()
    if folder is None:
        print("skipped: the rated pairs are not in ../shared/corpus; set CTSYNC_CORPUS")
        return 0
    shipped = shipped_predictions(folder)
    if chosen.predictions:
        lines = (orjson.dumps({"id": pair, "labels": labels}) for pair, labels in shipped.items())
        chosen.predictions.write_bytes(b"\n".join(lines) + b"\n")
    columns = {"resubstitution": figures_of(folder, shipped)}
    if not chosen.quick:
        from tests.outcome_weights import cross_validated, rated_pairs  # needs numpy

        columns["cross-validated"] = figures_of(folder, cross_validated(rated_pairs(folder)))
    print(printed(columns))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
