"""The page on editing runs as it stands, and the Chinese one has the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ._pages import ROOT, code_of, run_python


@pytest.mark.slow
def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    page = ROOT / "docs" / "en" / "editing.md"
    assert code_of(page) and run_python(page, {}) == []


def test_the_translation_has_the_same_code() -> None:
    one, other = (ROOT / "docs" / language / "editing.md" for language in ("en", "zh"))
    assert code_of(one) == code_of(other) and one.read_text(encoding="utf-8").count("## ") == other.read_text(encoding="utf-8").count("## ")
