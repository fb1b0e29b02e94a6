"""An article, story, ad, script, post or poem whose length, form and words are as asked, which neither runs in circles nor copies."""
from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Interval

from ..chat import Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ._copied import longest_run, repeated
from ._languages import is_in
from ._texts import length, sentences
from .translation import SAID, Language

Style = Literal["article", "story", "ad", "script", "post", "poem"]
_HEAD, _SPOKEN, _TAG = re.compile(r"#{1,6}\s+(.+?)\s*#*"), re.compile(r"([^\s:：][^:：\n]{0,30})[:：]\s*\S"), re.compile(r"(?<!\w)#\w+")


@dataclass(frozen=True)
class Written:
    """A text with what was measured of it: its length, headings, share of repeated 4-grams, and the longest run it shares with a known text."""

    text: str
    length: int
    headings: tuple[str, ...]
    repeated: float
    copied: str

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, kw_only=True)
class Writing(Task[str, Written]):
    """A text of a style on what is given, of `least` to `most` words (Chinese: characters; None: the style's own), in a `language` (None: any).

    `sections` are headings in their order, `lines` how many lines that are not blank; `required` words stand in it, `forbidden` ones don't. No more than `repeat` of its
    4-grams come again, and no run of more than `copied` words is shared with the texts `known`. How good it is to read is not checked.

    >>> [f.told for f in Writing(style="post", forbidden=("cheap",)).check("tea", "Cheap tea! #tea").findings]
    ["the word 'cheap' is forbidden"]
    """

    style: Style = "article"
    least: Annotated[int, Interval(ge=0)] | None = None
    most: Annotated[int, Interval(ge=1)] | None = None
    language: Language | None = None
    sections: tuple[str, ...] = ()
    lines: Annotated[int, Interval(ge=1)] | None = None
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()
    repeat: Annotated[float, Interval(ge=0, le=1)] = 0.2
    copied: Annotated[int, Interval(ge=1)] = 12
    known: tuple[str, ...] = ()

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the most words: those asked for, else the style's."""
        least, most, _, _ = _STYLES[self.style]
        most = self.most if self.most is not None else max(most, 2 * (self.least or 0))
        return (self.least if self.least is not None else min(least, most)), most

    def turns(self, given: str) -> tuple[Turn, ...]:
        """Everything that is checked, said."""
        least, most = self.bounds
        said = [f"Write {_STYLES[self.style][2]}, of {least} to {most} words (Chinese: characters)."]
        said += [f"Write in {SAID[self.language]}."] if self.language else []
        said += [f"Give it these headings, each on a line of its own after '## ', in this order: {'; '.join(self.sections)}."] if self.sections else []
        said += [f"It has {self.lines} lines."] if self.lines else []
        said += [f"These words have to stand in it: {', '.join(self.required)}."] if self.required else []
        said += [f"These words must not stand in it: {', '.join(self.forbidden)}."] if self.forbidden else []
        return asked(" ".join([*said, "Answer with the text and nothing else."]), ("About", given))

    def read(self, word: str) -> str:
        """What it shall be about."""
        return text_of(word)

    def check(self, given: str, answer: str) -> Checked[Written]:
        """All that was asked for, measured."""
        text = answer.strip()
        run = longest_run(text, tuple(map(text_of, self.known)))
        headings = tuple(h[1] for line in text.splitlines() if (h := _HEAD.fullmatch(line)))
        made = Written(text, length("\n".join(line for line in text.splitlines() if not _HEAD.fullmatch(line))), headings, repeated(text), " ".join(run))
        return Checked(made, (*self._form(made), *self._words(made), *self._own(made, len(run))))

    def _form(self, made: Written) -> Iterator[Finding]:
        least, most = self.bounds
        if not least <= made.length <= most:
            yield Finding("LENGTH", f"it has {made.length} words or characters, and {least} to {most} are asked for")
        if self.language and not is_in(made.text, self.language):
            yield Finding("LANGUAGE", f"this is not {SAID[self.language]}: {made.text[:60]!r}")
        if self.sections and (found := tuple(h for h in made.headings if h in self.sections)) != self.sections:
            yield Finding("SECTIONS", f"of the headings asked for it has {'; '.join(found) or 'none'}; in this order are wanted: {'; '.join(self.sections)}")
        if self.lines and (many := len([line for line in made.text.splitlines() if line.strip()])) != self.lines:
            yield Finding("LINES", f"it has {many} lines, and {self.lines} are asked for")
        if wrong := _STYLES[self.style][3](made.text):
            yield Finding("FORM", wrong)

    def _words(self, made: Written) -> Iterator[Finding]:
        yield from (Finding("REQUIRED", f"the word {word!r} is missing") for word in self.required if not stands(word, made.text))
        yield from (Finding("FORBIDDEN", f"the word {word!r} is forbidden") for word in self.forbidden if stands(word, made.text))

    def _own(self, made: Written, run: int) -> Iterator[Finding]:
        if made.repeated > self.repeat:
            yield Finding("REPEATED", f"{made.repeated:.0%} of its 4-grams stood in it before, and {self.repeat:.0%} are allowed")
        if again := _twice(made.text):
            yield Finding("REPEATED", f"it says this twice: {again[:80]!r}")
        if run > self.copied:
            yield Finding("COPIED", f"{run} words or characters in a row are copied, and {self.copied} are allowed: {made.copied[:120]!r}")


