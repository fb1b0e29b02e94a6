"""Sentences checked against a table: what they say of means, counts, shares and commonest values is computed again."""
from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from ilk.errors import UsageError
from ilk.rules import Test, parse

from .claims import Claim, denies, numbers, sentences

Sort = Literal["supported", "contradicted", "unknown"]
Figure = Literal["mean", "median", "sum", "max", "min", "count", "share", "mode"]
SIGNS = Literal["==", "~", ">", "<", ">=", "<="]
ABOUT, MOST_VALUES = 0.05, 5000   # what `about` allows, and how many values of a column are looked for in a sentence
_FIGURES: dict[Figure, str] = {
    "mean": r"\b(?:mean|averages?|averaged)\b|平均", "median": r"\bmedian\b|中位", "sum": r"\b(?:sum|totals?|altogether)\b|总和|总计|合计|总额|总共",
    "mode": r"\bmost (?:common|frequent)\b|\bcommonest\b|最常见|最多的", "max": r"\b(?:highest|maximum|max|largest|greatest|oldest)\b|最高|最大",
    "min": r"\b(?:lowest|minimum|min|smallest|least|youngest)\b|最低|最小", "share": r"%|％|\bper ?cent\b|\bpercentage\b|百分之",
    "count": r"\b(?:there (?:are|were)|number of|count of|how many|rows?|records?)\b|共有|一共|有|行数|条记录"}
_SIGNS: dict[SIGNS, str] = {
    ">=": r"\bat least\b|\bno less than\b|至少|不少于|不低于", "<=": r"\bat most\b|\bno more than\b|至多|不超过|不高于",
    ">": r"\b(?:more|greater|higher|larger|above|over|exceeds?)\b(?: than)?|大于|超过|高于|多于", "<": r"\b(?:less|lower|fewer|smaller|below|under)\b(?: than)?|小于|低于|少于|不到",
    "~": r"\b(?:about|around|approximately|roughly|nearly|almost)\b|大约|约|左右|将近"}
