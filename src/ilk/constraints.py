"""What every item has to obey, as data, and the language it is written in. Nothing here is ever evaluated.

A given narrows a distribution; a constraint ties numbers of one item together, or items to each other, and is met by repair
(`ilk.obeying`). Numbers mean the decimals that they are written as: 0.1 is a tenth.
"""
from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from .errors import UsageError, nearest
from .rules import Value, rule_error

Number = int | float
SIGNS = ("<=", ">=", "==", "<", ">")


@dataclass(frozen=True, slots=True)
class Linear:
    """A sum of columns, or of places of an array, against a constant: `net + tax - gross == 0`. A text is a date."""

    terms: tuple[tuple[str, Number], ...]
    sign: str
    total: Number | str = 0

    def __str__(self) -> str:
        ends = [i for i, (_, factor) in enumerate(self.terms) if factor < 0] or [len(self.terms)]
        if isinstance(self.total, str):
            return f"{_sum(self.terms)} {self.sign} {quoted(self.total)}"
        if ends != list(range(ends[0] or -1, len(self.terms))):   # not first what is added, then what is taken away
            return f"{_sum(self.terms)} {self.sign} {_number(self.total)}"
        right = _sum(tuple((name, -factor) for name, factor in self.terms[ends[0]:]))
        total = f"{' - ' if self.total < 0 else ' + '}{_number(abs(self.total))}" if right and self.total else "" if right else _number(self.total)
        return f"{_sum(self.terms[:ends[0]])} {self.sign} {right}{total}"


def _sum(terms: Sequence[tuple[str, Number]]) -> str:
    texts = [f"{'-' if f < 0 else '+'} {'' if abs(f) == 1 else f'{_number(abs(f))} * '}{named(name)}" for name, f in terms]
    whole = " ".join(texts)
    return whole[2:] if whole[:1] == "+" else whole.replace("- ", "-", 1)


@dataclass(frozen=True, slots=True)
class Unique:
    """No two items alike in these columns together; without names, no two items alike at all."""

    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"unique {', '.join(map(named, self.names))}".strip()


@dataclass(frozen=True, slots=True)
class Depends:
    """The same in `on`, the same in `what`: a functional dependency. `known` says some pairs; others are learned."""

    on: tuple[str, ...]
    what: tuple[str, ...]
    known: tuple[tuple[tuple[Value, ...], tuple[Value, ...]], ...] = ()

    def __str__(self) -> str:
        pairs = ", ".join(f"{_several(a)}: {_several(b)}" for a, b in self.known)
        return f"{', '.join(map(named, self.on))} -> {', '.join(map(named, self.what))}{f' {{{pairs}}}' if pairs else ''}"


@dataclass(frozen=True, slots=True)
class Sums:
    """Sums over axes of an array (all of them if none is named) against a number; None: the same all over an item."""

    axes: tuple[int, ...]
    sign: str = "=="
    total: Number | None = None

    def __str__(self) -> str:
        axes = f"sum({', '.join(map(str, self.axes))})"
        return f"{axes} constant" if self.total is None else f"{axes} {self.sign} {_number(self.total)}"


@dataclass(frozen=True, slots=True)
class Each:
    """Every number of an item against a constant."""

    sign: str
    total: Number

    def __str__(self) -> str:
        return f"each() {self.sign} {_number(self.total)}"


@dataclass(frozen=True, slots=True)
class Step:
    """These columns are whole multiples of a step: 1 for whole numbers, 0.01 for two decimals."""

    names: tuple[str, ...]
    step: Number

    def __str__(self) -> str:
        return f"step({', '.join(map(named, self.names))}) == {_number(self.step)}"


Constraint = Linear | Unique | Depends | Sums | Each | Step
_SORTS: Mapping[str, type[Any]] = {c.__name__: c for c in (Linear, Unique, Depends, Sums, Each, Step)}


def exact(number: Number) -> Fraction:
    """The number that the shortest decimal for it says.

    >>> exact(0.1)
    Fraction(1, 10)
    """
    return Fraction(repr(number)) if isinstance(number, float) else Fraction(number)


def constraint_to_json(constraint: Constraint) -> dict[str, Any]:
    """A constraint as plain JSON.

    >>> constraint_to_json(Unique(("id",)))
    {'sort': 'Unique', 'names': ['id']}
    """
    return {"sort": type(constraint).__name__, **{name: _listed(getattr(constraint, name)) for name in constraint.__slots__}}


