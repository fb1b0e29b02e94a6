"""The pages of figures say what the result files say, and every figure and bench stands there, run or not."""
from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ._pages import ROOT, environment

RESULTS = ROOT / "benchmarks" / "results"


def rows(language: str) -> dict[str, list[str]]:
    """The lines of our tables by name."""
    text = (ROOT / "docs" / language / "figures.md").read_text(encoding="utf-8")
    return {m[1]: [cell.strip() for cell in m[2].strip("| ").split(" | ")] for m in re.finditer(r"^\| `(\w+)` \| (.+)$", text, re.MULTILINE)}


def programs(kind: str) -> list[Path]:
    return [p for p in sorted((ROOT / "benchmarks" / kind).glob("*.py")) if not p.stem.startswith("_")]


def test_pages_are_as_committed() -> None:
    ran = subprocess.run([sys.executable, "scripts/make_figures.py", "--check"], cwd=ROOT, env=environment(), check=False)
    assert ran.returncode == 0, "run make figures"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_program_stands_there_with_its_value_or_as_not_run(language: str) -> None:
    found, absent = rows(language), {"en": "not run here", "zh": "这里未运行"}[language]
    assert set(found) == {p.stem for kind in ("figures", "benches") for p in programs(kind)}
    for kind, key in (("figures", "value"), ("benches", "ours")):
        for program in programs(kind):
            at = RESULTS / f"{program.stem}.json"
            if not at.exists():
                assert found[program.stem][0] == absent
                continue
            value = json.loads(at.read_text(encoding="utf-8"))[key]
            assert float(found[program.stem][0].replace(",", "")) == pytest.approx(value, rel=6e-4)


def test_spread_and_seeds_are_those_of_the_file() -> None:
    line = json.loads((RESULTS / "adult_made.json").read_text(encoding="utf-8"))
    said = rows("en")["adult_made"]
    assert int(said[3]) == len(line["seed"]) == len(line["values"]) and float(said[4]) == pytest.approx(line["sd"], rel=1e-3)
    assert float(said[6]) == pytest.approx(line["floor"], rel=1e-3) and float(said[7]) == pytest.approx(line["ceiling"], rel=1e-3)
