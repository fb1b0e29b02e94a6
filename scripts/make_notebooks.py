"""Runs the code cells of docs/notebooks/*.ipynb as Jupyter would, and writes what they print into the English and the Chinese notebook.

`python scripts/make_notebooks.py [NAME ...]`.
"""
from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HOME = ROOT / "docs" / "notebooks"
NAMES = ("beginner", "practitioner", "professional")
# All cells in the namespace of __main__, and Jupyter's %%writefile; what each prints is one line of JSON.
DRIVER = """
import io, json, sys
from contextlib import redirect_stdout
from pathlib import Path
for number, cell in enumerate(json.load(sys.stdin), 1):
    out = io.StringIO()
    with redirect_stdout(out):
        if cell.startswith("%%writefile "):
            first, _, rest = cell.partition("\\n")
            print("Writing", first.split()[1])
            Path(first.split()[1]).write_text(rest, encoding="utf-8")
        else:
            exec(compile(cell, f"cell {number}", "exec"), globals())
    print(json.dumps(out.getvalue()), flush=True)
"""


def cells(name: str, kind: str) -> list[dict[str, Any]]:
    """The cells of a kind, `code` or `markdown`."""
    return [cell for cell in json.loads((HOME / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def printed(cell: dict[str, Any]) -> str:
    """What a cell is said to print."""
    return "".join("".join(out["text"]) for out in cell["outputs"])


def run(sources: Sequence[str], at: Path) -> list[str]:
    """What each cell prints, run in a folder; RuntimeError with the traceback where one fails."""
    ran = subprocess.run([sys.executable, "-W", "error", "-c", DRIVER], input=json.dumps(list(sources)), capture_output=True, text=True, cwd=at, timeout=300, check=False,
                         env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "100", "NO_COLOR": "1"})
    if ran.returncode:
        raise RuntimeError(ran.stderr[-3000:])
    return [json.loads(line) for line in ran.stdout.splitlines()]


def write(name: str, said: Sequence[str]) -> None:
    """The notebook with these outputs and nothing of the machine."""
    notebook = json.loads((HOME / f"{name}.ipynb").read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    for number, (cell, text) in enumerate(zip(code, said, strict=True), 1):
        cell["execution_count"] = number
        cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": text.splitlines(keepends=True)}] if text else []
    (HOME / f"{name}.ipynb").write_text(json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or NAMES:
        with tempfile.TemporaryDirectory() as folder:
            said = run(["".join(cell["source"]) for cell in cells(name, "code")], Path(folder))
        for twin in (name, f"{name}.zh"):
            write(twin, said)
