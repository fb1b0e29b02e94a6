"""Questions on a text or a table, or of arithmetic; a key is a place of the text or is computed, and a question whose key is neither is dropped."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import polars as pl
from annotated_types import Interval

from ..chat import Schema, Shape, Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ..errors import UsageError
from ._json import parsed, record
from ._query import calls, computed, constants, read
from ._texts import Span, content, names, numbers, sentences, value
from .report import Report, shown

Given = str | pl.DataFrame
_TEXT = {"type": "string"}


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its key, and what proves the key: a query that gives it, or the place of the text where it stands."""

    question: str
    key: str
    query: str = ""
    place: Span | None = None


@dataclass(frozen=True)
class Quizzed:
    """The questions whose keys are proved, and what was wrong with those that were dropped."""

    questions: tuple[Question, ...]
    dropped: tuple[Finding, ...]

    def __str__(self) -> str:
        return "\n".join(f"{i}. {q.question}\n   {q.key}" for i, q in enumerate(self.questions, 1))


@dataclass(frozen=True, kw_only=True)
class Quiz(Task[Given, Quizzed]):
    """At least so many `questions` with proved keys. That a question asks for its key, and has but one answer, is not checked beyond the words they share.

    >>> made = '{"questions": [{"question": "What is 6 times 7?", "key": "42", "sort": "query", "by": "6 * 7"}]}'
    >>> Quiz(questions=1).check("", made).value.questions[0].key
    '42'
    """

    questions: Annotated[int, Interval(ge=1, le=100)] = 3

    def turns(self, given: Given) -> tuple[Turn, ...]:
        """The text or the columns, and what proves a key."""
        order = (f'Write {self.questions} questions with short answers as JSON: {{"questions": [{{"question": "...", "key": "...", "sort": "...", "by": "..."}}]}}. ')
        if isinstance(given, str):
            return asked(order + '"sort" is "quote", "by" a sentence of the text word for word, and "key" a word, name or number in that sentence which the question does '
                         'not give away. Or, for sums: "sort" is "query", "by" is an expression such as (3 + 4) * 2, and the question has the same numbers.', ("Text", given))
        columns = Report().turns(given)[0].text.partition("Columns:\n")[2]
        return asked(order + '"sort" is "query" and "by" a query that gives the key: count(where RULE), sum(COLUMN), mean(COLUMN where RULE), median, min, max, '
                     "share(where RULE), correlation(COLUMN, COLUMN). The question names the columns and values of the rule.", ("Columns", columns))

    def read(self, word: str) -> Given:
        """A table (.csv, .parquet) or a text."""
        return Report().read(word) if Path(word).suffix.lower() in (".csv", ".parquet") else text_of(word)

    def shape(self, given: Given) -> Shape:
        """A list of questions."""
        one = record({"question": _TEXT, "key": _TEXT, "sort": {"enum": ["quote", "query"]}, "by": _TEXT})
        return Schema(record({"questions": {"type": "array", "items": one, "minItems": self.questions}}))

    def check(self, given: Given, answer: str) -> Checked[Quizzed]:
        """Every key proved, or its question dropped."""
        found, wrong = parsed(answer, dict)
        kept: dict[str, Question] = {}
        dropped: list[Finding] = []
        items = found.get("questions")
        for number, item in enumerate(items if isinstance(items, list) else (), 1):
            proved = _proved(item, given)
            if isinstance(proved, Question) and proved.question.casefold() not in kept:
                kept[proved.question.casefold()] = proved
            else:
                dropped.append(Finding("KEY", f"question {number}: {'it was asked before' if isinstance(proved, Question) else proved}"))
        few = len(kept) < self.questions
        told = (*wrong, *dropped, Finding("FEW", f"{len(kept)} questions have proved keys, and {self.questions} are wanted")) if few else ()
        return Checked(Quizzed(tuple(kept.values()), tuple(dropped)), told)

    def floor(self, given: Given) -> str:
        """Gaps in sentences of the text, or figures of columns."""
        import json

        some = _gaps(given) if isinstance(given, str) else _figures(given)
        return json.dumps({"questions": [item for item, _ in zip(some, range(self.questions), strict=False)]}, ensure_ascii=False)


def _proved(item: Any, given: Given) -> Question | str:
    """The question with its proof, or what is wrong with it."""
    if not isinstance(item, Mapping) or not all(isinstance(item.get(k), str) and item[k].strip() for k in ("question", "key", "by")):
        return "it has no question, key or proof"
    question, key, by = (str(item[k]).strip() for k in ("question", "key", "by"))
    if item.get("sort") == "query":
        return _computed(question, key, by, None if isinstance(given, str) else given)
    return _quoted(question, key, by, given) if isinstance(given, str) else "a table is asked by a query"


def _computed(question: str, key: str, query: str, table: pl.DataFrame | None) -> Question | str:
    try:
        tree = read(query)
        right = computed(tree, table)
    except UsageError as why:
        return f"the query {query[:80]!r} can't be computed: {why}"
    said = numbers(key)
    if len(said) != 1:
        return f"the key {key[:40]!r} is not one number"
    decimals = len(said[0].text.partition(".")[2])
    scaled = right * (100 if key[said[0].end:].lstrip().startswith("%") else 1)
    if abs(float(value(said[0].text)) - scaled) > 0.5 * 10.0**-decimals * (1 + 1e-9):
        return f"the key is {key}, and {query} gives {shown(right)}"
    there = {float(value(n.text)) for n in numbers(question)}
    wanted = [c for call in calls(tree) for c in (*call.columns, *(str(v) for t in call.tests for v in (t.part, *(t.value if isinstance(t.value, tuple) else (t.value,)))))]
    if missing := [w for w in wanted if w.casefold() not in question.casefold()]:
        return f"the question does not say {missing[0]!r}, which the query asks for"
    if not calls(tree) and set(map(abs, constants(tree))) != {abs(n) for n in there}:
        return f"the numbers of the question are not those of {query}"
    return Question(question, key, query=query)


def _quoted(question: str, key: str, quote: str, text: str) -> Question | str:
    at = text.find(quote)
    inside = quote.find(key)
    if at < 0:
        return f"the text has no such sentence: {quote[:80]!r}"
    if inside < 0:
        return f"the key {key[:40]!r} does not stand in the quoted sentence"
    if key.casefold() in question.casefold():
        return f"the question gives its key away: {key[:40]!r}"
    if not content(question) & content(quote):
        return "the question shares no word with the quoted sentence"
    return Question(question, key, place=Span(at + inside, at + inside + len(key), key))


def _gaps(text: str) -> Iterator[dict[str, str]]:
    for sentence in sentences(text):
        said = sentence.text
        for gap in [*numbers(said), *names(said)][:1]:
            if said.casefold().count(gap.text.casefold()) == 1 and text.count(said) == 1:
                asks = "空缺处是什么：" if any("\u4e00" <= c <= "\u9fff" for c in said) else "What is missing: "
                yield {"question": f"{asks}{said[:gap.start]}___{said[gap.end:]}", "key": gap.text, "sort": "quote", "by": said}


def _figures(table: pl.DataFrame) -> Iterator[dict[str, str]]:
    for column in table.columns:
        for name in ("mean", "max", "min") if table[column].dtype.is_numeric() and table[column].count() else ():
            query = f"{name}(`{column.replace('`', '``')}`)"
            yield {"question": f"What is the {name} of {column}?", "key": f"{computed(read(query), table):.2f}", "sort": "query", "by": query}
