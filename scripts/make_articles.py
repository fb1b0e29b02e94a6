"""Writes docs/articles.md and docs/articles.zh-CN.md: every heading of the five overview articles, and what in ilk answers it.

The table is docs/articles.toml; tests/stories/article_headings.txt lists the headings themselves, since the articles don't come with ilk.
`python scripts/make_articles.py` writes the pages, `--check` only says whether they are up to date. Either first sees that all that is named is there.
"""
from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from _written import settled

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HEADINGS = ROOT / "tests" / "stories" / "article_headings.txt"
PAGES = {"en": DOCS / "articles.md", "zh": DOCS / "articles.zh-CN.md"}
WORDS = {
    "title": ("The articles, heading by heading", "逐条对照五篇文章"),
    "lead": ("ilk is to do what five Chinese overview articles of generative AI describe, numbered 000 to 004 here. Below stands every heading of theirs, every kind of use "
             "and every question that has a title, {n} in all, and what answers it: pages, commands and tests, whose names say what they prove; and what is **not in this "
             "version**, because of the reason given. "
             "{lacking} of them lack something. The programs of three of the articles are corrected and run [on pages of their own](articles-own).",
             "ilk 要做的，是五篇生成式 AI 综述文章（这里编号为 000 至 004）所描述的事。下面列出它们的每个标题、每种有标题的用途和每个问题，共 {n} 条，"
             "以及与之对应的页面、命令和测试（测试名说明它证明什么）；"
             "**本版本没有的**，写明原因。其中 {lacking} 条有所欠缺。三篇文章里的程序经过改正，[在各自的页面上](articles-own)运行。"),
    "made": ("This page is written by `python scripts/make_articles.py` from `docs/articles.toml`.",
             "本页由 `python scripts/make_articles.py` 根据 `docs/articles.toml` 写成。"),
    "heading": ("heading", "标题"), "pages": ("pages and commands", "页面与命令"), "tests": ("tests", "测试"),
    "lacks": ("not in this version, because", "本版本没有，因为"), "and": ("; ", "；"), "stop": (". ", "。")}


def table() -> Mapping[str, Any]:
    """The checked-in table."""
    return tomllib.loads((DOCS / "articles.toml").read_text(encoding="utf-8"))


def lines(of: Mapping[str, Any]) -> Iterator[str]:
    """The headings of the table as the list of headings writes them."""
    for article in of["article"]:
        for heading in article["heading"]:
            yield f"{article['number']} {'#' * heading['level']} {heading['zh']}"


def faults(of: Mapping[str, Any]) -> list[str]:
    """Headings without a line, lines without a heading, lines that say nothing, and what is named but is not there."""
    wanted, found = HEADINGS.read_text(encoding="utf-8").splitlines(), list(lines(of))
    wrong = [f"no line for the heading: {line}" for line in wanted if line not in found]
    wrong += [f"no such heading: {line}" for line in found if line not in wanted]
    there = commands()
    for article in of["article"]:
        for heading in article["heading"]:
            told = [*_absent(heading, there), *(f"no reason {name}" for name in heading.get("lacks", ()) if name not in of["lacks"])]
            if not any(heading.get(key) for key in ("pages", "commands", "tests", "lacks")):
                told.append("neither a page, a command, a test nor a reason")
            wrong += [f"{article['number']} {heading['zh']}: {what}" for what in told]
    named = {name for article in of["article"] for heading in article["heading"] for name in heading.get("lacks", ())}
    return wrong + [f"a reason that no line gives: {name}" for name in of["lacks"] if name not in named]


def _absent(heading: Mapping[str, Any], there: Collection[str]) -> Iterator[str]:
    for name in heading.get("pages", ()):
        if any(not page(name, language).is_file() for language in PAGES):
            yield f"no page {name}"
    yield from (f"no command {name}" for name in heading.get("commands", ()) if name not in there)
    for node in heading.get("tests", ()):
        file, _, name = node.partition("::")
        if not (ROOT / file).is_file() or name and name not in functions(ROOT / file):
            yield f"no test {node}"


@cache
def functions(file: Path) -> frozenset[str]:
    """The tests of a file."""
    return frozenset(node.name for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))) if isinstance(node, ast.FunctionDef))


def commands() -> frozenset[str]:
    """Every command of ilk, those of two words too."""
    from ilk.cli import build

    app = build()
    names = [name for name in app if not name.startswith("-")]
    return frozenset([*names, *(f"{name} {word}" for name in names for word in app[name] if not word.startswith("-"))])


def page(name: str, language: str) -> Path:
    """Where a page is: in the folder of its language, or beside both."""
    inside = DOCS / language / f"{name}.md"
    return inside if inside.is_file() else DOCS / f"{name}.md"


def written(of: Mapping[str, Any], language: str) -> str:
    """The page."""
    word = {key: both[language == "zh"] for key, both in WORDS.items()}
    every = [heading for article in of["article"] for heading in article["heading"]]
    lead = word["lead"].replace("articles-own", f"{language}/articles/index.md")
    told = [f"# {word['title']}", lead.format(n=len(every), lacking=sum("lacks" in heading for heading in every)), word["made"]]
    for article in of["article"]:
        rows = [_row(heading, of["lacks"], language, word) for heading in article["heading"]]
        top = f"| {word['heading']} | {word['pages']} | {word['tests']} | {word['lacks']} |\n|---|---|---|---|"
        told += [f"## {article['number']}{': ' if language == 'en' else '：'}{article[language]}", "\n".join([top, *rows])]
    return "\n\n".join(told) + "\n"


def _row(heading: Mapping[str, Any], reasons: Mapping[str, Any], language: str, word: Mapping[str, str]) -> str:
    title = heading["zh"] if language == "zh" else f"{heading['en']} ({heading['zh']})" if heading["zh"] != heading["en"] else heading["en"]
    shown = f"**{title}**" if heading["level"] < 3 else "&ensp;" * (heading["level"] - 2) + title
    pages = [f"[{name.removesuffix('/index')}]({page(name, language).relative_to(DOCS).as_posix()})" for name in heading.get("pages", ())]
    pages += [f"`ilk {name}`" for name in heading.get("commands", ())]
    tests = [f"[{_claim(node)}](../{node.partition('::')[0]})" for node in heading.get("tests", ())]
    lacks = word["and"].join(reasons[name][language] for name in heading.get("lacks", ()))
    note = heading.get("note", {}).get(language, "")
    cells = [shown + (f"<br>*{note}*" if note else ""), ", ".join(pages), "; ".join(tests), lacks]
    return f"| {' | '.join(cells)} |"


def _claim(node: str) -> str:
    """What a test proves, by its name."""
    file, _, name = node.partition("::")
    stem = Path(file).stem.removeprefix("test_")
    return f"{stem}: {name.removeprefix('test_').replace('_', ' ')}" if name else stem


if __name__ == "__main__":
    of = table()
    if wrong := faults(of):
        sys.exit("\n".join(wrong))
    sys.exit(settled({to: written(of, language) for language, to in PAGES.items()}))
