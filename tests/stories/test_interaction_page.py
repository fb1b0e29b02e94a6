"""The page about steps, likes, novelty and lineage: its examples run, and the Chinese page has the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ._pages import ROOT, code_of, run_python


def test_examples_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "en" / "interaction.md"
    assert code_of(page) and run_python(page, {}) == []


def test_translation_has_the_same_code() -> None:
    assert code_of(ROOT / "docs" / "zh" / "interaction.md") == code_of(ROOT / "docs" / "en" / "interaction.md")
