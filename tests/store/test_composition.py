"""Store and Unit have one object per subject, and one function inserts into each table."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from ctsync.store.database import tables
from ctsync.store.database.access import Reads, Writes
from ctsync.store.database.tables import METADATA
from ctsync.store.store import Store

FOLDER = Path(__file__).parents[2] / "ctsync" / "store"
COPY = FOLDER / "admin" / "copy.py"  # copies any table

# constants of tables.py with the names of their tables
TABLES = {
    constant: table.name
    for constant in vars(tables)
    for table in METADATA.sorted_tables
    if getattr(tables, constant) is table
}

READS = {
    "trials", "versions", "bodies", "histories", "events", "runs", "failures", "watches",
    "watched", "outbox", "cursors", "search", "bulk", "rows", "damage", "marks", "times",
    "facts", "portfolio", "revisions", "texts", "flag_heads", "listed",
}  # fmt: skip
STORE_ITSELF = {
    "name", "file", "writer", "unit", "view", "one_view", "was_replaced", "vacuum", "counts",
    "revision", "state", "close",
}  # fmt: skip
WRITES = {
    "trials", "versions", "batches", "bodies", "histories", "events", "event_rewrites", "repairs",
    "watches", "watched", "runs", "failures", "outbox", "cursors", "rows", "marks", "loads",
    "facts", "texts", "listed",
}  # fmt: skip
UNIT_ITSELF = {"connection"}


def subjects(owner: object, others: set[str]) -> dict[str, object]:
    """Return the public attributes of a store or unit, except `others`."""
    public = {name for name in dir(owner) if not name.startswith("_")}
    assert public >= others
    return {name: getattr(owner, name) for name in public - others}


def test_the_store_exposes_only_the_read_subjects(store: Store) -> None:
    found = subjects(store, STORE_ITSELF)
    assert set(found) == READS
    # a subject inherits only from the base class
    assert {type(one).__bases__ for one in found.values()} == {(Reads,)}


def test_a_unit_exposes_only_the_write_subjects(store: Store) -> None:
    with store.unit() as unit:
        found = subjects(unit, UNIT_ITSELF)
    assert set(found) == WRITES
    assert {type(one).__bases__ for one in found.values()} == {(Writes,)}


def test_read_and_write_subjects_share_no_class(store: Store) -> None:
    with store.unit() as unit:
        classes = [type(one) for one in subjects(unit, UNIT_ITSELF).values()]
    classes += [type(one) for one in subjects(store, STORE_ITSELF).values()]
    assert len(set(classes)) == len(classes) == len(READS) + len(WRITES)


def inserts(source: str) -> Iterator[tuple[str, str]]:
    """Yield each place that inserts into a table: the table and the enclosing function.

    A place is either a call of an insert function, also under an alias, with the constant of a
    table, or a string that begins with INSERT INTO.
    """
    tree = ast.parse(source)
    functions = {"insert", "insert_row", "insert_rows"}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            functions |= {one.asname for one in node.names if one.name in functions and one.asname}
    for place, node in _within(tree, "module"):
        if isinstance(node, ast.Call):
            yield from ((table, place) for table in _given_tables(node, functions))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            words = node.value.split()
            if [word.upper() for word in words[:2]] == ["INSERT", "INTO"]:
                yield words[2], place


def _given_tables(call: ast.Call, functions: set[str]) -> list[str]:
    """Return the tables that a call inserts into."""
    given: list[ast.expr] = []
    if isinstance(call.func, ast.Attribute) and call.func.attr == "insert":
        given = [call.func.value]  # TABLE.insert()
    elif isinstance(call.func, ast.Name) and call.func.id in functions:
        given = call.args
    names = [one.id for one in given if isinstance(one, ast.Name)]
    return [TABLES[name] for name in names if name in TABLES]


def _within(node: ast.AST, function: str) -> Iterator[tuple[str, ast.AST]]:
    """Yield each node below this one, with the path of its function or class."""
    for child in ast.iter_child_nodes(node):
        yield function, child
        named = isinstance(child, ast.FunctionDef | ast.ClassDef)
        yield from _within(child, f"{function}.{child.name}" if named else function)  # type: ignore[attr-defined]  # definitions have names


def test_each_table_has_one_function_that_inserts_into_it() -> None:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for path in sorted(FOLDER.rglob("*.py")):
        if path != COPY:
            for table, function in inserts(path.read_text(encoding="utf-8")):
                found[table].add(f"{path.relative_to(FOLDER)}:{function}")
    print(*(f"{table}: {', '.join(functions)}" for table, functions in found.items()), sep="\n")
    assert {table: functions for table, functions in found.items() if len(functions) > 1} == {}
    # a virtual table or a server's own: `db index-text` creates it, no migration
    assert set(found) == {*TABLES.values(), "text_words", "text_shared"}


def test_inserts_finds_each_way_to_insert() -> None:
    source = """
from sqlalchemy import insert as put
class Writes:
    def one(self):
        insert(RUNS).values(id=1)
    def two(self):
        insert_rows(self._connection, RUNS, (), [])
    def three(self):
        return put(RUNS).returning(RUNS.c.id)
def four():
    RUNS.insert()
def five(connection):
    connection.execute("insert into runs (id) values (1)")
def six():
    select(RUNS), update(RUNS), rows.insert(0, RUNS)
"""
    assert [(table, function.rpartition(".")[2]) for table, function in inserts(source)] == [
        ("runs", name) for name in ("one", "two", "three", "four", "five")
    ]
