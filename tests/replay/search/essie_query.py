"""A subset of the registry's Essie query language, evaluated exactly. Uses no sockets.

Supported expressions:

- `AND`, `OR`, `NOT` in upper case, and parentheses. NOT binds closest, then AND, then OR.
- Words and "quoted phrases", without regard to case and punctuation. The words of a phrase must
  follow each other in one value. If there are several words or phrases, the area must contain
  each of them. There are no synonyms, stems or misspellings: the real registry finds more.
- `AREA[name]` before a term or a parenthesis; `name` is a piece or a search area.
- `COVERAGE[FullMatch|StartsWith|EndsWith|Contains]` before a term; `EXPANSION[None]`.
- `RANGE[a, b]` on dates and numbers, both ends included, with MIN and MAX. A month or a year
  counts as its first day.
- A date, number, boolean or enumerated value on a piece of that type.
- `MISSING`, and `AREA[piece:size]` with a number or a RANGE.

Every other expression is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ctsync.dates import PartialDate
from ctsync.model import JsonObject
from tests.replay.http_messages import Refusal, unsupported
from tests.replay.search.pieces import Piece, area, is_single

Test = Callable[[JsonObject], bool]
"""Whether a study matches."""

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<operator>AREA|RANGE|COVERAGE|EXPANSION|SEARCH|DISTANCE|TILT)\[(?P<operand>[^\[\]]*)\]
    | (?P<mark>[()])
    | "(?P<phrase>(?:[^"\\]|\\.)*)"
    | (?P<word>(?:[^\s()"\[\]\\]|\\.)+)
    | (?P<stray>\S)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(.)")
_WORD = re.compile(r"\w+")
_KEYWORDS = ("AND", "OR", "NOT", "MISSING", "ALL")


def parse(text: str, *, default_area: str, where: str) -> Test:
    """Parse a query. `where` names the parameter in error texts. Raises Refusal."""
    default = area(default_area)
    if default is None:
        raise unsupported(f"the search area `{default_area}`")
    reader = _Reader(_tokens(text), where)
    test = reader.any_of(_Scope(default))
    if reader.here.kind != "end":
        raise reader.mismatch()
    return test


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    operand: str = ""


_END = _Token("end", "<EOF>")


def _tokens(text: str) -> list[_Token]:
    tokens = []
    for found in _TOKEN.finditer(text):
        if found["operator"]:
            tokens.append(_Token(found["operator"], found.group().strip(), found["operand"]))
        elif found["phrase"] is not None:
            tokens.append(_Token("phrase", _ESCAPE.sub(r"\1", found["phrase"])))
        elif found["word"] in _KEYWORDS:
            tokens.append(_Token(found["word"], found["word"]))
        elif found["word"]:
            tokens.append(_Token("word", _ESCAPE.sub(r"\1", found["word"])))
        else:
            stray = found["mark"] or found["stray"]
            tokens.append(_Token(stray, stray))
    return tokens


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where to look for a term, and how it must match."""

    pieces: tuple[Piece, ...]
    coverage: str = "Contains"
    of_size: bool = False


