"""Named values out of a text, each found in it: what does not stand in the text fails, what does has its place."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ..chat import Schema, Shape, Turn
from ..checked import Checked, Finding, Task, asked, text_of
from ._json import parsed, record
from ._texts import Span, numbers, value

Sort = Literal["text", "number", "texts"]
_SHAPES: dict[str, dict[str, Any]] = {"text": {"type": ["string", "null"]}, "number": {"type": ["number", "null"]}, "texts": {"type": "array", "items": {"type": "string"}}}


@dataclass(frozen=True)
class Extracted:
    """The values by field (None: the text has none), and where in the text each stands."""

    values: Mapping[str, Any]
    places: Mapping[str, tuple[Span, ...]]

    def __str__(self) -> str:
        return json.dumps(dict(self.values), ensure_ascii=False)


@dataclass(frozen=True, kw_only=True)
class Extraction(Task[str, Extracted]):
    """The `fields` of a text, each a text, a number or texts. A value that stands in the text may still be the wrong one.

    >>> done = Extraction(fields={"name": "text", "age": "number"}).check("Ann Lee is 41.", '{"name": "Ann Lee", "age": 41}')
    >>> done.value.places["age"][0].start, done.findings
    (11, ())
    """

    fields: Mapping[str, Sort] = field(default_factory=lambda: {"names": "texts"})

    def turns(self, given: str) -> tuple[Turn, ...]:
        """The text and the fields."""
        said = ", ".join(f'"{name}" ({sort})' for name, sort in self.fields.items())
        return asked(f"Find these in the text and answer with one JSON object of just these keys: {said}. Copy values word for word; null, or [], for what is not there.",
                     ("Text", given))

    def read(self, word: str) -> str:
        """A text."""
        return text_of(word)

    def shape(self, given: str) -> Shape:
        """An object of the fields."""
        return Schema(record({name: _SHAPES[sort] for name, sort in self.fields.items()}))

    def check(self, given: str, answer: str) -> Checked[Extracted]:
        """Each value looked up."""
        found, wrong = parsed(answer, dict)
        if not wrong:
            wrong = (*(Finding("FIELD", f"the field {n!r} is missing") for n in self.fields if n not in found),
                     *(Finding("FIELD", f"there is no field {n!r}") for n in found if n not in self.fields),
                     *(Finding("TYPE", f"{n} is {found[n]!r}, which is no {sort}") for n, sort in self.fields.items() if n in found and not _fits(found[n], sort)))
        kept = {n: found[n] for n, sort in self.fields.items() if n in found and _fits(found[n], sort)}
        places = {n: {str(v): _place(v, given) for v in _each(kept[n])} for n in kept}
        return Checked(Extracted(kept, {n: tuple(p for p in some.values() if p) for n, some in places.items()}), (*wrong, *_absent(places)))


def _fits(found: Any, sort: Sort) -> bool:
    if sort == "texts":
        return isinstance(found, list) and all(isinstance(v, str) for v in found)
    return found is None or (isinstance(found, str) if sort == "text" else isinstance(found, int | float) and not isinstance(found, bool))


def _each(found: Any) -> list[Any]:
    return found if isinstance(found, list) else [] if found is None else [found]


def _place(found: str | float, text: str) -> Span | None:
    """Where it stands: a number by its value, a text as a whole, however it is spaced or capitalised."""
    if not isinstance(found, str):
        return next((n for n in numbers(text) if float(value(n.text)) == found), None)
    words = found.split()
    pattern = r"\s+".join(map(re.escape, words))
    edges = (r"(?<![A-Za-z0-9])" if pattern[:1].isalnum() else "") + pattern + (r"(?![A-Za-z0-9])" if found.strip()[-1:].isalnum() else "")
    got = re.search(edges, text, re.IGNORECASE) if words else None
    return Span(got.start(), got.end(), got[0]) if got else None


def _absent(places: Mapping[str, Mapping[str, Span | None]]) -> Iterator[Finding]:
    for name, some in places.items():
        yield from (Finding("NOT_FOUND", f"{name}: {said[:80]!r} does not stand in the text") for said, place in some.items() if place is None)