def constraint_from_json(facts: Any) -> Constraint:
    """The constraint that `constraint_to_json` wrote down; UsageError for anything else."""
    kind = _SORTS.get(str(facts.get("sort"))) if isinstance(facts, Mapping) else None
    if kind is None:
        raise UsageError("this is no constraint", code="CONSTRAINT", param="obey", remedy=f'{{"sort": ...}}, one of {", ".join(_SORTS)}')
    try:
        made: Constraint = kind(**{str(k): _tupled(v) for k, v in facts.items() if k != "sort"})
        read = parse(str(made))
    except (TypeError, ValueError, AttributeError) as why:
        raise UsageError(f"a constraint of sort {kind.__name__} can't be read: {str(why)[:200]}", code="CONSTRAINT", param="obey") from None
    if read != (made,):
        raise UsageError(f"a constraint of sort {kind.__name__} can't be read: it says {str(made)[:200]}", code="CONSTRAINT", param="obey")
    return made


def _listed(value: Any) -> Any:
    return [_listed(v) for v in value] if isinstance(value, tuple) else value


def _tupled(value: Any) -> Any:
    return tuple(_tupled(v) for v in value) if isinstance(value, list) else value


def named(name: str) -> str:
    """A name as the language writes it: odd ones in backticks."""
    return name if re.fullmatch(r"[^\W\d]\w*", name) and name not in _WORDS else "`" + name.replace("`", "``") + "`"


def quoted(text: str) -> str:
    """A text as the language writes it."""
    return "'" + text.replace("'", "''") + "'"


def _number(number: Number) -> str:
    """Digits without an exponent where that is short."""
    return repr(int(number)) if number == int(number) and abs(number) < 1e15 else repr(number)


def _several(values: Sequence[Value]) -> str:
    texts = [quoted(v) if isinstance(v, str) else repr(v) for v in values]
    return texts[0] if len(texts) == 1 else f"({', '.join(texts)})"


_WORDS = ("and", "in", "None", "True", "False")
_MOST, _DIGITS = 65_536, 15
_TOKEN = re.compile(r"""\s*(?:(?P<quoted>`(?:[^`]|``)+`)|(?P<text>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)
    |(?P<sign>[<>=]=|->|[<>])|(?P<mark>[-+*()\[\]{},:])|(?P<word>[^\W\d]\w*))""", re.VERBOSE)
_Token = tuple[str, str]
_END: _Token = ("end", "")


def parse(text: str) -> tuple[Constraint, ...]:
    """The constraints of a text, joined by `and`; UsageError with a caret at what can't be read.

    >>> [str(c) for c in parse("0 <= start <= end and unique id")]
    ['start >= 0', 'start <= end', 'unique id']
    >>> parse("zip, country -> city")[0].on
    ('zip', 'country')
    """
    if len(text) > _MOST:
        raise UsageError(f"a constraint of {len(text)} characters; the limit is {_MOST}", code="RULE", param="obey")
    return _Reader(text).constraints()


