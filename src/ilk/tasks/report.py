"""What a table says, in words; every number in it is recomputed from the table by code."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import polars as pl
from annotated_types import Interval

from ..chat import Turn
from ..checked import Checked, Finding, Task, asked
from ..errors import DataError, UsageError
from ._query import computed, read
from ._texts import numbers, value

_PLACE = re.compile(r"\{\{((?:(?!\{\{).){0,2000}?)\}\}", re.DOTALL)
_STATED = re.compile(r"\s*([-+]?\d[\d,]*(?:\.(\d+))?)\s*(%?)\s*=(?!=)")
_FORM = re.compile(r":\s*(\d?)\s*(%?)\s*\Z")
_WORDS = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundreds?|thousands?|millions?|billions?"
    r"|half|halves|thirds?|quarters?|twice|double|triple|percent|per cent)\b"
    r"|[一二两三四五六七八九十百千万亿]{2,}|[二两三四五六七八九十百千万亿][个人位名条行项岁倍成分]", re.IGNORECASE)
_ORDER = """Write a short report on a table{about}. Never write a number yourself, neither in digits nor in words: put a query in double braces, and code fills in the number.
Queries: count(), count(where RULE), sum(COLUMN), mean(COLUMN), median(COLUMN), min(COLUMN), max(COLUMN), share(where RULE), correlation(COLUMN, COLUMN); each may end in
`where RULE`, with rules such as city == 'Lyon' and age > 30; + - * / join them. `: 1` at the end says how many decimals, `: %` shows percent.
Example: The mean age is {{{{mean(age) : 1}}}} years, and {{{{share(where city == 'Lyon') : %}}}} live in Lyon."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A number of a report: the query, what the table gives, and how it is shown."""

    query: str
    value: float
    shown: str


@dataclass(frozen=True)
class Reported:
    """A report with its numbers filled in, and each of them in its order."""

    text: str
    figures: tuple[Figure, ...]

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Report(Task[pl.DataFrame, Reported]):
    """A text `about` a table with at least `least` figures, each a query in {{braces}}, or {{34.2 = query}} where the number is stated and compared.

    A number in the open fails, and so do number words. What the words around a number claim of it is not checked.

    >>> table = pl.DataFrame({"age": [30, 40, 53]})
    >>> Report().check(table, "The mean age is {{mean(age) : 1}}.").value.text
    'The mean age is 41.0.'
    >>> Report().check(table, "The mean age is {{40 = mean(age)}}.").findings[0].told
    'the report says 40 for mean(age), and the table gives 41'
    """

    about: str = ""
    least: Annotated[int, Interval(ge=0, le=1000)] = 1

    def turns(self, given: pl.DataFrame) -> tuple[Turn, ...]:
        """How figures are written, and the columns."""
        return asked(_ORDER.format(about=f": {self.about}" if self.about else ""), ("Columns", "\n".join(_column(given[c]) for c in given.columns)))

    def read(self, word: str) -> pl.DataFrame:
        """A table in CSV or Parquet; DataError for what can't be read."""
        try:
            return pl.read_parquet(word) if Path(word).suffix == ".parquet" else pl.read_csv(word)
        except (OSError, pl.exceptions.PolarsError) as why:
            raise DataError(f"{word[:80]} can't be read as a table: {str(why).splitlines()[0][:200]}", code="TABLE") from None

    def check(self, given: pl.DataFrame, answer: str) -> Checked[Reported]:
        """The report with its figures, and every number that is none."""
        figures, wrong, text, at = list[Figure](), list[Finding](), "", 0
        for place in _PLACE.finditer(answer):
            figure, found = _figure(place[1], given)
            text += answer[at:place.start()] + (figure.shown if figure else place[0])
            at = place.end()
            figures += [figure] if figure else []
            wrong += found
        rest = _PLACE.sub(" ", answer)
        wrong += [Finding("QUERY", "double braces that are not closed, or not opened")] if "{{" in rest or "}}" in rest else []
        wrong += _open(rest, {str(v) for v in _allowed(given, self.about)})
        if (many := len(_PLACE.findall(answer))) < self.least:
            wrong.append(Finding("FIGURES", f"the report has {many} figures, and at least {self.least} are wanted"))
        return Checked(Reported((text + answer[at:]).strip(), tuple(figures)), tuple(wrong))

    def floor(self, given: pl.DataFrame) -> str:
        """A line for each column of numbers."""
        lines = [f"{c}: mean {{{{mean({_named(c)})}}}}, from {{{{min({_named(c)})}}}} to {{{{max({_named(c)})}}}}." for c in given.columns
                 if given[c].dtype.is_numeric() and given[c].count()]
        return "\n".join(["There are {{count()}} rows.", *lines])


