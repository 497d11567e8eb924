"""The attack corpus against each sink, checked by a program that the attack could affect."""

import csv
import email
import html.parser
import io
import logging
import re
import xml.etree.ElementTree as ET
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.policy import default as modern
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import Environment
from rich.console import Console
from rich.text import Text

from ctsync import text
from tests.security.attacks import ATTACKS

any_text = st.text(st.characters(codec=None), max_size=60)


def test_the_corpus_is_large_and_without_repeats():
    assert len(ATTACKS) == len(set(ATTACKS)) >= 200


def _sent(subject: str) -> Any:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = text.for_header(subject)
    message["From"] = Address(
        text.for_header(subject)[:60] or "ctsync", addr_spec="from@example.org"
    )
    message["To"] = Address(addr_spec="to@example.org")
    message.set_content("body")
    return email.message_from_bytes(message.as_bytes(), policy=modern)


def _assert_header_is_inert(attack: str) -> None:
    read = _sent(attack)
    headers = [name.lower() for name in read.keys()]  # noqa: SIM118  keys() keeps repeats
    assert sorted(headers) == sorted(
        ["subject", "from", "to", "content-type", "content-transfer-encoding", "mime-version"]
    )
    assert [a.addr_spec for a in read["To"].addresses] == ["to@example.org"]
    assert [a.addr_spec for a in read["From"].addresses] == ["from@example.org"]
    assert read.get_content().strip() == "body"
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", str(read["Subject"]))


@pytest.mark.slow
def test_no_attack_adds_a_header_or_a_recipient(capsys):
    for attack in ATTACKS:
        _assert_header_is_inert(attack)
    with capsys.disabled():
        print(f"\nheaders: {len(ATTACKS)} attacks, 0 extra headers, 0 extra recipients")


@given(any_text)
def test_no_text_adds_a_header_or_a_recipient(value):
    _assert_header_is_inert(value)


class _Tags(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.texts: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, attrs))

    def handle_data(self, data):
        self.texts.append(data)


PAGE = Environment(autoescape=True).from_string('<p title="{{ remote }}">{{ remote }}</p>')


def _assert_markup_is_inert(attack: str) -> None:
    page = PAGE.render(remote=text.for_markup(attack))
    tags = _Tags()
    tags.feed(page)
    tags.close()
    assert [(tag, [name for name, _ in attrs]) for tag, attrs in tags.seen] == [("p", ["title"])]
    assert "".join(tags.texts) == text.for_markup(attack)
    assert ET.fromstring(page).tag == "p"  # feeds need well-formed XML


def test_no_attack_becomes_a_tag_or_an_attribute(capsys):
    for attack in ATTACKS:
        _assert_markup_is_inert(attack)
    with capsys.disabled():
        print(f"\nmarkup: {len(ATTACKS)} attacks, 0 tags, 0 attributes from data")


@given(any_text)
def test_no_text_becomes_a_tag_or_an_attribute(value):
    _assert_markup_is_inert(value)


def _reread(cells: list[str], delimiter: str) -> list[str]:
    """Return the cells as a spreadsheet with the given separator reads them."""
    written = io.StringIO()
    csv.writer(written, quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    read = csv.reader(io.StringIO(written.getvalue(), newline=""), delimiter=delimiter)
    return [cell for row in read for cell in row]


def _runs(cell: str) -> bool:
    bare = cell.strip("\"'\u201c\u201d\u200b\ufeff \xa0\t\r\n")
    return not cell.startswith("'") and bare[:1] in set("=+-@＝＋－＠﹦﹢﹣") - {""}


def test_no_attack_becomes_a_formula(capsys):
    for attack in ATTACKS:
        cells = _reread([text.for_csv(attack), "x"], ",")
        assert len(cells) == 2
        assert not _runs(cells[0])
        first_cell_with_semicolons = _reread([text.for_csv(attack)], ";")[0]
        assert not _runs(first_cell_with_semicolons)
    with capsys.disabled():
        print(f"\nspreadsheet: {len(ATTACKS)} attacks, 0 formulas")


def test_no_attack_controls_a_terminal(capsys):
    for attack in ATTACKS:
        screen = io.StringIO()
        console = Console(file=screen, force_terminal=True, color_system="standard", width=10_000)
        console.print(Text(text.for_terminal(attack), style="red"), soft_wrap=True)
        shown = re.sub(r"\x1b\[(?:31|0)?m", "", screen.getvalue())  # remove our own colour
        assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", shown)
        assert not re.search(r"[\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", shown)
    with capsys.disabled():
        print(f"\nterminal: {len(ATTACKS)} attacks, 0 control characters except our own colour")


def test_no_attack_forges_a_log_line(capsys):
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    log = logging.getLogger("ctsync.attacked")
    log.propagate = False
    log.setLevel(logging.INFO)
    log.addHandler(handler)
    for attack in ATTACKS:
        log.info("title=%s", text.for_log(attack))
    written = lines.getvalue().splitlines()
    assert len(written) == len(ATTACKS)
    assert all(line.startswith("title=") for line in written)
    with capsys.disabled():
        print(f"\nlog: {len(ATTACKS)} attacks, {len(written)} lines, 0 forged")


def test_no_attack_leaves_its_folder(tmp_path, capsys):
    for attack in ATTACKS:
        place = (tmp_path / text.for_filename(attack)).resolve()
        assert place.parent == tmp_path.resolve()
        place.write_text("x")
    with capsys.disabled():
        print(f"\nfile names: {len(ATTACKS)} attacks, 0 outside their folder")
