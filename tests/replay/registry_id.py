"""NCT ids as the registry itself reads them: it fills up missing zeros, and drops extra ones."""

from __future__ import annotations

import re

from ctsync.errors import BadNctId
from ctsync.model import NctId

# the pattern of its OpenAPI document 2.0.5
_ID = re.compile(r"nct0*([1-9]\d{0,7})\Z", re.IGNORECASE | re.ASCII)


def read_registry_id(text: str) -> NctId:
    """The id that a text of any such form stands for. Raises BadNctId."""
    found = _ID.match(text)
    if found is None:
        raise BadNctId(text)
    return NctId(f"NCT{int(found[1]):08d}")
