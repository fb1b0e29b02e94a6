"""The pages of families and kinds of data: their options are those of the code, their examples run, and the Chinese ones have the same code."""
from __future__ import annotations

from dataclasses import MISSING, fields
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest

from ilk import registry
from ilk.flags import HIDDEN

from ._pages import ROOT, code_of, run_python

DOCS = ROOT / "docs"
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
    shown = [f for f in fields(cls) if f.name not in HIDDEN.get(axis, set())]
    return [[f"`{f.name}`", takes(hints[f.name]), "{}" if f.default is MISSING else str(f.default)] for f in shown]


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
    import re

    broken = []
    for page in [*(DOCS / language).glob("*.md"), ROOT / ("README.md" if language == "en" else "README.zh-CN.md"), ROOT / "CONTRIBUTING.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []
