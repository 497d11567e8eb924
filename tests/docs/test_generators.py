"""The generated pages hold everything that the program has, and only that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import click
import pytest

from ctsync import errors
from ctsync.cli import CANNOT_WRITE, INTERNAL_ERROR, INTERRUPTED, main
from ctsync.cli.deliver.notify import TestFailed as ChannelTestFailed
from ctsync.cli.questions.diff import DIFFERENCES
from ctsync.cli.store.check import PROBLEMS
from ctsync.cli.sync.sync import PARTIAL
from ctsync.config.loading import load
from ctsync.config.settings import Settings
from ctsync.questions.operation.health import Health, HealthState
from ctsync.questions.schemas import names, schema
from ctsync.record.rules.rules import RULES, Thresholds
from docs.generators.command_pages import command_pages
from docs.generators.exit_code_page import exit_code_page
from docs.generators.hook import ROOT, generated_pages, with_site_links, with_tables
from docs.generators.json_page import json_page
from docs.generators.markdown_text import escape, table
from docs.generators.schema_text import type_text
from docs.generators.settings_page import section_models, settings_page, texts_below_fields
from tests.test_docs import commands


@cache
def shown(page: Callable[[], str]) -> str:
    """Return a page, made once for all tests."""
    return page()


def test_every_command_and_option_is_on_a_page() -> None:
    pages = command_pages()
    for name, command in commands():
        page = pages[f"reference/commands/{name.split()[0]}.md"]
        assert re.search(rf"(?m)^```text\nctsync {re.escape(name)}\b", page), name
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert re.search(rf"`{option.opts[0]}[ `]", page), f"{name} {option.opts[0]}"


def test_the_index_lists_every_command_and_the_common_options() -> None:
    index = command_pages()["reference/commands/index.md"]
    listed = re.findall(r"(?m)^\| \[([\w-]+)\]\(", index)
    assert listed == sorted(main.table)
    assert "`--database FILE`" in index
    assert "`-v`, `--verbose`" in index


def test_an_option_says_once_that_it_may_be_repeated() -> None:
    for page in command_pages().values():
        assert "repeated. May be repeated" not in page


def test_the_values_of_an_option_follow_the_options() -> None:
    page = command_pages()["reference/commands/changes.md"]
    assert page.index("--category CATEGORY") < page.index("\n\nCategories: status, dates,")


def test_a_number_is_called_a_number() -> None:
    pages = command_pages()
    assert "`--limit NUMBER`" in pages["reference/commands/changes.md"]
    assert not any("INTEGER RANGE" in page for page in pages.values())


def test_an_option_shows_its_effect_and_its_default() -> None:
    @click.command()
    @click.option("--level", default="low|high", help="Lowest level | to *report*.")
    @click.option("--quiet", is_flag=True, help="Print nothing.")
    @click.option("--name", multiple=True, required=True, help="A name.")
    def example(**_: object) -> None:
        """Replaced below."""

    example.help = "Do this.\n\n\b\n  as it stands"

    group = click.Group("ctsync", commands={"example": example})
    from docs.generators.command_pages import _command_page

    page = _command_page("example", example, click.Context(group, info_name="ctsync"))
    assert "| `--level TEXT` | Lowest level \\| to \\*report\\*. Default: `low|high`. |" in page
    assert "| `--quiet` | Print nothing. |" in page
    assert "| `--name TEXT` | A name. May be repeated. Required. |" in page
    assert "```text\n  as it stands\n```" in page


def settings() -> list[tuple[str, str]]:
    found = [
        (name, key) for name, model in section_models().items() for key in model.__struct_fields__
    ]
    return [*found, *(("rules", key) for key in Thresholds.__dataclass_fields__)]


@pytest.mark.parametrize(("section", "key"), settings())
def test_every_setting_is_described(section: str, key: str) -> None:
    part = shown(settings_page).split(f"{{#{section}-{key}}}\n\n")[1].split("\n#")[0]
    text, facts = part.split("\n\n", 1)
    assert text.endswith(".")
    assert "- Type: " in facts


def test_every_section_is_described() -> None:
    assert list(texts_below_fields(Settings)) == list(Settings.__struct_fields__)


def test_a_setting_without_a_description_is_found() -> None:
    @dataclass
    class Undescribed:
        known: int = 1
        """A number."""
        new: int = 2

    with pytest.raises(ValueError, match=r"Undescribed\.new has no description"):
        texts_below_fields(Undescribed)


def test_the_environment_variables_on_the_page_are_read() -> None:
    named = re.findall(r"`(CTSYNC_(?:RULES|LOG|MIRROR)__\w+)`", shown(settings_page))
    assert len(named) > 15
    numbers = [name for name in named if name.startswith("CTSYNC_RULES__")]
    read = load(env=dict.fromkeys(numbers, "12"))
    assert read.rules == dict.fromkeys(Thresholds.__dataclass_fields__, 12)
    text = {"CTSYNC_LOG__EVENTS": "off", "CTSYNC_MIRROR__FULL_SCAN_DAYS": "3"}
    assert text.keys() <= set(named)
    assert load(env=text).log.events == "off"
    assert load(env=text).mirror.full_scan_days == 3


def test_the_file_that_init_writes_has_the_settings_of_the_page() -> None:
    shipped = (ROOT / "config" / "ctsync.toml").read_text(encoding="utf-8")
    for _, key in settings():
        assert re.search(rf"(?m)^#?{key} = ", shipped), key


def exit_codes_in_use() -> set[int]:
    tree = [found for found in vars(errors).values() if isinstance(found, type)]
    of_errors = {
        error.exit_code
        for error in [*tree, ChannelTestFailed]
        if issubclass(error, errors.CtsyncError) and error is not errors.CtsyncError
    }
    of_health = {Health(state, ()).exit_code for state in HealthState}
    of_commands = {DIFFERENCES, PARTIAL, PROBLEMS, INTERNAL_ERROR, CANNOT_WRITE, INTERRUPTED}
    return of_errors | of_health | of_commands


def test_every_exit_code_is_on_the_page() -> None:
    listed = re.findall(r"(?m)^\| `(\d+)` \|", exit_code_page())
    assert list(map(int, listed)) == sorted(exit_codes_in_use())


@pytest.mark.parametrize("name", names())
def test_every_key_of_a_schema_is_on_the_page(name: str) -> None:
    part = shown(json_page).split(f"{{#{name}}}")[1].split("\n## ")[0]
    assert f"`{schema(name)['$id']}`" in part
    assert re.findall(r"(?m)^\| `(\w+)` \|", part) == list(schema(name)["properties"])


def test_types_are_written_in_words() -> None:
    null, text = {"type": "null"}, {"type": "string"}
    assert type_text({"anyOf": [text, null]}) == "text or null"
    assert type_text({"anyOf": [text, null]}, null=False) == "text"
    assert type_text({"type": "array", "items": {"$ref": "#/$defs/Level"}}) == (
        "list of [Level](#level)"
    )
    assert type_text({"type": "number", "exclusiveMinimum": 0, "maximum": 10}) == (
        "number, at most 10, above 0"
    )
    assert type_text({"enum": ["a", "b"]}) == "`a`, `b`"


def test_the_page_about_levels_gets_every_rule_and_threshold() -> None:
    page = with_tables((ROOT / "docs" / "rules-and-levels.md").read_text(encoding="utf-8"))
    assert re.findall(r"(?m)^\| `(R-\w+-\d+)`<br>\w+ \|", page) == [rule.id for rule in RULES]
    assert set(Thresholds.__dataclass_fields__) <= set(re.findall(r"(?m)^\| `(\w+)` \|", page))
    assert "<!-- generated" not in page


def test_links_out_of_the_folder_lead_to_pages_of_the_site() -> None:
    links = "[a](../CONTRIBUTING.md) [b](https://x.org/y) [c](exports.md#csv) [d](#here)"
    assert with_site_links(links, "architecture.md", "architecture.md") == (
        "[a](contributing.md) [b](https://x.org/y) [c](exports.md#csv) [d](#here)"
    )
    links = "[a](../../config/ctsync.service) [b](teams.md)"
    assert with_site_links(links, "guides/x.md", "guides/x.md") == (
        "[a](../config/ctsync.service) [b](teams.md)"
    )
    links = "[a](docs/architecture.md#rooms) [b](docs/decisions) [c](README.md)"
    assert with_site_links(links, "../CONTRIBUTING.md", "contributing.md") == (
        "[a](architecture.md#rooms) [b](decisions/index.md) [c](index.md)"
    )


def test_no_generated_page_is_kept_in_the_checkout() -> None:
    assert [path for path in generated_pages() if (ROOT / "docs" / path).exists()] == []


def test_texts_of_the_program_are_no_markup() -> None:
    assert escape("a < b & *c* [d] `x|y` | e") == ("a &lt; b &amp; \\*c\\* \\[d\\] `x\\|y` \\| e")
    assert table(("A", "B"), [("1", "2")]) == "| A | B |\n| --- | --- |\n| 1 | 2 |\n"
