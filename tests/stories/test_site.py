"""The site: every page is listed, has its twin in the other language, and all is built without a warning."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from ._pages import ROOT, code_of, environment, script

DOCS = ROOT / "docs"
DRAWN = {"design.md", "families.md"}   # their drawings of letters have words in them
PAGES = sorted(p.relative_to(DOCS / "en").as_posix() for p in (DOCS / "en").rglob("*.md"))


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return script("make_site")


def levels(page: Path) -> list[int]:
    """The levels of a page's headings, in order."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    return [len(marks) for marks in re.findall(r"^(#+) ", text, re.MULTILINE)]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_page_is_in_the_contents(make: ModuleType, language: str) -> None:
    lost = make.unlisted(language)
    assert lost == [], f"docs/{language}/index.md is the table of contents: link {', '.join(lost)} from the section where a reader looks for it"


def test_the_contents_are_the_same_in_both_languages(make: ModuleType) -> None:
    en, zh = ([list(named) for named in make.contents(language).values()] for language in ("en", "zh"))
    assert en == zh


def test_every_page_has_its_twin() -> None:
    zh = sorted(p.relative_to(DOCS / "zh").as_posix() for p in (DOCS / "zh").rglob("*.md"))
    assert [p for p in PAGES if p not in zh] == [], "English pages without a Chinese one"
    assert [p for p in zh if p not in PAGES] == [], "Chinese pages without an English one"


@pytest.mark.parametrize("name", PAGES)
def test_twins_have_the_same_headings_and_code(name: str) -> None:
    en, zh = (DOCS / language / name for language in ("en", "zh"))
    assert levels(zh) == levels(en)
    said = [[block for block in code_of(page) if name not in DRAWN or block[0] not in ("", "text")] for page in (zh, en)]
    assert said[0] == said[1]


def test_links_out_of_the_site_are_only_text(make: ModuleType) -> None:
    at = DOCS / "en" / "articles" / "gan.md"
    said = make.linked(
        "[a](vae.md) [b](../gan.md#options) [c](../../../tests/x.py) ![d](../../articles-pictures/gan.png) [e](https://x.org)\n```\n[f](g.md)\n```\n",
        at, "articles/gan", "en")
    assert said == "[a](../articles/vae.md) [b](../gan.md#options) c ![d](../articles-pictures/gan.png) [e](https://x.org)\n```\n[f](g.md)\n```\n"


def test_examples_of_docstrings_are_code(make: ModuleType) -> None:
    assert make.markdown("What.\n\n>>> f(1)\n2\n>>> g()\n\nMore.") == "What.\n\n\n```python\n>>> f(1)\n2\n>>> g()\n```\n\nMore."


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("myst_parser")
    ran = subprocess.run([sys.executable, str(ROOT / "scripts" / "make_site.py"), str(tmp_path)], capture_output=True, text=True, env=environment(), timeout=300, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    for language, word, twin in (("en", "posterior", "中文"), ("zh", "后验", "English")):
        page = (tmp_path / language / "vae.html").read_text(encoding="utf-8")
        assert f'href="../{"zh" if language == "en" else "en"}/vae.html"' in page and twin in page
        assert json.dumps(word) in (tmp_path / language / "searchindex.js").read_text(encoding="utf-8")   # found by Chinese words too
        assert 'id="ilk.fit"' in (tmp_path / language / "api.html").read_text(encoding="utf-8")
    fetched = [at.name for at in tmp_path.rglob("*.html") if re.search(r'(?:src|rel="stylesheet"[^>]*href)="https?://', at.read_text(encoding="utf-8"))]
    assert fetched == []   # nothing comes from the network