def stands(word: str, text: str) -> bool:
    """Whether a word stands in a text by itself, in any case; in Chinese, whether its characters do.

    >>> stands("art", "The Art of tea"), stands("art", "party")
    (True, False)
    """
    edge = r"(?<![A-Za-z0-9_])" if word[:1].isascii() else ""
    end = r"(?![A-Za-z0-9_])" if word[-1:].isascii() else ""
    return re.search(edge + re.escape(word) + end, text, re.IGNORECASE) is not None


def _twice(text: str) -> str:
    """The first sentence of some length that comes again."""
    seen = set()
    for sentence in sentences(text):
        if length(sentence.text) > 3 and sentence.text.casefold() in seen:
            return sentence.text
        seen.add(sentence.text.casefold())
    return ""


def _paragraphs(text: str) -> list[str]:
    return [p for p in re.split(r"\n\s*\n", text) if p.strip()]


def _article(text: str) -> str:
    heads = [line for line in text.splitlines() if _HEAD.fullmatch(line)]
    return "" if heads and text.startswith("#") else "an article begins with a title after '# '"


def _story(text: str) -> str:
    return "" if len(_paragraphs(text)) >= 2 and not _HEAD.search(text) else "a story has two paragraphs or more, a blank line between them, and no headings"


def _ad(text: str) -> str:
    first, *rest = [line for line in text.splitlines() if line.strip()] or [""]
    return "" if rest and length(first) <= 15 else "an ad has a first line of at most 15 words, and lines after it"


def _script(text: str) -> str:
    who = [m[1] for line in text.splitlines() if (m := _SPOKEN.match(line))]
    return "" if len(who) >= 4 and len(set(who)) >= 2 else f"a script has four lines 'NAME: words' or more, of two people or more; here are {len(who)}, of {len(set(who))}"


def _post(text: str) -> str:
    tags = len(_TAG.findall(text))
    return "" if 1 <= tags <= 5 and len(text) <= 280 else f"a post has one to five #tags and at most 280 characters; here are {tags} and {len(text)}"


def _poem(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return "" if len(lines) >= 4 and max(map(length, lines)) <= 20 else "a poem has four lines or more, none of more than 20 words"


# Of each style: the least and the most words, what it is, and what is wrong with its form ("" for nothing).
_STYLES: Mapping[str, tuple[int, int, str, Callable[[str], str]]] = {
    "article": (150, 1200, "an article in Markdown that begins with a title after '# '", _article),
    "story": (150, 2000, "a story in two paragraphs or more, with a blank line between them and no headings", _story),
    "ad": (10, 80, "an ad: a first line of at most 15 words, then a few lines", _ad),
    "script": (40, 1500, "a scene of a script, every line as NAME: words, with two people or more", _script),
    "post": (3, 60, "a post for a social network of at most 280 characters, with one to five #tags", _post),
    "poem": (8, 300, "a poem of four lines or more, each of at most 20 words", _poem)}
