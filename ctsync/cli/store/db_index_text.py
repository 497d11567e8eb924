"""`db index-text`: build or delete the text index."""

from __future__ import annotations

import click

from ctsync.cli.app import App, pass_app
from ctsync.cli.output import show_json, tell
from ctsync.questions.results.database_rows import TextIndexRow
from ctsync.record.value_text import counted
from ctsync.store.derived.text_index import TextDetail
from ctsync.store.derived.text_index_build import build_text_index, drop_text_index


@click.command("index-text")
@click.option("--drop", is_flag=True, help="Delete the index.")
@click.option(
    "--detail",
    type=click.Choice([one.value for one in TextDetail]),
    help="What to keep: full (words and their order, the default), words, or names.",
)
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON.")
@pass_app
def index_text(app: App, *, drop: bool, detail: str | None, as_json: bool) -> None:
    """Build the index of words that `ctsync find` searches.

    Without it, `find` reads every record to compare conditions, keywords, interventions, sites,
    eligibility criteria and outcome measures. With it, each new version is indexed when it is
    stored. The index makes the database larger, and storing a version slower; see the guide "The
    whole registry". You may interrupt it at any time and run it again: it continues.

    With --detail words the index is smaller. It does not know the order of words, so for words in
    double quotes, and for words with punctuation such as anti-PD-1, `find` reads the records that
    have all the words. With --detail names it also leaves out eligibility criteria and outcome
    measures: for these, `find` reads all records that meet the other conditions. The answers are
    the same. Another detail builds the index again.
    """
    with app.writable_store(create=False) as store:
        if drop:
            was_there = drop_text_index(store)
            tell("the text index is deleted" if was_there else "there is no text index")
            return
        size = build_text_index(
            store,
            None if detail is None else TextDetail(detail),
            progress=lambda done, of: tell(f"indexed {done:,} of {counted(of, 'record')}"),
        )
    if as_json:
        show_json(TextIndexRow(size.records, size.texts, size.damaged, size.bytes))
    if size.damaged:
        tell(f"{counted(size.damaged, 'damaged record')} left out; see: ctsync check")
    changed = "grew" if size.bytes >= 0 else "shrank"
    tell(
        f"the text index has {counted(size.records, 'record')} and {counted(size.texts, 'text')}; "
        f"the database {changed} by {abs(size.bytes):,} bytes"
    )
