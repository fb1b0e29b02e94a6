"""The page of a trial: scores, the comparison, and every question with its answers."""
from __future__ import annotations

from pathlib import Path

from ilk.errors import printable
from ilk.pages.page import Example, Facts, Grid, Section, Text, number, write
from ilk.prompts.trial import Trial

ROWS, LONGEST = 1000, 600   # questions on a page, characters of a cell


def page(found: Trial, to: Path) -> None:
    """Writes it; questions on which two prompts differ come first."""
    heads = ("prompt", found.rules.metric, "95 % from", "to", "invalid", "tokens read", "made")
    rows = [(str(s.prompt), number(s.score), number(s.low), number(s.high), str(s.invalid), str(s.total("read")), str(s.total("made"))) for s in found.sides]
    blocks = [Grid(f"{len(found.rows)} questions, strategy {type(found.rules.strategy).__name__}, seed {found.rules.seed}", heads, rows)]
    sections = [Section("Scores", [*blocks, *([Text(found.verdict)] if found.verdict else [])]), Section("Questions", [_questions(found)])]
    for side in found.sides:
        sections.append(Section(str(side.prompt), [Facts([("fingerprint", side.prompt.fingerprint)]), Example(printable(side.prompt.text))]))
    write(to, " and ".join(str(s.prompt) for s in found.sides), "A trial of prompts over questions with known answers.", sections)


def _questions(found: Trial) -> Grid:
    gaps = [abs(a - b) for a, b in zip(found.sides[0].scores, found.sides[-1].scores, strict=True)]
    order = sorted(range(len(found.rows)), key=lambda i: -gaps[i])[:ROWS]
    names = dict.fromkeys(name for side in found.sides for name in side.prompt.variables)
    expected = found.rules.expected
    heads = (*names, expected, *(part for side in found.sides for part in (str(side.prompt), "score")))
    rows = [(*(_cell(found.rows[i].get(name, "")) for name in (*names, expected)),
             *(part for side in found.sides for part in (_cell(side.answers[i].text if side.answers[i].valid else "; ".join(side.answers[i].problems)),
                                                         number(side.scores[i])))) for i in order]
    return Grid("", heads, rows, "sort")


def _cell(value: object) -> str:
    text = printable(str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} ..."
