"""Parsing of NCT ids, and the likely ids of a mistyped one. Does no I/O."""

from __future__ import annotations

import re
from itertools import pairwise

from ctsync.errors import BadNctId
from ctsync.model import NctId

_NCT_ID = re.compile(r"(nct)?(\d+)\Z", re.IGNORECASE | re.ASCII)
_DIGITS = 8
# blanks, hyphens and dashes as word processors write them, and marks that nobody sees
_SEPARATORS = re.compile("[\\s\u00ad\u200b\u2010-\u2015\u2212\ufeff-]+")
_MOST_LIKELY = 3


def parse_nct_id(text: str) -> NctId:
    """Parse an NCT id: NCT and eight digits, in any case, also with blanks and hyphens.

    Any other number of digits is refused, although the registry adds or drops zeros: a mistyped id
    would name another trial. Raises BadNctId, which names the likely ids.
    """
    found = _NCT_ID.match(_SEPARATORS.sub("", text))
    digits = found[2] if found else ""
    is_full = len(digits) == _DIGITS and digits.strip("0") != ""
    if found and found[1] and is_full:
        return NctId(f"NCT{digits}")
    likely = " or ".join(_likely_ids(digits))
    count = "1 digit" if len(digits) == 1 else f"{len(digits)} digits"
    if is_full:
        reason = f"did you mean {likely}?"
    elif found and found[1] and likely:
        reason = f"it has {count}, not eight; did you mean {likely}?"
    else:
        reason = "write NCT and eight digits, as in NCT03389919"
    raise BadNctId(f"{text!r} is not an NCT id: {reason}")


def _likely_ids(digits: str) -> list[str]:
    """Return the ids that a number with too few or too many digits may stand for, lowest first.

    Adds or drops zeros at the front, or drops one of two equal digits in a row.
    """
    number = digits.lstrip("0")
    found = {number.zfill(_DIGITS)} if 0 < len(number) <= _DIGITS else set()
    if len(digits) == _DIGITS + 1 and not digits.startswith("00"):
        pairs = pairwise(digits)
        found |= {digits[:n] + digits[n + 1 :] for n, (one, two) in enumerate(pairs) if one == two}
    return [f"NCT{one}" for one in sorted(found) if one.strip("0")][:_MOST_LIKELY]
