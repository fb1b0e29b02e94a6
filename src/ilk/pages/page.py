"""A page of sections, each of blocks: texts, points, facts, tables, galleries, examples. Nothing from elsewhere; a script only where a table sorts."""
from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import ClassVar

import polars as pl
from jinja2 import Environment
from markupsafe import Markup

from ilk.errors import printable
from ilk.files import atomic
from ilk.modality import Shown
from ilk.pages.style import SORT, STYLE

TEMPLATE = """<!doctype html>
<html lang="{{ language }}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>{{ style }}</style></head><body>
<header><h1>{{ title }}</h1><p class="soft">{{ lead }}</p>
{% if sections|length > 2 %}<nav>{% for s in sections %}<a href="#s{{ loop.index }}">{{ s.title }}</a>{% endfor %}</nav>{% endif %}</header>
{% for s in sections %}<section id="s{{ loop.index }}"><h2>{{ s.title }}</h2>
{% for b in s.blocks %}{% if b.caption %}<p class="soft">{{ b.caption }}</p>{% endif %}
{% if b.kind == "text" %}<p>{{ b.text }}</p>
{% elif b.kind == "facts" %}<dl>{% for name, value in b.rows %}<dt>{{ name }}</dt><dd>{{ value }}</dd>{% endfor %}</dl>
{% elif b.kind == "points" %}<ul>{% for p in b.points %}<li>{{ p }}</li>{% endfor %}</ul>
{% elif b.kind == "example" %}<pre>{{ b.text }}</pre>
{% elif b.kind == "grid" %}<div class="scroll"><table class="{{ b.form }}"><thead><tr>{% for c in b.head %}<th>{{ c }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in b.rows %}<tr>{% for c in row %}<td data-label="{{ b.head[loop.index0] }}">{{ c }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>
{% else %}<div class="gallery" style="--least:{{ b.least }}rem">{% for c in b.cells %}
<figure>{{ c.body }}{% if c.caption %}<figcaption>{{ c.caption }}</figcaption>{% endif %}</figure>
{% endfor %}</div>
{% endif %}{% endfor %}</section>
{% endfor %}{% if script %}<script>{{ script }}</script>{% endif %}</body></html>
"""
PIXELS = 128  # a picture of one item up to so wide is drawn with sharp pixels


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str | Markup
    caption: str = ""
    kind: ClassVar[str] = "text"


@dataclass(frozen=True)
class Points:
    """Sentences that stand by themselves."""

    points: Sequence[str]
    caption: str = ""
    kind: ClassVar[str] = "points"


@dataclass(frozen=True)
class Facts:
    """Names and what they are."""

    rows: Sequence[tuple[str, str | Markup]]
    caption: str = ""
    kind: ClassVar[str] = "facts"


@dataclass(frozen=True)
class Example:
    """A text as it is, line by line; a part may be marked."""

    text: str | Markup
    caption: str = ""
    kind: ClassVar[str] = "example"


@dataclass(frozen=True)
class Grid:
    """A table. `form`: "" scrolls where it is wide, "sort" too and is put in order by a click on a column's head, "stack" becomes cards on a phone, "board" is of pictures."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str | Markup]]
    form: str = ""
    kind: ClassVar[str] = "grid"


@dataclass(frozen=True)
class Cell:
    """Something to look at, and what it is."""

    caption: str | Markup
    body: Markup


@dataclass(frozen=True)
class Gallery:
    """Cells side by side, as many in a line as have room; `least` is how wide each is at least, in letters' heights."""

    caption: str | Markup
    cells: Sequence[Cell]
    least: int = 15
    kind: ClassVar[str] = "gallery"


Block = Text | Points | Facts | Example | Grid | Gallery


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    blocks: Sequence[Block]


def grid(caption: str, frame: pl.DataFrame, missing: str = "missing") -> Grid:
    """Rows of a frame."""
    return Grid(caption, frame.columns, [[cell(v, missing) for v in row] for row in frame.rows()])


def cell(value: object, missing: str = "missing") -> str:
    """A cell of a table in words."""
    return missing if value is None else f"{value:.6g}" if isinstance(value, float) else printable(str(value))


def number(value: float | None) -> str:
    """A figure with four digits that count.

    >>> number(0.67704), number(-12345.6), number(None)
    ('0.677', '-12,346', '')
    """
    if value is None:
        return ""
    return f"{value:z,.0f}" if abs(value) >= 1000 else f"{value:z.4g}"


def width(shown: Shown) -> int:
    """How wide a PNG is; 0 for anything else."""
    return int.from_bytes(shown.data[16:20], "big") if shown.mime == "image/png" else 0


def embedded(shown: Shown, alt: str = "", sharp: bool = False) -> Markup:
    """Items within a page: pictures inline, HTML as their kind of data made it, text as it is."""
    mime = shown.mime.partition(";")[0]
    if mime.startswith("image/"):
        look = ' class="sharp"' if sharp else ""
        return Markup(f'<img{look} alt="{escape(alt)}" src="data:{mime};base64,{b64encode(shown.data).decode()}">')
    text = shown.data.decode("utf-8", "replace")
    return Markup(text) if mime == "text/html" else Markup(f"<pre>{escape(text)}</pre>")


def write(to: Path, title: str, lead: str, sections: Sequence[Section], language: str = "en") -> None:
    """The page as a file, escaped throughout."""
    script = Markup(SORT) if any(isinstance(b, Grid) and b.form == "sort" for s in sections for b in s.blocks) else ""
    page = Environment(autoescape=True, trim_blocks=True).from_string(TEMPLATE)
    with atomic(to) as file:
        file.write(page.render(title=title, lead=lead, sections=sections, language=language, style=Markup(STYLE), script=script).encode("utf-8", "replace"))
