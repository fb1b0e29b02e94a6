"""The page of presets: its example runs, and the Chinese one has the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ._pages import ROOT, code_of, run_python


def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_python(ROOT / "docs" / "en" / "presets.md", {}) == []


def test_translation_has_the_same_code() -> None:
    assert code_of(ROOT / "docs" / "zh" / "presets.md") == code_of(ROOT / "docs" / "en" / "presets.md") != []
