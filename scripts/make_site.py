"""Builds the documentation as a site, in English and in Chinese: `python scripts/make_site.py [FOLDER]`. Needs Sphinx and MyST, and no network; a warning is an error.

The index page of a language is its table of contents: every page has to be linked from it, under the section where it belongs. The pages of docs/ are laid out
as the site has them, with links that lead out of the site taken away; the reference of Python is read from the docstrings of ilk's public names.
"""
from __future__ import annotations

import inspect
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
# Pages beside those of a language: where they stand, and what they are called on the site.
BESIDE = {"threats": DOCS / "threats.md", "json": DOCS / "json.md", "changelog": ROOT / "CHANGELOG.md", "contributing": ROOT / "CONTRIBUTING.md"}
DOOR = """<!DOCTYPE html><meta charset="utf-8"><title>ilk</title>
<p><a href="en/index.html">English</a> · <a href="zh/index.html" lang="zh-CN">中文</a></p>
"""
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
TITLES = {"en": ("Verbs and what they work with", "Families", "Kinds of data", "Networks", "Ways of drawing", "Samplers", "Quantities", "Trackers", "Indexes", "Tunings"),
          "zh": ("动词及相关的类型", "模型族", "数据种类", "网络", "抽取方式", "采样器", "量", "跟踪器", "索引", "微调方式")}


def pages(language: str) -> dict[str, Path]:
    """Every page of the site by its name."""
    home = DOCS / language
    own = {at.relative_to(home).with_suffix("").as_posix(): at for at in sorted(home.rglob("*.md"))}
    return {**own, "headings": DOCS / ("articles.md" if language == "en" else "articles.zh-CN.md"), **BESIDE}


def contents(language: str) -> dict[str, dict[str, str]]:
    """The sections of the index page, and in each the pages that it links to, with their titles."""
    names = {at.resolve(): name for name, at in pages(language).items()}
    found: dict[str, dict[str, str]] = {}
    seen = {"index"}
    for section in re.split(r"^## ", (DOCS / language / "index.md").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        caption, _, rest = section.partition("\n")
        for _, title, target in LINK.findall(rest):
            name = names.get((DOCS / language / target).resolve())
            if name is not None and name not in seen:
                seen.add(name)
                found.setdefault(caption, {})[name] = title.replace("`", "") if title[0] == "`" else title[0].upper() + title[1:]
    return found


def unlisted(language: str) -> list[str]:
    """Pages that the index page does not link to."""
    listed = {name for section in contents(language).values() for name in section}
    return sorted(pages(language).keys() - listed - {"index"})


def linked(text: str, at: Path, name: str, language: str) -> str:
    """The text of a page with its links as the site has them; those that lead out of it are only text."""
    names = {page.resolve(): known for known, page in pages(language).items()}
    up = "../" * name.count("/")

    def link(found: re.Match[str]) -> str:
        picture, title, target = found.groups()
        if "://" in target or target.startswith("#"):
            return found[0]
        path, _, anchor = target.partition("#")
        to = (at.parent / path).resolve()
        if to in names:
            return f"{picture}[{title}]({up}{names[to]}.md{'#' + anchor if anchor else ''})"
        kept = to.is_file() and to.suffix in (".png", ".svg", ".ipynb") and to.is_relative_to(DOCS)
        return f"{picture}[{title}]({up}{to.relative_to(DOCS).as_posix()})" if kept else title

    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in FENCED.split(text))


def lay_out(language: str, to: Path) -> None:
    """All pages of a language, as Sphinx reads them."""
    for name, at in pages(language).items():
        text = linked(at.read_text(encoding="utf-8"), at, name, language)
        text += {"index": _trees, "api": _reference, "commands": _commands}.get(name, _nothing)(language)
        (to / f"{name}.md").parent.mkdir(parents=True, exist_ok=True)
        (to / f"{name}.md").write_text(text, encoding="utf-8")
    for folder in ("pictures", "articles-pictures", "notebooks"):
        shutil.copytree(DOCS / folder, to / folder)


def _nothing(language: str) -> str:
    return ""


