"""The records that a search reads: to compare them with conditions, and for the texts it shows."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import orjson

from ctsync.errors import CorruptBody
from ctsync.model import JsonObject
from ctsync.record.rules.conditions import FieldCondition
from ctsync.record.rules.record_search import RecordCondition, record_items
from ctsync.store.derived.searched_versions import Candidate
from ctsync.store.derived.text_index import TextDetail
from ctsync.store.derived.text_matches import is_decided
from ctsync.store.store import Store

log = logging.getLogger(__name__)


class SearchedRecords:
    """Reads records for a search. Each record is read once in a row.

    `compared` are the conditions on record fields that the text index does not decide.
    """

    def __init__(
        self,
        store: Store,
        conditions: Sequence[RecordCondition],
        compared: Sequence[RecordCondition],
    ) -> None:
        self._store = store
        self._conditions = conditions
        self._compared = compared
        self._last: tuple[str, JsonObject | None] | None = None
        self._loaded: Mapping[str, bytes] = {}

    @classmethod
    def of(
        cls, store: Store, conditions: Sequence[FieldCondition], detail: TextDetail | None
    ) -> SearchedRecords:
        """Prepare the conditions of a search with an index of this detail, or without one."""
        of_record = [RecordCondition.of(one) for one in conditions if one.term.is_of_record]
        undecided = [one for one in of_record if detail is None or not is_decided(one, detail)]
        return cls(store, of_record, undecided)

    @property
    def compares(self) -> bool:
        """Whether records must be read to know which versions match."""
        return bool(self._compared)

    def meet(self, version: Candidate) -> bool:
        """Whether the record of a version meets the conditions that are compared."""
        if not self._compared:
            return True
        body = self._body(version)
        if body is None:
            return all(one.condition.denies for one in self._compared)
        return all(one.holds(record_items(body, one.condition.term)) for one in self._compared)

    def values(self, version: Candidate) -> dict[str, list[str]]:
        """Return the texts of a version that match, by field."""
        body = self._body(version) if self._conditions else None
        found: dict[str, set[str]] = {}
        for one in self._conditions:
            term = one.condition.term
            if body is not None and not term.is_long:
                texts = found.setdefault(term.name, set())
                if not one.condition.denies:
                    texts.update(one.matching(record_items(body, term)))
        return {name: sorted(texts) for name, texts in found.items()}

    def load(self, versions: Sequence[Candidate]) -> None:
        """Read the records of versions at once, because that is faster than one by one."""
        if self._conditions:
            digests = {one.digest for one in versions if one.digest is not None}
            self._loaded = self._store.bodies.read_many(digests)

    def _body(self, version: Candidate) -> JsonObject | None:
        if version.digest is None:
            return None
        if self._last is None or self._last[0] != version.digest:
            self._last = version.digest, self._read(version, version.digest)
        return self._last[1]

    def _read(self, version: Candidate, digest: str) -> JsonObject | None:
        raw = self._loaded.get(digest)
        try:
            body: JsonObject = orjson.loads(raw or self._store.bodies.read(digest))
        except CorruptBody:
            # one damaged record must not hide the other trials
            lost = "record was left out of the search" if self._compared else "record has no values"
            log.warning("%s: a damaged %s; see: ctsync check", version.nct_id, lost)
            return None
        return body
