"""The README and CONTRIBUTING do what they say; the Chinese README has the same code."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ._pages import ROOT, blocks, code_of, commands, run_console, run_python

README = ROOT / "README.md"


def test_python_of_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_python(README, {}) == []


def test_console_of_the_readme(tmp_path: Path) -> None:
    assert len(list(commands(README))) >= 3
    assert run_console(README, tmp_path) == []


def test_chinese_readme_has_the_same_code() -> None:
    assert code_of(ROOT / "README.zh-CN.md") == code_of(README)


def headings(page: Path) -> list[int]:
    """Levels of the headings, in order."""
    lines = page.read_text(encoding="utf-8").split("\n```")
    return [len(line) - len(line.lstrip("#")) for part in lines[::2] for line in part.splitlines() if line.startswith("#")]


def test_chinese_readme_has_the_same_sections() -> None:
    assert headings(ROOT / "README.zh-CN.md") == headings(README)


def test_json_page(tmp_path: Path) -> None:
    assert run_console(ROOT / "docs" / "json.md", tmp_path) == []


def test_the_readme_names_the_targets_of_make() -> None:
    text, targets = README.read_text(encoding="utf-8"), (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in ("demo", "test", "figure", "bench"):
        assert f"make {target}" in text and f"\n{target}:" in targets


@pytest.mark.parametrize("number", range(len(blocks(ROOT / "CONTRIBUTING.md", "python"))))
def test_examples_of_contributing(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each example is a whole module with a function `check` that runs the contract checks."""
    monkeypatch.chdir(tmp_path)
    block = blocks(ROOT / "CONTRIBUTING.md", "python")[number]
    names: dict[str, Any] = {"__name__": f"contributed_{number}"}
    module = type(pytest)(names["__name__"])   # dataclasses look their module up
    monkeypatch.setitem(__import__("sys").modules, names["__name__"], module)
    exec(compile(block.text, f"CONTRIBUTING.md:{block.line}", "exec", dont_inherit=True), module.__dict__)
    assert module.check(tmp_path) is None