@dataclass
class _Side:
    """One side of a comparison: columns with factors, and a constant, which may be a date."""

    terms: dict[str, Decimal]
    constant: Decimal = Decimal(0)
    date: str | None = None


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self.text, self.at, self.start = text, 0, 0
        self.token: _Token = _END
        self.advance()

    def constraints(self) -> tuple[Constraint, ...]:
        found = [*self.one()]
        while self.token != _END:
            self.take("word", "and")
            found += self.one()
        return tuple(found)

    def one(self) -> Sequence[Constraint]:
        """One constraint, told by its first tokens."""
        ahead = self.peek()
        if self.token == ("word", "unique") and (ahead == _END or ahead[0] in ("word", "quoted")):
            self.advance()
            return [Unique(self.names() if self.token not in (_END, ("word", "and")) else ())]
        if self.token[0] == "word" and ahead == ("mark", "("):
            return self.called(self.advance()[1])
        if self.token[0] in ("word", "quoted") and ahead in (("mark", ","), ("sign", "->")):
            return [self.depends()]
        return self.compared()

    def depends(self) -> Constraint:
        on = self.names()
        self.take("sign", "->")
        what, known = self.names(), []
        if self.token == ("mark", "{"):
            known = self.listed("{", "}", lambda: self.pair(len(on), len(what)))
        return Depends(on, what, tuple(known))

    def pair(self, many: int, others: int) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
        left = self.constants(many)
        self.take("mark", ":")
        return left, self.constants(others)

    def constants(self, many: int) -> tuple[Value, ...]:
        start = self.start
        found = self.listed("(", ")", self.constant) if self.token == ("mark", "(") else [self.constant()]
        if len(found) != many:
            raise self.error(f"{many} value{'s' * (many > 1)}", start)
        return tuple(found)

    def constant(self) -> Value:
        kind, text = self.token
        if kind == "word" and text in ("None", "True", "False"):
            self.advance()
            return {"None": None, "True": True, "False": False}[text]
        if kind == "text":
            return self.quoted()
        return self.number()

    def called(self, name: str) -> Sequence[Constraint]:
        """`sum(AXES)`, `each()`, `simplex(NAMES)`, `step(NAMES)` and what they shall be."""
        start = self.start
        if name == "sum":
            axes = self.listed("(", ")", self.axis)
            if self.token == ("word", "constant"):
                self.advance()
                return [Sums(tuple(axes))]
            return [Sums(tuple(axes), sign, total) for sign, total in self.ranged()]
        if name == "each":
            self.take("mark", "(")
            self.take("mark", ")")
            return [Each(sign, total) for sign, total in self.ranged()]
        if name not in ("simplex", "step"):
            raise self.error(f"sum(...), each(), simplex(...) or step(...): {nearest(name, ('sum', 'each', 'simplex', 'step'))}", start - len(name))
        names = tuple(self.listed("(", ")", self.name))
        if not names or len(set(names)) < len(names):
            raise self.error("names of columns, each once", start)
        self.take("sign", "==")
        total = self.number()
        if total <= 0:
            raise self.error("a number above 0")
        return [Step(names, total)] if name == "step" else [Linear(tuple((n, 1) for n in names), "==", total), *(Linear(((n, 1),), ">=") for n in names)]

    def axis(self) -> int:
        number = self.number()
        if not isinstance(number, int) or not 0 <= number < 64:
            raise self.error("the number of an axis, counted from 0")
        return number

    def ranged(self) -> list[tuple[str, Number]]:
        """`SIGN NUMBER`, or `in [LOW, HIGH]`."""
        if self.token == ("word", "in"):
            self.advance()
            return list(zip((">=", "<="), self.range(), strict=True))
        return [(self.sign(), self.number())]

    def range(self) -> list[Number]:
        start = self.start
        ends = self.listed("[", "]", self.number)
        if len(ends) != 2 or ends[0] > ends[1]:
            raise self.error("[LOW, HIGH]", start)
        return ends

    def compared(self) -> Sequence[Constraint]:
        """`SUM SIGN SUM SIGN SUM ...`, or `SUM in [LOW, HIGH]`."""
        start, left = self.start, self.side()
        if self.token == ("word", "in"):
            self.advance()
            low, high = self.range()
            return [self.linear(left, sign, _Side({}, Decimal(repr(end))), start) for sign, end in ((">=", low), ("<=", high))]
        found: list[Constraint] = []
        while not found or self.token[0] == "sign":
            sign, right = self.sign(), self.side()
            found.append(self.linear(left, sign, right, start))
            left = right
        return found

    def linear(self, left: _Side, sign: str, right: _Side, start: int) -> Linear:
        if not left.terms:   # `3 <= a` is `a >= 3`
            left, right, sign = right, left, {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=="}[sign]
        terms = dict(left.terms)
        for name, factor in right.terms.items():
            terms[name] = terms.get(name, Decimal(0)) - factor
        terms = {name: factor for name, factor in terms.items() if factor}
        dates = [s.date for s in (left, right) if s.date is not None]
        if not terms or len(dates) > 1 or (dates and (len(terms) > 1 or left.constant or right.constant)):
            raise self.error("columns to compare (a date beside a single column)", start)
        total = dates[0] if dates else self.written(right.constant - left.constant)
        return Linear(tuple((name, self.written(factor)) for name, factor in terms.items()), sign, total)

    def side(self) -> _Side:
        side, negative = _Side({}), False
        if self.token in (("mark", "-"), ("mark", "+")):
            negative = self.advance() == ("mark", "-")
        self.term(side, negative)
        while self.token in (("mark", "-"), ("mark", "+")):
            self.term(side, self.advance() == ("mark", "-"))
        return side

    def term(self, side: _Side, negative: bool) -> None:
        factor, name = Decimal(1), None
        if self.token[0] == "text" and not negative and side == _Side({}):
            side.date = self.quoted()
            return
        if self.token[0] == "number":
            factor = self.decimal()
            if self.token == ("mark", "*"):
                self.advance()
                name = self.name()
        else:
            name = self.name()
            if self.token == ("mark", "*"):
                self.advance()
                factor = self.decimal()
        factor = -factor if negative else factor
        if name is None:
            side.constant += factor
        else:
            side.terms[name] = side.terms.get(name, Decimal(0)) + factor

    def decimal(self) -> Decimal:
        kind, text = self.token
        if kind != "number":
            raise self.error("a number")
        try:
            value = Decimal(text)
        except InvalidOperation:   # an exponent of hundreds of digits
            value = Decimal("1e99")
        if len(value.normalize().as_tuple().digits) > _DIGITS or value and not -30 <= value.adjusted() <= 30:
            raise self.error(f"a number of at most {_DIGITS} digits, below 1e30")
        self.advance()
        return value

    def number(self) -> Number:
        negative = self.token == ("mark", "-")
        if negative:
            self.advance()
        value = self.decimal()
        return self.written(-value if negative else value)

    def written(self, value: Decimal) -> Number:
        """As int or float; UsageError where a float can't say it."""
        whole = int(value)
        if whole == value and abs(whole) < 10**_DIGITS:
            return whole
        if exact(float(value)) != Fraction(value) or len(value.normalize().as_tuple().digits) > _DIGITS:
            raise self.error(f"numbers that add up to at most {_DIGITS} digits")
        return float(value)

    def sign(self) -> str:
        if self.token[0] != "sign" or self.token[1] not in SIGNS:
            raise self.error("one of <= >= == < >, `in [LOW, HIGH]`, or -> after names")
        return self.advance()[1]

    def names(self) -> tuple[str, ...]:
        start, found = self.start, [self.name()]
        while self.token == ("mark", ","):
            self.advance()
            found.append(self.name())
        if len(set(found)) < len(found):
            raise self.error("each name once", start)
        return tuple(found)

    def name(self) -> str:
        kind, text = self.token
        if kind not in ("word", "quoted") or text in _WORDS:
            raise self.error("the name of a column (in `backticks` if it has spaces)")
        self.advance()
        return text[1:-1].replace("``", "`") if kind == "quoted" else text

    def quoted(self) -> str:
        text = self.advance()[1]
        return text[1:-1].replace(text[0] * 2, text[0])

    def listed(self, opening: str, closing: str, item: Any) -> list[Any]:
        self.take("mark", opening)
        found: list[Any] = []
        while self.token != ("mark", closing):
            if found:
                self.take("mark", ",")
            found.append(item())
        self.advance()
        return found

    def take(self, kind: str, text: str) -> None:
        if self.token != (kind, text):
            raise self.error(f"'{text}'")
        self.advance()

    def peek(self) -> _Token:
        """The token after this one; END where nothing can be read."""
        found = _TOKEN.match(self.text, self.at)
        return _END if found is None else (str(found.lastgroup), found[found.lastgroup or 0])

    def advance(self) -> _Token:
        """This token, and on to the next."""
        before = self.token
        found = _TOKEN.match(self.text, self.at)
        rest = "" if found else self.text[self.at:]
        self.start = found.start(found.lastgroup or 0) if found else len(self.text) - len(rest.lstrip())
        if odd := rest.strip()[:1]:
            raise self.error(f"a closing {odd}" if odd in "'\"`" else "'==' (a single '=' compares nothing)" if odd == "=" else
                             "a name, a number or a sign (odd names go in `backticks`)")
        self.token = _END if found is None else (str(found.lastgroup), found[found.lastgroup or 0])
        self.at = len(self.text) if found is None else found.end()
        return before

    def error(self, wanted: str, start: int | None = None) -> UsageError:
        return rule_error(self.text, self.start if start is None else start, wanted)


def _from_text(text: str) -> Constraint:
    """A constraint written as JSON."""
    try:
        return constraint_from_json(json.loads(text))
    except (ValueError, RecursionError) as why:
        if isinstance(why, UsageError):
            raise
        raise rule_error(text, getattr(why, "pos", 0), "a constraint as JSON") from None


def as_constraints(asked: str | Constraint | Sequence[str | Constraint]) -> tuple[Constraint, ...]:
    """Constraints as text or typed, one or several, as typed ones.

    >>> as_constraints("a <= b")
    (Linear(terms=(('a', 1), ('b', -1)), sign='<=', total=0),)
    """
    several = [asked] if isinstance(asked, str) or not isinstance(asked, Sequence) else asked
    found: list[Constraint] = []
    for one in several:
        if not isinstance(one, str | Linear | Unique | Depends | Sums | Each | Step):
            raise UsageError(f"{type(one).__name__} is not a constraint", code="CONSTRAINT", param="obey", remedy='a text such as "start <= end"')
        found += [one] if not isinstance(one, str) else [_from_text(one)] if one.lstrip().startswith("{") else parse(one)
    if not found:
        raise UsageError("there is nothing to obey", code="CONSTRAINT", param="obey", remedy='name a constraint such as "start <= end"')
    return tuple(dict.fromkeys(found))
