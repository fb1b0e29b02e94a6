"""Pages that are of no family and no kind of data: their examples run, and the Chinese ones have the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ilk import registry

from ._pages import ROOT, code_of, run_python

OWN = {"design", "families", "export", "report", "figures", *registry._built_in("families"), *registry._built_in("modalities")}   # pages with tests of their own
PAGES = sorted(p.stem for p in (ROOT / "docs" / "en").glob("*.md") if p.stem not in OWN and code_of(p))
SLOW = {"race"}   # a process a heat


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in PAGES])
def test_examples_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_python(ROOT / "docs" / "en" / f"{name}.md", {}) == []


@pytest.mark.parametrize("name", PAGES)
def test_translation_has_the_same_code(name: str) -> None:
    assert code_of(ROOT / "docs" / "zh" / f"{name}.md") == code_of(ROOT / "docs" / "en" / f"{name}.md")
