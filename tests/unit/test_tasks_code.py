"""Programs run against tests in a sandbox: the right one passes, each sort of wrong one is named, an attack is held, and without a sandbox nothing is asked."""
from __future__ import annotations

import json
from pathlib import Path

import pytest

import ilk
from ilk import sandbox as boxes
from ilk.errors import DataError, PolicyError, UsageError
from ilk.sandbox import Bubblewrap, Sandlock
from ilk.tasks._program import Problem
from ilk.tasks.code import Code
from ilk.tasks.repair import Repair

from .test_tasks_text import Scripted

boxed = pytest.mark.skipif(not (Sandlock.there() or Bubblewrap.there()), reason="no sandbox is installed")
ADD = Problem("Write add(a, b), the sum of two numbers.", ("assert add(1, 2) == 3", "assert add(-1, 1) == 0"))
RIGHT = "```python\ndef add(a, b):\n    return a + b\n```"


@boxed
@pytest.mark.parametrize(("answer", "codes", "named"), [
    (RIGHT, [], ""), ("def add(a, b):\n    return a + b", [], ""), ("def add(a, b): return a - b", ["TEST", "TEST"], "add(1, 2) gave -1"),
    ("def add(a, b): return abs(a) + abs(b)", ["TEST"], "add(-1, 1) gave 2"), ("def add(a): return a", ["TEST", "TEST"], "TypeError"),
    ("def add(a, b: return", ["BROKEN"], "SyntaxError"),
    ("", ["NO_CODE"], ""), ("import os; os._exit(0)", ["STOPPED"], "exit 0"), ("while True: pass", ["STOPPED"], "time"),
    ("x = bytearray(2 << 30)", ["BROKEN", "STOPPED"], "emory"),
    ("print('[0, \"\"]'); print('[1, \"\"]')", ["TEST", "TEST"], "NameError"), ("def add(a, b): return open('/etc/passwd').read()", ["TEST", "TEST"], "rror")])
def test_answers(answer: str, codes: list[str], named: str) -> None:
    found = Code(seconds=1).check(ADD, answer).findings
    assert ([f.code for f in found] == codes or (len(found) == 1 and found[0].code in codes)) and (not codes or any(named in f.told for f in found)), found


@boxed
def test_a_fault_is_put_right_with_what_failed() -> None:
    model = Scripted(["def add(a, b): return a * b", RIGHT])
    done = ilk.task(Repair(), Problem("", ADD.tests, "def add(a, b): return a - b"), model)
    assert done.passed and "add(1, 2) gave -1" in model.asked[0][0][0].text and "add(1, 2) gave 2" in model.asked[1][0][-1].text
    with pytest.raises(UsageError, match="nothing to repair"):
        ilk.task("repair", Problem("", ADD.tests, "def add(a, b): return a + b"), model)


@boxed
def test_pass_at_k() -> None:
    found = ilk.passing(Code(), ADD, Scripted(["def add(a, b): return 3", RIGHT, "", RIGHT]), n=4)
    assert (found.right, found.at(1), found.at(2), found.at(3)) == (2, 0.5, pytest.approx(5 / 6), 1)


def test_without_a_sandbox_nothing_is_asked_or_run(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (Sandlock, Bubblewrap):
        monkeypatch.setattr(kind, "there", staticmethod(lambda: False))
    boxes.sandbox.cache_clear()
    model = Scripted([RIGHT])
    for job in (Code(), Repair()):
        with pytest.raises(PolicyError, match="not run"):
            ilk.task(job, Problem("", ADD.tests, "def add(a, b): return a - b"), model)
    assert model.asked == []
    boxes.sandbox.cache_clear()


def test_problems_are_read(tmp_path: Path) -> None:
    file = tmp_path / "add.json"
    file.write_text(json.dumps({"order": "o", "tests": ["assert 1"], "code": "c"}))
    assert Code().read(str(file)) == Problem("o", ("assert 1",), "c")
    for text in ("{", "[]", '{"tests": []}', '{"tests": [3]}', '{"tests": ["a"], "code": 3}'):
        file.write_text(text)
        with pytest.raises(DataError):
            Code().read(str(file))
