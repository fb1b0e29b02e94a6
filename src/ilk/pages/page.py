"""A page of sections, each with text, tables, charts and examples: no script, nothing from elsewhere."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
from jinja2 import Environment

from ilk.files import atomic

TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
:root { --ink: #1d2430; --soft: #5b6675; --line: #dfe4ea; --paper: #fbfcfd; --accent: #3b6ea5; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6eaf0; --soft: #9aa6b5; --line: #313a46; --paper: #151a21; --accent: #7fb0e0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem 1.2rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
h1 { font-size: 1.7rem; margin: 1rem 0 .2rem; } h2 { margin: 2.2rem 0 .4rem; border-top: 1px solid var(--line); padding-top: 1.2rem; }
p { margin: .5rem 0; } .soft { color: var(--soft); font-size: .92rem; }
.scroll { overflow-x: auto; margin: .8rem 0; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; } th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; } img { max-width: 100%; height: auto; background: #fff; border-radius: 6px; margin: .6rem 0; }
pre { white-space: pre-wrap; overflow-wrap: anywhere; border-left: 3px solid var(--accent); padding: .4rem .9rem; margin: .7rem 0; font: .88rem/1.45 ui-monospace, monospace; }
</style></head><body>
<h1>{{ title }}</h1><p class="soft">{{ lead }}</p>
{% for s in sections %}<section><h2>{{ s.title }}</h2>
{% for p in s.text %}<p>{{ p }}</p>{% endfor %}
{% for t in s.tables %}<p class="soft">{{ t.caption }}</p><div class="scroll"><table><thead><tr>{% for c in t.head %}<th>{{ c }}</th>{% endfor %}</tr></thead>
<tbody>{% for row in t.rows %}<tr>{% for c in row %}<td>{{ c }}</td>{% endfor %}</tr>{% endfor %}</tbody></table></div>{% endfor %}
{% for c in s.charts %}<p class="soft">{{ c.caption }}</p><img alt="{{ c.caption }}" src="data:image/png;base64,{{ c.png }}">{% endfor %}
{% for e in s.examples %}<pre>{{ e }}</pre>{% endfor %}
</section>{% endfor %}
</body></html>
"""


@dataclass(frozen=True)
class Grid:
    """A table of texts."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Chart:
    """A picture with its caption."""

    caption: str
    png: str


@dataclass(frozen=True)
class Section:
    """A part of the page."""

    title: str
    text: Sequence[str] = ()
    tables: Sequence[Grid] = ()
    charts: Sequence[Chart] = ()
    examples: Sequence[str] = field(default_factory=tuple)


def grid(caption: str, frame: pl.DataFrame) -> Grid:
    """Rows of a frame."""
    rows = tuple(tuple(_cell(v) for v in row) for row in frame.rows())
    return Grid(caption, tuple(frame.columns), rows)


def _cell(value: object) -> str:
    return "missing" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def write(to: Path, title: str, lead: str, sections: Sequence[Section]) -> None:
    """The page as a file, escaped throughout."""
    page = Environment(autoescape=True).from_string(TEMPLATE).render(title=title, lead=lead, sections=sections)
    with atomic(to) as file:
        file.write(page.encode())
