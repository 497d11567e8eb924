"""The best one-to-one assignment between two small lists. Pure arithmetic; does no I/O."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise


def best_assignment(gains: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    """Return the pairs (row, column) with the largest total gain. Pairs without gain are left out.

    The Hungarian algorithm with potentials, O(n³) (Kuhn 1955, Munkres 1957). Ties are broken in
    favour of the first column, so that equal input gives equal output.
    """
    rows = len(gains)
    columns = len(gains[0]) if rows else 0
    if not rows or not columns:
        return []
    if rows > columns:
        turned = [[gains[row][column] for row in range(rows)] for column in range(columns)]
        return sorted((row, column) for column, row in best_assignment(turned))
    row_of = _rows_of_columns([[-max(gain, 0.0) for gain in row] for row in gains], columns)
    pairs = ((row - 1, column) for column, row in enumerate(row_of) if row)
    return sorted((row, column) for row, column in pairs if gains[row][column] > 0)


def _rows_of_columns(costs: list[list[float]], columns: int) -> list[int]:
    """Return the row of each column, counted from 1; 0 for none. Takes at most `columns` rows."""
    row_potential = [0.0] * (len(costs) + 1)
    column_potential = [0.0] * (columns + 1)
    row_of = [0] * (columns + 1)  # column 0 holds the row that is being placed
    for row in range(1, len(costs) + 1):
        row_of[0] = row
        path = _augmenting_path(costs, row_of, row_potential, column_potential)
        for later, earlier in pairwise(path):
            row_of[later] = row_of[earlier]
    return row_of[1:]


def _augmenting_path(
    costs: list[list[float]],
    row_of: list[int],
    row_potential: list[float],
    column_potential: list[float],
) -> list[int]:
    """Return the columns of the cheapest path, from a free column back to column 0 (Dijkstra)."""
    columns = len(row_of) - 1
    cheapest = [float("inf")] * (columns + 1)
    before = [0] * (columns + 1)
    done: list[int] = []
    open_columns = set(range(1, columns + 1))
    column = 0
    while row_of[column]:
        done.append(column)
        row = row_of[column]
        for candidate in open_columns:
            cost = costs[row - 1][candidate - 1] - row_potential[row] - column_potential[candidate]
            if cost < cheapest[candidate]:
                cheapest[candidate], before[candidate] = cost, column
        nearest = min(open_columns, key=lambda candidate: (cheapest[candidate], candidate))
        step = cheapest[nearest]
        for reached in done:
            row_potential[row_of[reached]] += step
            column_potential[reached] -= step
        for candidate in open_columns:
            cheapest[candidate] -= step
        open_columns.discard(nearest)
        column = nearest
    path = [column]
    while column:
        column = before[column]
        path.append(column)
    return path
