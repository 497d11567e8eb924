"""An answer from the registry, its JSON, and counts of requests sent. Does no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ctsync.errors import BadAnswer
from ctsync.model import JsonObject


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer. `headers` ignores case."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def media_type(self) -> str:
        """The content type without its parameters, in lower case; empty if none was sent."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text; invalid UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class RequestCounts:
    """The number of requests sent so far, and the number of retries among them."""

    requests: int = 0
    retries: int = 0


def parse_json(body: bytes) -> Any:
    """Read a body that is exactly one JSON value and can be stored. Raises BadAnswer.

    orjson refuses a truncated body, trailing text, bad UTF-8, NaN, Infinity, half a surrogate
    pair, a number beyond a double, and nesting deeper than 1,024. It reads 1,024 levels but
    writes only 254, so each study is also written once here. The last of repeated keys wins; an
    integer beyond 64 bits becomes the nearest double.
    """
    try:
        value = orjson.loads(body)
        for part in _parts(value):
            orjson.dumps(part)
    except (ValueError, TypeError, RecursionError) as error:  # orjson raises subclasses of these
        raise BadAnswer(f"an answer of {len(body)} bytes is not usable JSON: {error}") from error
    return value


def _parts(value: Any) -> Iterator[Any]:
    """Yield the studies of a page one by one, and any other value as it is.

    Written at once, a page of 8 MB takes another 16 MB.
    """
    studies = value.get("studies") if isinstance(value, dict) else None
    if isinstance(studies, list):
        yield from studies
        value = {**value, "studies": None}
    yield value


def as_object(value: Any) -> JsonObject:
    """Return the value if it is a JSON object. Raises BadAnswer otherwise."""
    if not isinstance(value, dict):
        raise BadAnswer(f"an answer is JSON, but a {type(value).__name__} instead of an object")
    return value
