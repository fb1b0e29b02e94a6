"""The page about attributes, style, background and counterfactuals: its examples run, and the Chinese page has the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ._pages import ROOT, code_of, run_python


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "en" / "attributes.md"
    assert code_of(page) and run_python(page, {}) == []


def test_translation_has_the_same_code() -> None:
    assert code_of(ROOT / "docs" / "zh" / "attributes.md") == code_of(ROOT / "docs" / "en" / "attributes.md")
