"""The notebooks: small, clean, the same in both languages, and their cells run."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ._pages import ROOT, agree, environment

HOME = ROOT / "docs" / "notebooks"
NAMES = ("beginner", "practitioner", "professional")
# All code cells in one namespace, as Jupyter does; what each prints, as JSON.
_RUN = """
import io, json, sys
from contextlib import redirect_stdout
names = {"__name__": "__main__"}
for i, cell in enumerate(json.load(sys.stdin)):
    out = io.StringIO()
    with redirect_stdout(out):
        exec(compile(cell, f"cell {i + 1}", "exec"), names)
    print(json.dumps(out.getvalue()), flush=True)
"""


def cells(name: str, kind: str) -> list[dict[str, Any]]:
    notebook = json.loads((HOME / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert notebook["nbformat"] == 4
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


def printed(cell: dict[str, Any]) -> str:
    return "".join("".join(out.get("text", "")) for out in cell["outputs"])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_cells_run(name: str, tmp_path: Path) -> None:
    code = cells(name, "code")
    ran = subprocess.run([sys.executable, "-c", _RUN], input=json.dumps(["".join(c["source"]) for c in code]), capture_output=True, text=True, cwd=tmp_path,
                         env=environment(OMP_NUM_THREADS="1"), timeout=180, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    said = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(said) == len(code) and all(agree(printed(c), out) for c, out in zip(code, said, strict=True))


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_code(name: str) -> None:
    en, zh = cells(name, "code"), cells(f"{name}.zh", "code")
    assert [(c["source"], c["outputs"]) for c in zh] == [(c["source"], c["outputs"]) for c in en] and en
    told = ["".join(c["source"]) for c in cells(f"{name}.zh", "markdown")]
    assert len(told) == len(cells(name, "markdown")) and all(re.search(r"[\u4e00-\u9fff]", text) for text in told)


@pytest.mark.parametrize("at", sorted(HOME.glob("*.ipynb")), ids=lambda at: at.name)
def test_committed_notebooks_are_clean(at: Path) -> None:
    text = at.read_text(encoding="utf-8")
    assert len(text) < 60_000
    assert not re.search(r"/home/|/root/|/tmp/|/work/|C:\\\\", text), "a path of somebody's machine"
