"""What commands say, in the language of ILK_LANG: English, or Chinese by the templates of zh.json.

Texts are made in English and put into another language at the edge, where they are printed, so that nothing else knows of languages. A template has `{}` where the
English text has something put in; its translation says `{0}`, `{1}`, ..., or `{0!}` where what was put in is a text to translate too.
"""
from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

from ilk.errors import IlkError

CATALOGUE = Path(__file__).with_name("zh.json")
LONGEST = 2000
_PLACE = re.compile(r"\{(\d+)(!?)\}")


def chinese() -> bool:
    """Whether ILK_LANG asks for Chinese; the language of the machine does not matter, since scripts read what is printed."""
    return os.environ.get("ILK_LANG", "").lower().startswith("zh")


def told(text: str) -> str:
    """A text of ilk's own in the language that is asked for: as a whole, else line by line; what has no translation stays.

    >>> told("saved in a.ilk; next: ilk sample a.ilk")
    'saved in a.ilk; next: ilk sample a.ilk'
    """
    if not chinese():
        return text
    whole = translated(text)
    return whole if whole != text else "\n".join(map(translated, text.split("\n")))


def failure(why: IlkError) -> str:
    """What went wrong and what would work. The code is no part of it, and the same in every language."""
    if not chinese():
        return str(why)
    return translated(why.message) + ("" if why.remedy is None else f"；{translated(why.remedy)}")


def help_text(doc: str) -> str:
    """A help text, paragraph by paragraph."""
    if not chinese():
        return doc
    known = catalogue()["help"]
    return "\n\n".join(known.get(" ".join(part.split()), part) for part in doc.split("\n\n"))


def translated(text: str) -> str:
    """A text in Chinese by the most literal template that fits it, or as it is.

    >>> translated("people.csv is empty")
    'people.csv 是空的'
    >>> translated("people.csv row 3 has 2 cells, the header has 4")
    'people.csv 第 3 行有 2 个单元格，表头有 4 个'
    """
    if len(text) > LONGEST:   # of patterns with several holes a long text could make long work
        return text
    indented = text[:len(text) - len(text.lstrip(" "))]
    for pattern, chinese in _patterns():
        if found := pattern.fullmatch(text.strip(" ")):
            return indented + _filled(chinese, found.groups())
    return text


def _filled(chinese: str, put: Sequence[str]) -> str:
    """A translation with what was put in."""
    return _PLACE.sub(lambda place: translated(put[int(place[1])]) if place[2] else put[int(place[1])], chinese)


@cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Templates in English and Chinese, by what they are of: errors, lines that commands print, help."""
    found: Mapping[str, Mapping[str, str]] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    return found


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """The templates of messages, the most literal first."""
    known = {**catalogue()["lines"], **catalogue()["errors"]}
    return [(re.compile("(.*?)".join(map(re.escape, template.split("{}"))), re.DOTALL), chinese)
            for template, chinese in sorted(known.items(), key=lambda pair: -len(pair[0].replace("{}", "")))]
