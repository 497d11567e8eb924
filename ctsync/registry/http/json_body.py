"""Bytes to JSON values, or BadAnswer; no network."""

from __future__ import annotations

from typing import Any

import orjson

from ctsync.errors import BadAnswer
from ctsync.model import JsonObject


def parse_json(body: bytes) -> Any:
    """Read a body that is one whole JSON value which can be written again as it is.

    orjson refuses what is cut short, followed by anything, no UTF-8, NaN or Infinity, half of a
    surrogate pair, a number past the largest double, nesting past 1,024. It reads up to 1,024
    levels and writes 254, so writing is tried too: what passes here can be stored. Of a repeated
    key the last value counts; an integer past 64 bits becomes the nearest double. Raises BadAnswer.
    """
    try:
        value = orjson.loads(body)
        orjson.dumps(value)
    except (ValueError, TypeError, RecursionError) as error:  # both orjson errors are one of these
        raise BadAnswer(f"an answer of {len(body)} bytes is not usable JSON: {error}") from error
    return value


def as_object(value: Any) -> JsonObject:
    """The value if it is a JSON object; raises BadAnswer."""
    if not isinstance(value, dict):
        raise BadAnswer(f"an answer is JSON, but a {type(value).__name__} and no object")
    return value
