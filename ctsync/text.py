r"""Makes remote text safe for the place where it is shown. Pure, no I/O.

There is one function per sink. Each is the last step before a text leaves ctsync:

    for_terminal   characters that control a terminal, hide or reorder text become escapes: \x1b
    for_log        the same, and a value is always a single line
    for_header     mail headers: one line, no control character, no encoded word
    for_markup     HTML and XML: only permitted characters; the template escapes < and &
    for_chat       the same on one line, without a mention, and without a link under another name
    for_csv        a cell that a spreadsheet would run as a formula gets a leading apostrophe
    for_filename   letters, digits, dot, dash and underscore
    for_model      the same as for_terminal, on several lines: a language model reads hidden
                   characters that people do not see

Terminal, log and model show the escaped characters, so that people see that a record is unusual:
ESC becomes the four characters \x1b, a right-to-left override the six characters \u202e. Records
in the database, JSON and Parquet are not changed, because there text is only data.

Two more functions help with messages: `shorten` cuts a text, `nearest` suggests a similar name.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable

# Controls C0, DEL and C1 except tab and newline; line and paragraph separators; lone surrogates,
# which cannot be encoded; the two noncharacters. No sink lets these through.
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff"
# Marks that change the direction of the text around them (Trojan Source, CVE-2021-42574).
_TURNING = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
# Invisible characters, which may hide text or make two texts look alike: the other format
# characters of Unicode (Cf), and fillers and joiners that are blank by definition.
_INVISIBLE = (
    "\xad\u034f\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200d\u2060-\u2065\u206a-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001345f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
)

_BLOCK = re.compile(f"[{_CONTROLS}{_TURNING}{_INVISIBLE}]")
_LINE = re.compile(f"[\t\n{_CONTROLS}{_TURNING}{_INVISIBLE}]")
_CELL = re.compile(f"[{_CONTROLS}]")
_PAGE = re.compile(f"[{_CONTROLS}{_TURNING}\U000e0000-\U000e0fff]")
_BREAKS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BLANKS = re.compile(r"[\s\x1c-\x1f\x85\u2028\u2029]+")
# What chat services read as a mention or as a link under another name: @here, @anna, <!channel>,
# <@U123>, <#C123>, [name](url), <url|name>. An address such as a@b.example stays as it is;
# @everyone counts even within a word.
_CALL = re.compile(
    r"@(?=here|channel|everyone|all\b)|(?<!\w)@(?=\S)|<(?=[@!#]|\w+:)|\](?=[(\[:])", re.IGNORECASE
)
_JOINER = "\N{WORD JOINER}"
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
# characters that a spreadsheet skips before it looks for a formula
_BEFORE_FORMULA = re.compile(f"[\\s\"'`\u2018-\u201f{_CONTROLS}{_TURNING}{_INVISIBLE}]*")
_SHORT_ESCAPES = {"\t": r"\t", "\n": r"\n", "\r": r"\r"}
_RESERVED_ON_WINDOWS = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def for_terminal(text: str, *, multiline: bool = False) -> str:
    """Return a text that is safe on a terminal; with `multiline`, keep line breaks and tabs."""
    if multiline:
        return _BLOCK.sub(_escaped, text.replace("\r\n", "\n"))
    return _LINE.sub(_escaped, text)


def for_log(text: str) -> str:
    """Return a text that is safe in a log line and cannot end it."""
    return for_terminal(text)


def for_header(text: str) -> str:
    """Return a text as the value of a mail header: one line without hidden content.

    Whitespace becomes one space; any other character that a header must not contain becomes U+FFFD.
    An encoded word (=?utf-8?…?=) is broken up, because it could decode to any text.
    """
    one_line = _BLANKS.sub(" ", text).strip()
    return _LINE.sub("\ufffd", one_line).replace("=?", "= ?")


def for_markup(text: str) -> str:
    """Return a text as content of HTML or XML; the template or library must still escape it.

    Line breaks of every kind become a newline. Controls, and marks that would reorder the page
    around them, become U+FFFD. Joiners, which some scripts need, are kept.
    """
    return _PAGE.sub("\ufffd", _BREAKS.sub("\n", text))


def for_chat(text: str) -> str:
    """Return a text on one line that a chat service shows without a mention or a named link.

    An invisible character breaks them up. Text that the service reads as bold stays.
    """
    return _CALL.sub(rf"\g<0>{_JOINER}", " ".join(for_markup(text).split()))


def for_csv(text: str) -> str:
    """Return a text as a CSV cell that no spreadsheet runs as a formula; numbers stay numbers.

    A guarded cell begins with an apostrophe. Write the file with the csv module and
    QUOTE_NONNUMERIC, so that no other separator can split a cell in two.
    """
    cell = _CELL.sub(_escaped, _BREAKS.sub("\n", text))
    if _NUMBER.fullmatch(cell):
        return cell
    start = _BEFORE_FORMULA.match(cell)
    first = cell[start.end() : start.end() + 1] if start else ""
    runs = bool(first) and unicodedata.normalize("NFKC", first)[0] in "=+-@"
    return f"'{cell}" if runs or cell[:1] in {"\t", "\n"} else cell


def for_filename(text: str) -> str:
    """Return a file name of at most 100 characters, valid on every system; never empty."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", plain)[:100].strip("._- ")
    return f"_{name}" if not name or _RESERVED_ON_WINDOWS.fullmatch(name) else name


def for_model(text: str) -> str:
    """Return a text for a language model, without characters that people do not see.

    Line breaks and tabs are kept. The caller puts the text into a JSON value, which marks it as
    data.
    """
    return for_terminal(text, multiline=True)


def shorten(text: str, width: int) -> str:
    """Cut a text to at most `width` characters, with a note at the end: "… (+812 characters)".

    If the width is too small for the note, the result is only the note.
    """
    if len(text) <= width:
        return text
    kept = width
    while kept > 0 and kept + len(_cut_note(len(text) - kept)) > width:
        kept -= 1
    while kept > 0 and unicodedata.combining(text[kept]):
        kept -= 1  # do not separate an accent from its letter
    return text[:kept].rstrip() + _cut_note(len(text) - len(text[:kept].rstrip()))


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name: a similar name, or all names."""
    names = list(known)
    if close := nearest_words(word, names):
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(sorted(names))}"


def nearest_words(
    word: str, known: Iterable[str], *, most: int = 1, likeness: float = 0.6
) -> list[str]:
    """Return the known words similar to `word`, the most similar first; ignores case."""
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(word.lower(), by_lower, n=most, cutoff=likeness)
    return [by_lower[lower] for lower in close]


def _cut_note(count: int) -> str:
    return f"… (+{count} character{'' if count == 1 else 's'})"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return _SHORT_ESCAPES.get(character, f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}")
