"""`ctsync schema` lists the schemas and prints one."""

from ctsync.questions.schemas import names, schema
from tests.cli.conftest import Shell


def test_schema_lists_the_names(shell: Shell) -> None:
    assert tuple(shell.run("schema").stdout.split()) == names()


def test_schema_prints_the_schema_of_a_name(shell: Shell) -> None:
    assert shell.json("schema", "change") == schema("change")


def test_an_unknown_name_is_refused_with_the_nearest(shell: Shell) -> None:
    assert "change" in shell.refuse("schema", "chang", exit_code=2)