def _named(column: str) -> str:
    return "`" + column.replace("`", "``") + "`"


def _column(column: pl.Series) -> str:
    """Name, sort and some values of a column."""
    some = column.drop_nulls().unique(maintain_order=True).head(8).to_list()
    return f"{_named(column.name)} ({'number' if column.dtype.is_numeric() else 'text'}): {', '.join(map(repr, some))[:300]}"


def _figure(inside: str, table: pl.DataFrame) -> tuple[Figure | None, list[Finding]]:
    stated, form = _STATED.match(inside), _FORM.search(inside)
    query = inside[stated.end() if stated else 0:form.start() if form else None].strip()
    try:
        found = computed(read(query), table)
    except UsageError as why:
        return None, [Finding("QUERY", f"{{{{{inside.strip()[:100]}}}}} can't be computed: {str(why)[:500]}")]
    if stated is None:
        return Figure(query, found, shown(found, form[1] if form else "", bool(form and form[2]))), []
    decimals, scale = len(stated[2] or ""), 100 if stated[3] else 1
    said = float(value(stated[1].lstrip("+")))
    if abs(said - found * scale) <= 0.5 * 10.0**-decimals * (1 + 1e-9):
        return Figure(query, found, stated[1] + stated[3]), []
    told = shown(found, str(decimals + 1) if decimals or stated[3] else "", bool(stated[3]))
    return None, [Finding("WRONG", f"the report says {stated[1]}{stated[3]} for {query}, and the table gives {told}")]


def shown(number: float, decimals: str = "", percent: bool = False) -> str:
    """A figure as people read it.

    >>> shown(1234.5678), shown(3.0), shown(0.01234), shown(0.256, "", True), shown(2, "1")
    ('1,234.57', '3', '0.0123', '26%', '2.0')
    """
    scaled = number * 100 if percent else number
    if decimals or percent:
        return f"{scaled:,.{int(decimals or 0)}f}{'%' if percent else ''}"
    return f"{scaled:,.0f}" if scaled == int(scaled) else f"{scaled:,.2f}" if abs(scaled) >= 1 else f"{scaled:.3g}"


def _allowed(table: pl.DataFrame, about: str) -> Iterator[str]:
    """What may stand in the open though it has digits: what was asked about, and names of columns and categories."""
    yield from (n.text for n in numbers(about))
    yield from table.columns
    for column in table.columns:
        if table[column].dtype == pl.String:
            yield from (v for v in table[column].drop_nulls().unique().head(1000).to_list() if v.strip())


def _open(text: str, allowed: set[str]) -> Iterator[Finding]:
    known = sorted((a for a in allowed if re.search(r"\d", a) or _WORDS.search(a)), key=len, reverse=True)
    bare = re.sub("|".join(rf"(?<![\w.]){re.escape(a)}(?![\w])" for a in known), " ", text) if known else text
    for number in numbers(bare):
        yield Finding("NUMBER", f"{number.text} stands in the open: nothing says what it is computed from; write {{{{query}}}} or {{{{{number.text} = query}}}}")
    for word in _WORDS.finditer(bare):
        yield Finding("NUMBER", f"{word[0]!r} is a number in words: nothing says what it is computed from; write {{{{query}}}}")
