"""Programs that a model writes, run against tests in a sandbox."""
from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Interval

from ..checked import Checked, Finding, Task, text_of
from ..errors import DataError, ModelError
from ..files import parse_json
from ..rng import Rng
from ..sandbox import Limits, Ran, sandbox

_FENCED = re.compile(r"```[A-Za-z]*[^\n]*\n(.*?)```", re.DOTALL)
# Runs the answer, then each test by itself, and tells of each on a line that begins with a word the answer was not told.
_MAIN = """
import ast, json, os, sys
told = json.load(open('tests.json'))
os.remove('tests.json')
word, tests, out = told['word'], told['tests'], os.dup(1)
def tell(number, wrong):
    os.write(out, (word + json.dumps([number, wrong]) + chr(10)).encode())
def said(why):
    return f'{type(why).__name__}: {why}'.rstrip(': ')[:300]
space = {'__name__': 'answer'}
def run(tree, mode='exec'):
    return (eval if mode == 'eval' else exec)(compile(tree, 'answer.py', mode), space)
def given(test):
    node = ast.parse(test).body[0]
    test = node.test if isinstance(node, ast.Assert) else None
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and isinstance(test.ops[0], ast.Eq):
        return f'{ast.unparse(test.left)} gave {run(ast.Expression(test.left), "eval")!r}'[:300]
    return 'it does not hold'
try:
    run(open('answer.py').read())
except BaseException as why:
    tell(-1, said(why))
    sys.exit(1)
for number, test in enumerate(tests):
    try:
        run(test)
        wrong = ''
    except AssertionError as why:
        try:
            wrong = said(why) if str(why) else given(test)
        except BaseException as other:
            wrong = said(other)
    except BaseException as why:
        wrong = said(why)
    tell(number, wrong)
"""


@dataclass(frozen=True)
class Problem:
    """What a program shall do, the code there is so far, and tests: statements of Python, mostly `assert f(1) == 2`."""

    order: str
    tests: tuple[str, ...]
    code: str = ""


@dataclass(frozen=True, kw_only=True)
class ProgramTask(Task[Problem, str]):
    """What programs of all sorts share: tests in a sandbox, `seconds` each run. PolicyError, before anything is asked, where there is no sandbox."""

    seconds: Annotated[float, Interval(gt=0, le=60)] = 5.0

    def read(self, word: str) -> Problem:
        """A file of JSON: {"order": ..., "tests": [...], "code": ...}; DataError for anything else."""
        try:
            found = parse_json(text_of(word).encode(), word[:80])
        except ModelError as why:
            raise DataError(why.message, code="PROBLEM") from None
        fits = isinstance(found, Mapping) and isinstance(found.get("tests"), list) and found["tests"] and all(isinstance(t, str) for t in found["tests"])
        if not fits or not isinstance(found.get("order", ""), str) or not isinstance(found.get("code", ""), str):
            raise DataError(f"{word[:80]} is no problem", code="PROBLEM", remedy='{"order": "...", "tests": ["assert f(1) == 2"], "code": "..."}')
        return Problem(found.get("order", ""), tuple(found["tests"]), found.get("code", ""))

    def check(self, given: Problem, answer: str) -> Checked[str]:
        """All tests, each by itself; an answer that reaches into the program that tests it can deceive it."""
        code = code_of(answer).encode("utf-8", "replace").decode()   # half a character is none
        if not code.strip():
            return Checked("", (Finding("NO_CODE", "there is no code in the answer"),))
        word = f"{Rng(len(code), (code, *given.tests)).key():032x} "
        ran = sandbox().run(_MAIN, {"answer.py": code, "tests.json": json.dumps({"word": word, "tests": given.tests})}, Limits(seconds=self.seconds))
        return Checked(code, tuple(_wrong(ran, word, given.tests)))


def code_of(answer: str) -> str:
    """The code of an answer: what stands in its fences, else the whole."""
    fenced = _FENCED.findall(answer)
    return "\n".join(fenced) if fenced else answer


def _wrong(ran: Ran, word: str, tests: Sequence[str]) -> Iterator[Finding]:
    told: dict[int, Any] = dict(json.loads(line[len(word):]) for line in ran.out.split("\n") if line.startswith(word) and line.endswith("]"))
    if -1 in told:
        yield Finding("BROKEN", f"the code does not run: {told[-1]}")
        return
    yield from (Finding("TEST", f"{tests[i]!r} fails: {wrong}") for i, wrong in told.items() if wrong)
    if left := [test for i, test in enumerate(tests) if i not in told]:
        yield Finding("STOPPED", f"the run ended ({ran.reason or f'exit {ran.exit}'}) before {left[0]!r} was through")