_DIGITS = re.compile(r"[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-−]?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Statement:
    """What a sentence says of a table: a figure of a column, among the rows that obey `where`, stands so to a value. A `share` is in percent, of rows that obey `then`."""

    figure: Figure
    column: str | None
    where: tuple[Test, ...]
    sign: SIGNS
    value: float | str
    digits: int = 0
    then: Test | None = None
    denied: bool = False


@dataclass(frozen=True)
class Verdict:
    """A sentence, what was found of it, the true value beside it, and in words how that was told."""

    claim: Claim
    sort: Sort
    true: float | str | None
    why: str


def check_table(text: str, table: pl.DataFrame) -> tuple[Verdict, ...]:
    """Every sentence of a text against a table; `unknown` where it says nothing that can be computed, or is not understood.

    A number counts as right if the true one rounds to it, in as many digits as are written; `about` allows 5 %. Columns and values are known by their own names.

    >>> people = pl.DataFrame({"city": ["Lyon", "Lyon", "Nice"], "age": [40, 44, 30]})
    >>> [(v.sort, v.true) for v in check_table("The mean age in Lyon is 42. Most are tall. There are 2 people in Nice.", people)]
    [('supported', 42.0), ('unknown', None), ('contradicted', 1.0)]
    """
    known = _values(table)
    return tuple(_verdict(claim, _read(claim.text, table, known), table) for claim in sentences(text))


def check_rule(rule: str, table: pl.DataFrame) -> Verdict:
    """A claim about every row, as a rule such as "age >= 18 and city in ['Lyon']": supported if all rows obey it. The true value is the share that does.

    >>> check_rule("age < 60", pl.DataFrame({"age": [40, 44, 70]})).why
    '2 of 3 rows obey age < 60'
    """
    tests = parse(rule)
    if odd := [t.part for t in tests if t.part not in table.columns]:
        raise UsageError(f"there is no column {odd[0]!r}", code="COLUMN", param="rule", remedy=f"one of: {', '.join(table.columns)}")
    held = len(_among(table, tests))
    sort: Sort = "unknown" if not len(table) else "supported" if held == len(table) else "contradicted"
    return Verdict(Claim(rule, 0, len(rule)), sort, held / len(table) if len(table) else None, f"{held} of {len(table)} rows obey {' and '.join(map(str, tests))}")


def computed(of: Statement, table: pl.DataFrame) -> float | str | None:
    """The true value of what is said; None where no row is left, or the commonest value is not one."""
    rows = _among(table, of.where)
    if of.figure == "count":
        return float(len(rows))
    if of.figure == "share":
        return 100 * len(_among(rows, [of.then])) / len(rows) if len(rows) and of.then else None
    values = rows[of.column].drop_nulls() if of.column else pl.Series([])
    if not len(values):
        return None
    if of.figure == "mode":
        top = values.value_counts(sort=True)
        return str(top[0, 0]) if len(top) == 1 or top[0, 1] > top[1, 1] else None
    return float({"mean": values.mean, "median": values.median, "sum": values.sum, "max": values.max, "min": values.min}[of.figure]())   # type: ignore[arg-type]


def holds(of: Statement, true: float | str) -> bool:
    """Whether the true value is as it is said to be."""
    if isinstance(of.value, str) or isinstance(true, str):
        return (str(true) == str(of.value)) != of.denied
    near = abs(true - of.value) <= 0.5 * 10.0**-of.digits + 1e-9 * abs(true)
    told = {"==": near, "~": abs(true - of.value) <= max(ABOUT * abs(true), 0.5 * 10.0**-of.digits), ">": true > of.value, "<": true < of.value,
            ">=": true >= of.value, "<=": true <= of.value}[of.sign]
    return told != of.denied


def _verdict(claim: Claim, of: Statement | None, table: pl.DataFrame) -> Verdict:
    if of is None:
        return Verdict(claim, "unknown", None, "it says nothing of the table that could be read")
    true = computed(of, table)
    said = f"{of.figure} of {of.column or 'rows'}" + (f" with {of.then}" if of.then else "") + (f" where {' and '.join(map(str, of.where))}" if of.where else "")
    if true is None:
        return Verdict(claim, "unknown", None, f"{said}: there is none")
    sort: Sort = "supported" if holds(of, true) else "contradicted"
    return Verdict(claim, sort, true, f"{said} is {true if isinstance(true, str) else format(true, '.6g')}, said to be {'not ' * of.denied}{of.sign} {of.value}")


def _among(table: pl.DataFrame, tests: Sequence[Test]) -> pl.DataFrame:
    """The rows that obey."""
    for test in tests:
        table = table.filter(pl.Series([test.holds(v) for v in table[test.part].to_list()], dtype=pl.Boolean))
    return table


def _values(table: pl.DataFrame) -> list[tuple[str, str, str]]:
    """What names in a sentence may mean, the longest first: (as it is written, its column, its value; the value of a column's own name is empty)."""
    found = [(name.replace("_", " "), name, "") for name in table.columns]
    for name in table.columns:
        if table[name].dtype in (pl.String, pl.Categorical, pl.Enum):
            found += [(str(v), name, str(v)) for v in table[name].drop_nulls().unique(maintain_order=True).head(MOST_VALUES) if str(v).strip()]
    return sorted(found, key=lambda f: -len(f[0]))


def _mentions(text: str, known: Sequence[tuple[str, str, str]]) -> tuple[list[tuple[int, str, str]], str]:
    """Columns and values in the order of the sentence, and the sentence without them."""
    found = []
    for written, column, value in known:
        edge = (r"(?<!\w)", r"(?:e?s)?(?!\w)") if written.isascii() else ("", "")
        for m in re.finditer(edge[0] + re.escape(written) + edge[1], text, re.IGNORECASE):
            found.append((m.start(), column, value))
            text = text[:m.start()] + "\0" * len(m[0]) + text[m.end():]
    return sorted(found), text


def _read(text: str, table: pl.DataFrame, known: Sequence[tuple[str, str, str]]) -> Statement | None:
    """The statement of a sentence, if it makes exactly one."""
    found, rest = _mentions(text, known)
    figure = next((f for f, pattern in _FIGURES.items() if re.search(pattern, rest, re.IGNORECASE)), None)
    columns = list(dict.fromkeys(c for _, c, v in found if not v))
    tests = list(dict.fromkeys(Test(c, "==", v) for _, c, v in found if v))
    told = list(_written(rest))
    no = denies(rest)
    if figure == "mode":
        said = [t for t in tests if columns and t.part == columns[0]]
        return Statement("mode", columns[0], tuple(t for t in tests if t not in said), "==", str(said[0].value), denied=no) if len(said) == 1 else None
    if figure is None or len(told) != 1 or len({t.part for t in tests}) != len(tests):
        return None
    sign: SIGNS = next((s for s, pattern in _SIGNS.items() if re.search(pattern, rest, re.IGNORECASE)), "==")
    value, digits = told[0]
    if figure == "share":
        return Statement("share", None, tuple(tests[:-1]), sign, value, digits, tests[-1], no) if tests else None
    if figure == "count":
        return Statement("count", None, tuple(tests), sign, value, digits, denied=no)
    numeric = [c for c in columns if table[c].dtype.is_numeric()]
    return Statement(figure, numeric[0], tuple(tests), sign, value, digits, denied=no) if len(numeric) == 1 else None


def _written(text: str) -> Iterator[tuple[float, int]]:
    """Numbers and how many digits they have after the point; those in words, if there are none in digits."""
    found = [m[0].replace(",", "").replace("−", "-") for m in _DIGITS.finditer(text)]
    spelt = [(n, 0) for n in numbers(text.replace("百分之", " "))]
    yield from [(float(n), len(n.partition(".")[2])) for n in found] if len(found) == len(spelt) == 0 or [float(n) for n in found] == [n for n, _ in spelt] else spelt
