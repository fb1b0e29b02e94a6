"""The pages of families, kinds of data and articles: their options are those of the code, their examples run, and the Chinese ones have the same code."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import MISSING
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from ilk import registry
from ilk.distribution import Family
from ilk.flags import HIDDEN
from ilk.recipe import listed

from ._pages import ROOT, code_of, environment, run_python

DOCS = ROOT / "docs"
ARTICLES = sorted(p.stem for p in (DOCS / "en" / "articles").glob("*.md"))
# A page seeds the global generator and may take half a minute: it runs in a process of its own, which then says what some of its names are.
_RUN = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from _pages import run_python
names = {}
wrong = run_python(Path(sys.argv[2]), names)
print(json.dumps([wrong, {name: names[name] for name in sys.argv[3:]}], default=float))
"""
PAGES = [(axis, name) for axis in ("families", "modalities") for name in registry._built_in(axis)]


def takes(hint: Any) -> str:
    """What an option takes, the same in every language."""
    if get_origin(hint) is Annotated:
        return (takes(get_args(hint)[0]) + " " + bounds(get_args(hint)[1:])).strip()
    if get_origin(hint) in (Union, UnionType):
        return " or ".join("None" if a is NoneType else takes(a) for a in get_args(hint))
    if get_origin(hint) is Literal:
        return " / ".join(get_args(hint))
    plain = getattr(hint, "__name__", str(hint))
    return {"Mapping": "mapping"}.get(plain, plain)


def bounds(marks: tuple[Any, ...]) -> str:
    for m in marks:
        low = f"{m.ge}" if getattr(m, "ge", None) is not None else f">{m.gt}" if getattr(m, "gt", None) is not None else ""
        high = f"{m.le}" if getattr(m, "le", None) is not None else f"<{m.lt}" if getattr(m, "lt", None) is not None else ""
        if low or high:
            return f"{low}..{high}"
    return ""


def options(axis: str, name: str) -> list[list[str]]:
    """Name, what it takes, and default of every option."""
    cls = registry.get(axis, name)
    hints = get_type_hints(cls, include_extras=True)
    shown = [f for f in listed(cls) if f.name not in HIDDEN.get(axis, set())]
    return [[f"`{f.name}`", takes(hints[f.name]), "{}" if f.default is MISSING else _default(f.default)] for f in shown]


def _default(value: object) -> str:
    """A recipe by its name: its own page says the rest."""
    return registry.name_of("families", value) if isinstance(value, Family) else str(value)


def table(page: Path) -> list[list[str]]:
    rows = [line.strip().strip("|").split(" | ") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("axis", "name"), PAGES)
def test_options_are_those_of_the_code(axis: str, name: str, language: str) -> None:
    said = table(DOCS / language / f"{name}.md")
    assert [row[:3] for row in said] == options(axis, name)
    assert all(len(row) == 4 and row[3] for row in said)


@pytest.mark.parametrize(("axis", "name"), PAGES)
def test_example_runs(axis: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = DOCS / "en" / f"{name}.md"
    assert code_of(page) and run_python(page, {}) == []


@pytest.mark.parametrize(("axis", "name"), PAGES)
def test_translation_has_the_same_code(axis: str, name: str) -> None:
    assert code_of(DOCS / "zh" / f"{name}.md") == code_of(DOCS / "en" / f"{name}.md")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_links_lead_somewhere(language: str) -> None:
    broken = []
    for page in [*(DOCS / language).rglob("*.md"), ROOT / ("README.md" if language == "en" else "README.zh-CN.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def run_article(name: str, at: Path, *wanted: str) -> dict[str, Any]:
    """Runs a page as it stands, within three minutes even on a busy machine; the values of the names that are wanted."""
    page = DOCS / "en" / "articles" / f"{name}.md"
    ran = subprocess.run([sys.executable, "-W", "error", "-c", _RUN, str(Path(__file__).parent), str(page), *wanted],
                         capture_output=True, text=True, cwd=at, env=environment(OMP_NUM_THREADS="1"), timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    wrong, values = json.loads(ran.stdout)
    assert wrong == []
    drawn, kept = ((folder / f"{name}.png").read_bytes() for folder in (at, DOCS / "articles-pictures"))
    assert drawn[:26] == kept[:26] and len(kept) < 60_000   # PNG of the same size and depth
    return dict(values)


@pytest.mark.slow
def test_gan_without_momentum_covers_all_digits(tmp_path: Path) -> None:
    of = run_article("gan", tmp_path, "moved", "before", "after", "spread")
    assert of["moved"] == 0
    assert sum(share > 0.02 for share in of["before"]) <= 4
    assert sum(of["after"]) > 0.5 and min(of["after"]) > 0.01
    assert abs(of["spread"][2] / of["spread"][0] - 1) < 0.2


@pytest.mark.slow
def test_vae_uses_its_codes(tmp_path: Path) -> None:
    of = run_article("vae", tmp_path, "collapsed", "working", "before", "after")
    assert of["collapsed"]["active"] == 0 and of["collapsed"]["kl"] < 0.01
    assert of["working"]["active"] >= 4 and of["working"]["kl"] > 5
    assert of["working"]["nats"] > of["collapsed"]["nats"] + 100
    assert sum(share > 0 for share in of["before"]) <= 1 and min(of["after"]) > 0.01


@pytest.mark.slow
def test_diffusion_samples_are_recognised(tmp_path: Path) -> None:
    of = run_article("diffusion", tmp_path, "gap", "checked", "before", "after")
    assert max(of["gap"]) < 0.03   # q(x_t | x_0) is what t steps make of x_0
    assert sum(of["checked"]) > 0.9
    assert sum(of["before"]) < 0.25 and sum(of["after"]) > 0.5 and min(of["after"]) > 0.01


@pytest.mark.parametrize("name", ARTICLES)
def test_article_has_the_same_code_and_links_in_both_languages(name: str) -> None:
    en, zh = (DOCS / language / "articles" / f"{name}.md" for language in ("en", "zh"))
    assert code_of(zh) == code_of(en)
    links = [re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8").replace(".zh-CN", "")) for page in (en, zh)]
    assert links[0] == links[1]
