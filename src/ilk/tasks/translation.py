"""A text in another language; that it is that language, and that numbers, placeholders and lines survive, is checked."""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ..chat import Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ._languages import is_in
from ._texts import numbers

Language = Literal["zh", "ja", "ko", "ru", "ar", "en", "de", "fr", "es", "it", "pt", "nl"]
SAID: dict[str, str] = {"zh": "Chinese (simplified)", "ja": "Japanese", "ko": "Korean", "ru": "Russian", "ar": "Arabic", "en": "English", "de": "German", "fr": "French",
                        "es": "Spanish", "it": "Italian", "pt": "Portuguese", "nl": "Dutch"}
# What is not to be translated: {name}, {{name}}, %s, %(name)d, $name, <tag>, addresses.
_HELD = re.compile(
    r"\{\{?[\w.]*\}?\}|%(?:\(\w+\))?[sdfi]|\$\{?[A-Za-z_]\w*\}?|</?[A-Za-z][^<>]*>|https?://[\w./?=&%#~:+-]*[\w/]|(?<![\w.+-])[\w.+-]+@[\w-]+\.[\w.]+", re.ASCII)
_NAMED = "January February March April May June July August September October November December"
_MONTHS = {name: str(i) for i, name in enumerate(_NAMED.split(), 1)}
_MONTH, _MONTH_DIGITS = re.compile(rf"\b({'|'.join(_MONTHS)})\b"), re.compile(r"(?<!\d)(1[0-2]|[1-9])\s?月")


@dataclass(frozen=True, kw_only=True)
class Translation(Task[str, str]):
    """The text in the language `to`, with the names of `keep` as they are. What the words mean is not checked.

    >>> [f.code for f in Translation(to="en").check("你好，{name}！ 3 封信。", "Hello! You have 4 letters.").findings]
    ['PLACEHOLDER', 'NUMBER', 'NUMBER']
    """

    to: Language = "en"
    keep: tuple[str, ...] = ()

    def turns(self, given: str) -> tuple[Turn, ...]:
        """The text, and what has to stay."""
        kept = f" Leave these as they are: {', '.join(self.keep)}." if self.keep else ""
        return asked(f"Translate the text into {SAID[self.to]}, line by line. Keep numbers in digits, and keep placeholders, tags and addresses as they are.{kept} "
                     "Answer with nothing but the translation.", ("Text", given))

    def read(self, word: str) -> str:
        """A text."""
        return text_of(word)

    def check(self, given: str, answer: str) -> Checked[str]:
        """What survived."""
        text = answer.strip("\n")
        return Checked(text, tuple(self._wrong(given.strip("\n"), text)))

    def _wrong(self, given: str, text: str) -> Iterator[Finding]:
        if not text.strip():
            yield Finding("EMPTY", "there is no translation")
            return
        bare = _HELD.sub(" ", text)
        if not is_in(bare, self.to):
            yield Finding("LANGUAGE", f"this is not {SAID[self.to]}: {text[:60]!r}")
        elif text.strip() == given.strip():
            yield Finding("LANGUAGE", "this is the text itself, not a translation")
        if (had := len(given.splitlines())) != (has := len(text.splitlines())):
            yield Finding("LINES", f"the text has {had} lines and the translation {has}")
        yield from _lost(Counter(_HELD.findall(given)), Counter(_HELD.findall(text)), "PLACEHOLDER", "placeholder")
        yield from _lost(_figures(given, text), _figures(text, given), "NUMBER", "number")
        for name in self.keep:
            if given.count(name) > text.count(name):
                yield Finding("NAME", f"{name!r} is in the text {given.count(name)} times and in the translation {text.count(name)}")


def _figures(text: str, other: str) -> Counter[str]:
    """Numbers by their digits alone, since 1,200.5 is 1.200,5 elsewhere; a month by name counts as its number where the other side has it so (3 May, 5月3日)."""
    joined = re.sub(r"(?<=\d)[.,'\u2019\u00a0\u202f](?=\d)", "", _HELD.sub(" ", text))
    named = Counter(_MONTHS[m] for m in _MONTH.findall(text)) & Counter(_MONTH_DIGITS.findall(other))
    return Counter(n.text.lstrip("-\u2212") for n in numbers(joined)) + named


def _lost(had: Counter[str], has: Counter[str], code: str, what: str) -> Iterator[Finding]:
    yield from (Finding(code, f"the {what} {lost} was lost") for lost in (had - has))
    yield from (Finding(code, f"the {what} {more} is not in the text") for more in (has - had))
