"""The notebooks: small, clean, the same in both languages, and their cells print what they say."""
from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from ._pages import ROOT, agree, script

HOME = ROOT / "docs" / "notebooks"
NAMES = ("beginner", "practitioner", "professional")


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return script("make_notebooks")


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_cells_run(make: ModuleType, name: str, tmp_path: Path) -> None:
    code = make.cells(name, "code")
    said = make.run(["".join(cell["source"]) for cell in code], tmp_path)
    wrong = [f"cell {i + 1} prints\n{out}" for i, (cell, out) in enumerate(zip(code, said, strict=True)) if not agree(make.printed(cell), out)]
    assert wrong == []


def test_a_cell_that_fails_is_told(make: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="cell 2.*\n.*ZeroDivisionError"):
        make.run(["x = 1\nprint(x)", "x / 0"], tmp_path)
    assert make.run(["%%writefile a.py\ny = 2\n", "import sys; sys.path.insert(0, '.')\nfrom a import y", "print(y)"], tmp_path) == ["Writing a.py\n", "", "2\n"]


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_code(make: ModuleType, name: str) -> None:
    en, zh = make.cells(name, "code"), make.cells(f"{name}.zh", "code")
    assert [(c["source"], c["outputs"]) for c in zh] == [(c["source"], c["outputs"]) for c in en] and en
    told = ["".join(c["source"]) for c in make.cells(f"{name}.zh", "markdown")]
    assert len(told) == len(make.cells(name, "markdown")) and all(re.search(r"[\u4e00-\u9fff]", text) for text in told)


@pytest.mark.parametrize("at", sorted(HOME.glob("*.ipynb")), ids=lambda at: at.name)
def test_committed_notebooks_are_clean(at: Path) -> None:
    text = at.read_text(encoding="utf-8")
    assert len(text) < 60_000 and '"nbformat": 4' in text
    assert not re.search(r"/home/|/root/|/tmp/|[A-Z]:\\\\", text), "a path of somebody's machine"