class _Reader:
    """A recursive descent parser with one method per level of precedence."""

    def __init__(self, tokens: Sequence[_Token], where: str) -> None:
        self._tokens = tokens
        self._at = 0
        self._where = where

    @property
    def here(self) -> _Token:
        return self._tokens[self._at] if self._at < len(self._tokens) else _END

    def _take(self, kind: str) -> bool:
        if self.here.kind != kind:
            return False
        self._at += 1
        return True

    def refuse(self, why: str) -> Refusal:
        return Refusal(f"Error parsing query in {self._where}: {why}")

    def mismatch(self) -> Refusal:
        return self.refuse(f"mismatched input '{self.here.text}'")

    def any_of(self, scope: _Scope) -> Test:
        tests = [self.all_of(scope)]
        while self._take("OR"):
            tests.append(self.all_of(scope))
        return tests[0] if len(tests) == 1 else lambda study: any(t(study) for t in tests)

    def all_of(self, scope: _Scope) -> Test:
        tests = [self.one(scope)]
        while self._take("AND"):
            tests.append(self.one(scope))
        return tests[0] if len(tests) == 1 else lambda study: all(t(study) for t in tests)

    def one(self, scope: _Scope) -> Test:
        if self._take("NOT"):
            test = self.one(scope)
            return lambda study: not test(study)
        if self._take("("):
            inner = self.any_of(scope)
            if not self._take(")"):
                raise self.mismatch()
            return inner
        if self._take("ALL"):
            return lambda _: True
        if self._take("MISSING"):
            return lambda study: not any(piece.of(study) for piece in scope.pieces)
        if self.here.kind in ("word", "phrase"):
            return self._term(scope)
        return self._operator(scope)

    def _operator(self, scope: _Scope) -> Test:
        token = self.here
        self._at += 1
        match token.kind:
            case "AREA":
                return self.one(self._scope_of(token.operand.strip()))
            case "RANGE":
                return self._range(token, scope)
            case "COVERAGE" if token.operand in _COVERAGES:
                return self.one(replace(scope, coverage=token.operand))
            case "EXPANSION" if token.operand == "None":
                return self.one(scope)
            case "COVERAGE" | "EXPANSION" | "SEARCH" | "DISTANCE" | "TILT":
                raise unsupported(f"`{token.text}` in a query")
            case _:
                self._at -= 1
                raise self.mismatch()

    def _scope_of(self, operand: str) -> _Scope:
        name, colon, modifier = operand.partition(":")
        pieces = area(name)
        if pieces is None:
            raise self.refuse(f"Unknown area name: '{name}'")
        if not colon:
            return _Scope(pieces)
        if modifier != "size" or not (pieces[0].is_list and is_single(pieces[0])):
            raise unsupported(f"`AREA[{operand}]`")
        return _Scope(pieces, of_size=True)

    def _term(self, scope: _Scope) -> Test:
        terms = []
        while self.here.kind in ("word", "phrase"):
            terms.append(self.here.text)
            self._at += 1
        if scope.of_size or (len(scope.pieces) == 1 and scope.pieces[0].type not in _TEXTS):
            return self._exactly(" ".join(terms), scope)
        covers = _COVERAGES[scope.coverage]
        whole = scope.coverage != "Contains"
        wanted = [_words(term) for term in ([" ".join(terms)] if whole else terms)]
        if not all(wanted):
            raise self.refuse("a term without a word")

        def test(study: JsonObject) -> bool:
            found = [_words(str(value)) for piece in scope.pieces for value in piece.of(study)]
            return all(any(covers(value, term) for value in found) for term in wanted)

        return test

    def _exactly(self, text: str, scope: _Scope) -> Test:
        piece = scope.pieces[0]
        if scope.of_size or piece.type in _NUMBERS:
            number = self._number(text)
            return lambda study: number in _numbers(study, scope)
        if piece.type == "date":
            day = self._date(text)
            return lambda study: any(day.first <= d.first <= day.last for d in _dates(study, piece))
        if piece.type == "enum":
            if text not in piece.values:
                allowed = ", ".join(piece.values)
                raise self.refuse(f"Allowed values for enum field `{piece.name}` are {allowed}")
            return lambda study: text in piece.of(study)
        if piece.type == "boolean" and text in ("true", "false"):
            return lambda study: (text == "true") in piece.of(study)
        raise unsupported(f"`{text}` in the area `{piece.name}`")

    def _range(self, token: _Token, scope: _Scope) -> Test:
        low, comma, high = (part.strip() for part in token.operand.partition(","))
        if not comma:
            raise self.refuse(f"mismatched input '{token.text}'")
        piece = scope.pieces[0]
        if scope.of_size or piece.type in _NUMBERS:
            least = float("-inf") if low == "MIN" else self._number(low)
            most = float("inf") if high == "MAX" else self._number(high)
            return lambda study: any(least <= n <= most for n in _numbers(study, scope))
        if len(scope.pieces) == 1 and piece.type == "date":
            first = self._date("0001" if low == "MIN" else low).first
            last = self._date("9999" if high == "MAX" else high).last
            return lambda study: any(first <= d.first <= last for d in _dates(study, piece))
        raise unsupported(f"`{token.text}` in the area `{piece.name}`")

    def _number(self, text: str) -> float:
        try:
            return float(text)
        except ValueError:
            raise self.refuse(f"mismatched input '{text}'") from None

    def _date(self, text: str) -> PartialDate:
        day = PartialDate.parse(text)
        if day is None:
            raise self.refuse(f"mismatched input '{text}'")
        return day


def _numbers(study: JsonObject, scope: _Scope) -> list[float]:
    values = scope.pieces[0].of(study)
    return [len(values)] if scope.of_size else values


def _dates(study: JsonObject, piece: Piece) -> list[PartialDate]:
    days = (PartialDate.parse(value[: len("2018-01-04")]) for value in piece.of(study))
    return [day for day in days if day is not None]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _contains(value: list[str], run: list[str]) -> bool:
    return any(value[at : at + len(run)] == run for at in range(len(value) - len(run) + 1))


_TEXTS = ("text", "nct")
_NUMBERS = ("integer", "number")
_COVERAGES: dict[str, Callable[[list[Any], list[Any]], bool]] = {
    "FullMatch": lambda value, run: value == run,
    "StartsWith": lambda value, run: value[: len(run)] == run,
    "EndsWith": lambda value, run: value[len(value) - len(run) :] == run,
    "Contains": _contains,
}
