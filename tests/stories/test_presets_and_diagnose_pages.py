"""The pages of presets, of diagnoses and of uses of a model: their examples run, and the Chinese ones have the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ._pages import ROOT, code_of, run_python

PAGES = ("presets", "diagnose", "using")


@pytest.mark.parametrize("name", PAGES)
def test_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_python(ROOT / "docs" / "en" / f"{name}.md", {}) == []


@pytest.mark.parametrize("name", PAGES)
def test_translation_has_the_same_code(name: str) -> None:
    assert code_of(ROOT / "docs" / "zh" / f"{name}.md") == code_of(ROOT / "docs" / "en" / f"{name}.md") != []
