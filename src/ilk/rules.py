"""The rule language: comparisons of named parts with constants, joined by `and`. It is read, never evaluated."""
from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from unicodedata import east_asian_width

from .errors import UsageError

Value = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Test:
    """One comparison of one named part with a constant; all that a hard Given is made of."""

    part: str
    sign: str
    value: Value | tuple[Value, ...]
    __test__ = False

    def holds(self, value: Any) -> bool:
        """Whether a raw value obeys; a missing one obeys only `== None`, and `!= None` means that it is there."""
        if self.value is None:
            return (value is None) == (self.sign == "==")
        if value is None:
            return False
        try:
            return bool(_SIGNS[self.sign](value, self.value))
        except TypeError:
            raise UsageError(f"`{self.part}` holds {type(value).__name__}: {self.sign} {self.value!r} means nothing", code="RULE_TYPE") from None

    def __str__(self) -> str:
        name = self.part if re.fullmatch(r"[^\W\d]\w*", self.part) and self.part not in _WORDS else "`" + self.part.replace("`", "``") + "`"
        if isinstance(self.value, tuple):
            return f"{name} {self.sign} [{', '.join(map(_written, self.value))}]"
        return f"{name} {self.sign} {_written(self.value)}"


def _written(value: Value) -> str:
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


_WORDS = ("and", "or", "in", "not", "None", "True", "False")
_SIGNS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "in": lambda value, options: value in options, "not in": lambda value, options: value not in options}
_TOKEN = re.compile(r"""\s*(?:(?P<quoted>`(?:[^`]|``)+`)|(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")
    |(?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<sign>[<>=!]=|[<>])|(?P<mark>[\[\](),])|(?P<word>[^\W\d]\w*))""", re.VERBOSE)
_MOST = 65_536


def rule_error(rule: str, at: int, wanted: str) -> UsageError:
    """A rule that can't be read, with a caret at the place: under it where letters are wide, too."""
    shown = "".join(c if c.isprintable() else " " if c.isspace() else "\ufffd" for c in rule)
    left = sum(2 if east_asian_width(c) in "WF" else 1 for c in shown[:at])
    return UsageError(f"the rule can't be read: wanted {wanted}\n  {shown}\n  {' ' * left}^", code="RULE", param="given")


def parse(rule: str) -> tuple[Test, ...]:
    """The comparisons of a rule: NAME SIGN CONSTANT, NAME [not] in [CONSTANTS], joined by `and`.

    >>> parse("`hours per week` < 20 and city == 'Lyon'")[1]
    Test(part='city', sign='==', value='Lyon')
    """
    if len(rule) > _MOST:
        raise UsageError(f"a rule of {len(rule)} characters; the limit is {_MOST}", code="RULE", param="given")
    return Reader(rule).tests()


def _wanted(found: str) -> str:
    """What stands for a character that begins nothing."""
    if found == "=":
        return "'==' (a single '=' compares nothing)"
    if found in ("'", '"', "`"):
        return f"a closing {found}"
    return "a sign such as == or < (a name with other characters than letters, digits and _ goes in `backticks`)" if found else "more of a rule"


class Reader:
    """Recursive descent over the tokens of one rule, or of anything that has rules in it."""

    def __init__(self, rule: str) -> None:
        self.rule, self.at, self.start = rule, 0, 0

    def tests(self) -> tuple[Test, ...]:
        """Comparisons joined by `and`."""
        found = [self.test()]
        while self.rule[self.at:].strip():
            if self.next() != ("word", "and"):
                raise rule_error(self.rule, self.start, "'and' (there is no 'or': ask twice, or use `in`)")
            found.append(self.test())
        return tuple(found)

    def test(self) -> Test:
        """One comparison."""
        name, sign = self.name(), self.next()
        if sign[0] == "sign":
            test = Test(name, sign[1], self.constant())
            if test.value is None and test.sign not in ("==", "!="):
                raise rule_error(self.rule, self.start, "a number or a text (None goes with == and != only)")
            return test
        if sign == ("word", "not"):
            self.expect("word", "in")
            return Test(name, "not in", self.constants())
        if sign == ("word", "in"):
            return Test(name, "in", self.constants())
        raise rule_error(self.rule, self.start, "one of == != < <= > >= in")

    def name(self) -> str:
        """The name of a part."""
        kind, text = self.next()
        if kind not in ("word", "quoted") or text in _WORDS:
            raise rule_error(self.rule, self.start, "the name of a column (in `backticks` if it has spaces)")
        return text[1:-1].replace("``", "`") if kind == "quoted" else text

    def constant(self) -> Value:
        """A number, a text, True, False or None."""
        kind, text = self.next()
        if kind == "text":
            return text[1:-1].replace(text[0] * 2, text[0])
        if kind == "word" and text in ("None", "True", "False"):
            return {"None": None, "True": True, "False": False}[text]
        if kind != "number":
            raise rule_error(self.rule, self.start, "a number, a 'text' in quotes, True, False or None")
        number = float(text) if len(text) > 310 or re.search(r"[.eE]", text) else int(text)
        if abs(number) > 1e300:
            raise rule_error(self.rule, self.start, "a number below 1e300")
        return number

    def constants(self) -> tuple[Value, ...]:
        """Constants in brackets."""
        self.expect("mark", "[")
        found = [self.constant()]
        while (mark := self.next()) == ("mark", ","):
            found.append(self.constant())
        if mark != ("mark", "]"):
            raise rule_error(self.rule, self.start, "',' or ']'")
        return tuple(found)

    def next(self) -> tuple[str, str]:
        """The kind and text of the next token; UsageError where there is none."""
        got = _TOKEN.match(self.rule, self.at)
        self.start = len(self.rule) - len(self.rule[self.at:].lstrip())
        if got is None or got.lastgroup is None:
            raise rule_error(self.rule, self.start, _wanted(self.rule[self.start:self.start + 1]))
        self.at = got.end()
        return got.lastgroup, got[got.lastgroup]

    def expect(self, kind: str, text: str) -> None:
        """The next token, which has to be this one."""
        if self.next() != (kind, text):
            raise rule_error(self.rule, self.start, f"{text!r}")
