"""The mails to one recipient of three watches over real load days, received by a mail server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from ctsync.deliver.channels.email import MailChannel
from ctsync.deliver.channels.mail_message import MOST_HTML_BYTES, MOST_WELCOMES
from ctsync.deliver.outbox import drain
from ctsync.model import Kind, Level, NctId
from ctsync.questions.changes.changes import day_of_change
from ctsync.registry.api import RegistryApi
from ctsync.registry.http.transport import Transport
from ctsync.report.mail.subject import LONGEST
from ctsync.route import ChannelKind, Route
from ctsync.store.data.event_filter import EventFilter
from ctsync.store.store import Store, open_store
from ctsync.sync.trial_pass import TrialPass
from tests.conftest import StillClock
from tests.deliver.desk import watch
from tests.deliver.mailserver import running, smtp
from tests.replay.catalogue import Catalogue
from tests.replay.registry_server import ReplayRegistry

pytestmark = pytest.mark.slow

WATCHES = ("oncology", "sponsors", "competitors")
ANNA = Route(
    ChannelKind.MAIL,
    "anna@example.org",
    watches=WATCHES,
    minimum_level=Level.ROUTINE,
    welcomes=True,
)


@dataclass
class Mailbox:
    """The mails of each load day, and the store that they came from."""

    store: Store
    trials: int
    by_day: dict[str, list[EmailMessage]]

    @property
    def mails(self) -> list[EmailMessage]:
        return [mail for mails in self.by_day.values() for mail in mails]


@contextmanager
def synced(ids: Sequence[NctId], loads: Sequence[str], corpus: Path, url: str) -> Iterator[Mailbox]:
    """Sync these trials on each load day. Every second trial is in two watches."""
    clock = StillClock()
    by_day = {}
    with (
        open_store(url, clock=clock) as store,
        ReplayRegistry(Catalogue.from_folder(corpus / "days")) as registry,
        running() as server,
    ):
        for n, name in enumerate(WATCHES):
            watch(store, name, [*ids[n::3], *ids[n::6], *ids[n + 1 :: 6]], since=clock.now())
        for day in loads:
            registry.load = day
            transport = Transport(registry.url, clock=clock, requests_per_second=1000)
            api = RegistryApi(transport, clock=clock, accept_load=True)
            TrialPass(store=store, registry=api, clock=clock, routes=(ANNA,)).run(ids)
            transport.close()
            channel = MailChannel({ANNA.recipient: ANNA}, smtp(server.port))
            drain(store, {ChannelKind.MAIL: channel}, clock=clock)
            by_day[day] = list(server.mails)
            server.mails.clear()
            clock.sleep(24 * 3600)
        yield Mailbox(store, len(ids), by_day)


@pytest.fixture(scope="module")
def mailbox(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mailbox]:
    """The trials that changed, on each load day."""
    folders = sorted((corpus / "days").glob("NCT*"))
    ids = [NctId(one.name) for one in folders if len(list(one.iterdir())) > 1]
    loads = (corpus / "days/_days.txt").read_text().split()
    url = f"sqlite:///{tmp_path_factory.mktemp('mails') / 'ctsync.db'}"
    with synced(ids, loads, corpus, url) as found:
        yield found


def plain(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())


def html(mail: EmailMessage) -> str:
    part = mail.get_body(("html",))
    assert part is not None
    return str(part.get_content())


def named_trials(mail: EmailMessage) -> list[str]:
    """Return the trials that a mail has a section for, or names in the line of folded trials."""
    text = plain(mail)
    blocks = text.replace("\r\n", "\n").split("\n\n")
    folded = [one for one in blocks if re.match(r"\d+ trials? changed sites only:\s", one)]
    heads = re.findall(r"^\d+\. (NCT\d{8})", text, re.MULTILINE)
    return [*heads, *(nct_id for one in folded for nct_id in re.findall(r"NCT\d{8}", one))]


def test_the_first_sync_of_600_trials_sends_one_short_welcome(
    corpus: Path, migrated_sqlite_url: str
) -> None:
    ids = [NctId(folder.name) for folder in sorted((corpus / "days").glob("NCT*"))]
    last = (corpus / "days/_days.txt").read_text().split()[-1]
    with synced(ids, [last], corpus, migrated_sqlite_url) as found:
        (welcome,) = found.mails

    lines = plain(welcome).splitlines()
    trials = [line for line in lines if re.match(r"NCT\d{8}  ", line)]
    totals = [int(n) for n in re.findall(r"^ +(\d+)  [A-Z]", plain(welcome), re.MULTILINE)]
    print(f"welcome: {len(ids)} trials, {len(lines)} lines, {len(html(welcome)):,} bytes")
    assert welcome["Subject"] == "Now following 600 trials: oncology, sponsors, competitors"
    assert sum(totals) == len(ids) == 600
    assert len(trials) == html(welcome).count("https://clinicaltrials.gov/study/") == MOST_WELCOMES
    assert "and 550 more trials: ctsync watch show NAME --all" in plain(welcome)
    assert len(lines) < MOST_WELCOMES + 30


def test_a_recipient_of_three_watches_gets_at_most_one_mail_per_load_day(mailbox: Mailbox) -> None:
    counts = Counter(len(mails) for mails in mailbox.by_day.values())

    print(f"mails per load day: {dict(counts)}")
    assert max(counts) == 1
    assert counts[1] > 10


def test_each_change_is_mailed_exactly_once_and_each_trial_appears_once_per_mail(
    mailbox: Mailbox,
) -> None:
    changed: Counter[str] = Counter()
    for day, mails in mailbox.by_day.items():
        for mail in mails:
            heads = named_trials(mail)
            assert len(heads) == len(set(heads)), day
            changed.update(heads)
    kinds = [kind for kind in Kind if kind is not Kind.FIRST_SEEN]
    events = [
        stored
        for stored in mailbox.store.events.find(EventFilter(kinds=kinds))
        if stored.event.level is not Level.ADMINISTRATIVE
    ]
    days = {(one.nct_id, day_of_change(one)) for one in events}
    expected = Counter(nct_id for nct_id, _ in days)
    assert changed == expected


def test_a_mail_names_all_watches_of_a_trial(mailbox: Mailbox) -> None:
    named = {
        len(found.split(", "))
        for mail in mailbox.mails
        for found in re.findall(r"^   Watch(?:es)?: (.*)", plain(mail), re.MULTILINE)
    }
    assert named == {1, 2}


def test_each_subject_and_html_part_has_its_size(mailbox: Mailbox) -> None:
    longest = max(len(mail["Subject"]) for mail in mailbox.mails)
    largest = max(len(html(mail).encode()) for mail in mailbox.mails)
    for mail in mailbox.mails:
        print(mail["Subject"])
    assert longest <= LONGEST
    assert largest <= MOST_HTML_BYTES
