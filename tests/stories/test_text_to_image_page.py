"""The page on text to image: its example runs, and the Chinese page has the same code."""
from __future__ import annotations

from pathlib import Path

import pytest

from ._pages import ROOT, code_of, run_python

PAGES = [ROOT / "docs" / language / "text_to_image.md" for language in ("en", "zh")]


@pytest.mark.slow
def test_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert code_of(PAGES[0]) and run_python(PAGES[0], {}) == []


def test_translation_has_the_same_code() -> None:
    assert code_of(PAGES[1]) == code_of(PAGES[0])
    counts = [[line.count("|") for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("|")] for page in PAGES]
    assert counts[0] == counts[1]