def _trees(language: str) -> str:
    """The index page's sections as Sphinx's table of contents."""
    return "".join(f"\n```{{toctree}}\n:hidden:\n:caption: \"{caption}\"\n\n{entries}\n```\n" for caption, named in contents(language).items()
                   for entries in ["\n".join(f"{title} <{name}>" for name, title in named.items())])


def _commands(language: str) -> str:
    """docs/help.txt, a section for each command."""
    parts = re.split(r"^\$ (ilk.*)\n\n", (DOCS / "help.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return "".join(f"\n## {title}\n\n```text\n{text.rstrip()}\n```\n" for title, text in zip(parts[::2], parts[1::2], strict=True))


def public() -> list[list[str]]:
    """ilk's public names: those of its own, then those of each axis."""
    ilk, registry = import_module("ilk"), import_module("ilk.registry")
    axes = [[registry.class_name(axis, name) for name in registry._built_in(axis)] for axis in ilk._AXES]
    return [sorted(ilk._HOMES, key=str.lower), *axes]


def _reference(language: str) -> str:
    """Every public name with its signature and docstring."""
    return "".join(f"\n## {title}\n\n{''.join(_entry(name) for name in names)}" for title, names in zip(TITLES[language], public(), strict=True))


def _entry(name: str) -> str:
    found = getattr(import_module("ilk"), name)
    kind = "class" if inspect.isclass(found) else "function" if callable(found) else "data"
    text = "\n\n".join(_told(found, kind))
    return f"\n````{{py:{kind}}} ilk.{name}{_signature(found)}\n{text}\n````\n"


_SHORT = (str, int, float, bool, tuple, type(None))


def _signature(of: Any) -> str:
    try:
        signed = inspect.signature(of)
    except (TypeError, ValueError):
        return ""
    plain = [p.replace(annotation=p.empty, default=p.default if p.default is p.empty or isinstance(p.default, _SHORT) else ...) for p in signed.parameters.values()]
    return str(signed.replace(parameters=plain, return_annotation=inspect.Signature.empty)).replace("Ellipsis", "...")


def _told(of: Any, kind: str) -> Iterator[str]:
    """A docstring as Markdown; of a class, its public methods too."""
    yield markdown(inspect.getdoc(of) or "")
    if kind == "class":
        own = [(name, method) for name, method in vars(of).items() if not name.startswith("_") and inspect.isfunction(method) and method.__doc__]
        if own:
            yield "\n".join(f"* `{name}{_signature(method)}`: {markdown((method.__doc__ or '').strip().splitlines()[0])}" for name, method in own)


def markdown(doc: str) -> str:
    """A docstring as Markdown: its examples are code."""
    return re.sub(r"(?:^>>>.*\n?(?:^(?!\s*$|>>>).*\n?|^>>>.*\n?)*)+", lambda found: f"\n```python\n{found[0].rstrip()}\n```\n", doc, flags=re.MULTILINE)


def build(to: Path) -> int:
    """The site in both languages; what Sphinx ended with."""
    source = to / "pages"
    for at in (to / language for language in ("en", "zh", "pages")):
        shutil.rmtree(at, ignore_errors=True)
    for language in ("en", "zh"):
        lay_out(language, source / language)
    shutil.copytree(DOCS / "site", source / "site")
    for language in ("en", "zh"):
        words = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html", "-c", str(source / "site"), *(["-t", "zh"] if language == "zh" else []),
                 "-d", str(to / "pages" / f"{language}.known"), str(source / language), str(to / language)]
        if code := subprocess.run(words, env={**os.environ, "SOURCE_DATE_EPOCH": "0"}, check=False).returncode:
            return code
    shutil.rmtree(source)
    (to / "index.html").write_text(DOOR, encoding="utf-8")
    return 0


if __name__ == "__main__":
    if lost := [f"docs/{language}/index.md links to no page {name}: put it under the section where it belongs" for language in ("en", "zh") for name in unlisted(language)]:
        sys.exit("\n".join(lost))
    sys.exit(build(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "site")))
