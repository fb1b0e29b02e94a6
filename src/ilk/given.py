"""What may be known of an item, as data, and the rule language of `Where`. Nothing here is ever evaluated.

Two levels: what people say (Label, Prompt, Like, Keep, Where, Towards: saved with a model, no functions in them), and
what a distribution is told (Evidence: one type per sort of space). Between them hard givens become Tests.
"""
from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

from .errors import UsageError, nearest

if TYPE_CHECKING:
    from torch import Tensor

    from .batch import Batch

Value = float | int | str | bool | None


@dataclass(frozen=True, slots=True)
class Label:
    """Be of this class: one of the labels the data came with."""

    value: int | str


@dataclass(frozen=True, slots=True)
class Prompt:
    """Be what this text asks for: for models trained with captions or instructions."""

    text: str


@dataclass(frozen=True, slots=True)
class Like:
    """Be like this reference item, as strongly as `strength` in [0, 1] says."""

    item: Any
    strength: float = 0.7


@dataclass(frozen=True, slots=True)
class Keep:
    """Leave these parts as they are: columns or cells by name, a text by its `prefix`; None keeps a cell missing."""

    values: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Where:
    """Obey a rule such as "age > 60 and `hours per week` in [40, 60] and income == '>50K'"."""

    rule: str


@dataclass(frozen=True, slots=True)
class Towards:
    """Lean towards more of a named quantity: soft guidance."""

    quantity: str
    strength: float = 1.0


Given = Label | Prompt | Like | Keep | Where | Towards
_GIVENS: Mapping[str, type[Any]] = {c.__name__: c for c in (Label, Prompt, Like, Keep, Where, Towards)}


def given_to_json(given: Given) -> dict[str, Any]:
    """A Given as plain JSON.

    >>> given_to_json(Keep({"age": 42}))
    {'sort': 'Keep', 'values': {'age': 42}}
    """
    return {"sort": type(given).__name__, **{f.name: getattr(given, f.name) for f in fields(given)}}


def given_from_json(facts: Mapping[str, Any]) -> Given:
    """The Given that `given_to_json` wrote down; UsageError for anything else."""
    sort = str(facts.get("sort"))
    if sort not in _GIVENS:
        raise UsageError(f"no given of sort {sort!r}", remedy=nearest(str(sort), _GIVENS), code="GIVEN")
    try:
        made: Given = _GIVENS[sort](**{k: v for k, v in facts.items() if k != "sort"})
    except TypeError as why:
        raise UsageError(f"a given of sort {sort} can't be read: {why}", code="GIVEN") from None
    return made


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
    return _Reader(rule).tests()


def _wanted(found: str) -> str:
    """What stands for a character that begins nothing."""
    if found == "=":
        return "'==' (a single '=' compares nothing)"
    if found in ("'", '"', "`"):
        return f"a closing {found}"
    return "a sign such as == or < (a name with other characters than letters, digits and _ goes in `backticks`)" if found else "more of a rule"


class _Reader:
    """Recursive descent over the tokens of one rule."""

    def __init__(self, rule: str) -> None:
        self.rule, self.at, self.start = rule, 0, 0

    def tests(self) -> tuple[Test, ...]:
        found = [self.test()]
        while self.rule[self.at:].strip():
            if self.next() != ("word", "and"):
                raise rule_error(self.rule, self.start, "'and' (there is no 'or': ask twice, or use `in`)")
            found.append(self.test())
        return tuple(found)

    def test(self) -> Test:
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
        kind, text = self.next()
        if kind not in ("word", "quoted") or text in _WORDS:
            raise rule_error(self.rule, self.start, "the name of a column (in `backticks` if it has spaces)")
        return text[1:-1].replace("``", "`") if kind == "quoted" else text

    def constant(self) -> Value:
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
        self.expect("mark", "[")
        found = [self.constant()]
        while (mark := self.next()) == ("mark", ","):
            found.append(self.constant())
        if mark != ("mark", "]"):
            raise rule_error(self.rule, self.start, "',' or ']'")
        return tuple(found)

    def next(self) -> tuple[str, str]:
        got = _TOKEN.match(self.rule, self.at)
        self.start = len(self.rule) - len(self.rule[self.at:].lstrip())
        if got is None or got.lastgroup is None:
            raise rule_error(self.rule, self.start, _wanted(self.rule[self.start:self.start + 1]))
        self.at = got.end()
        return got.lastgroup, got[got.lastgroup]

    def expect(self, kind: str, text: str) -> None:
        if self.next() != (kind, text):
            raise rule_error(self.rule, self.start, f"{text!r}")


def tests_of(given: Given) -> tuple[Test, ...]:
    """A hard Given as comparisons: keeping is `==`; soft ones have none."""
    if isinstance(given, Where):
        return parse(given.rule)
    if isinstance(given, Keep):
        return tuple(Test(name, "==", value) for name, value in given.values.items())
    return ()


def as_given(asked: str | Mapping[str, Value] | Given) -> Given:
    """A rule, values to keep, or a typed Given, as a typed Given."""
    if isinstance(asked, str):
        parse(asked)
        return Where(asked)
    if isinstance(asked, Mapping):
        if not asked:
            raise UsageError("nothing is given", remedy="leave it out, or name a column", code="GIVEN", param="given")
        values: Mapping[Any, Any] = asked
        return Keep({str(name): value.item() if hasattr(value, "item") else value for name, value in values.items()})
    if not isinstance(asked, Label | Prompt | Like | Keep | Where | Towards):
        raise UsageError(f"{type(asked).__name__} is not a given", remedy="a rule as text, a mapping of values to keep, Label(...) or Keep(...)", code="GIVEN")
    return asked


@dataclass(frozen=True, eq=False)
class Weigh:
    """Evidence on a Discrete space: a log weight per value of some positions; -inf forbids, a single 0 keeps."""

    tables: Mapping[int, Tensor]


@dataclass(frozen=True)
class Fix:
    """Evidence on a Reals space: some coordinates (row-major) have these values."""

    values: Mapping[int, float]


@dataclass(frozen=True)
class Within:
    """Evidence on a Reals space: some coordinates lie in these closed ranges."""

    ranges: Mapping[int, tuple[float, float]]


@dataclass(frozen=True, eq=False)
class Begin:
    """Evidence on a Many space: the first elements are these."""

    elements: Tensor


@dataclass(frozen=True, eq=False)
class Between:
    """Evidence on a Many: items begin with the first of these stretches and end with the last, the others stand between in this order;
    anything may be between two of them. An empty one at an end leaves that end free."""

    stretches: tuple[Tensor, ...]


@dataclass(frozen=True, eq=False)
class At:
    """Evidence on a Many: what is known of single elements, by place; all these places are there."""

    places: Mapping[int, Evidence]


@dataclass(frozen=True, eq=False)
class Held:
    """Evidence on an atom: where the mask (of the atom's shape) is true, the values are these."""

    mask: Tensor
    values: Tensor


@dataclass(frozen=True, eq=False)
class Presence:
    """Evidence on a Maybe: log weights of being there and of being missing, and what is known if there."""

    there: float
    missing: float
    of: Evidence | None = None


@dataclass(frozen=True, eq=False)
class Parts:
    """Evidence on a Row: what is known of each part."""

    of: Mapping[str, Evidence]


@dataclass(frozen=True, eq=False)
class About:
    """Evidence for models trained with a context: the context, as a batch of one item a name."""

    context: Mapping[str, Batch]


Evidence = Weigh | Fix | Within | Begin | Between | At | Held | Presence | Parts | About
