"""The articles heading by heading: every heading has a line, and what a line names is there."""
from __future__ import annotations

import copy
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ._pages import script


@pytest.fixture(scope="module")
def make() -> ModuleType:
    return script("make_articles")


def test_every_heading_has_a_line_and_what_it_names_is_there(make: ModuleType) -> None:
    assert make.faults(make.table()) == []


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_are_as_committed(make: ModuleType, language: str) -> None:
    at: Path = make.PAGES[language]
    assert at.read_text(encoding="utf-8") == make.written(make.table(), language), "run scripts/make_articles.py"


def test_headings_stand_once_each_under_its_article(make: ModuleType) -> None:
    every = make.HEADINGS.read_text(encoding="utf-8").splitlines()
    assert list(make.lines(make.table())) == every and len(every) > 200
    assert sorted({line[:3] for line in every}) == ["000", "001", "002", "003", "004"]


@pytest.mark.parametrize(("key", "value", "said"), [
    ("pages", ["no_such_page"], "no page no_such_page"), ("commands", ["runs away"], "no command runs away"),
    ("tests", ["tests/unit/test_no.py"], "no test tests/unit/test_no.py"),
    ("tests", ["tests/unit/test_rng.py::test_no"], "no test tests/unit/test_rng.py::test_no"), ("lacks", ["luck"], "no reason luck"), ("zh", "不存在", "no such heading")])
def test_what_is_not_there_is_told(make: ModuleType, key: str, value: Any, said: str) -> None:
    table = copy.deepcopy(make.table())
    table["article"][3]["heading"][2][key] = value
    assert any(said in fault for fault in make.faults(table))


def test_a_heading_without_a_line_is_told(make: ModuleType) -> None:
    table = copy.deepcopy(make.table())
    lost = table["article"][2]["heading"].pop(5)
    assert any("no line for the heading" in fault and lost["zh"] in fault for fault in make.faults(table))


def test_a_line_that_says_nothing_is_told(make: ModuleType) -> None:
    table = copy.deepcopy(make.table())
    for key in ("pages", "commands", "tests", "lacks"):
        table["article"][0]["heading"][0].pop(key, None)
    assert any("neither a page" in fault for fault in make.faults(table))
