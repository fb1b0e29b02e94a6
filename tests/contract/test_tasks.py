"""Every registered task: it asks, it never breaks on what a model writes, it takes time in proportion, and what is not right does not pass."""
from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ilk
from ilk import registry
from ilk.chat import Turn
from ilk.checked import Checked, Floored, Task
from ilk.recipe import made
from ilk.sandbox import Bubblewrap, Sandlock
from ilk.tasks._program import Problem
from ilk.tasks._story import story_of

TEXT = "The bridge opened in 1932. It is 1149 metres long. Ann Lee built it. 大桥很长。"
STORY = story_of({"start": "a", "scenes": {"a": {"outline": "o", "choices": [{"says": "x", "to": "b", "gives": ["key"]}, {"says": "y", "to": "b"}]},
                                           "b": {"outline": "p", "ending": True}}})
GIVEN: Mapping[str, Any] = {"report": pl.DataFrame({"a": [1, 2], "b": ["x", "2 y"]}), "branching": STORY,
                            **dict.fromkeys(("code", "repair"), Problem("f()", ("assert f() == 1",), "def f(): return 2"))}
NAMES = [n for n in registry.names("tasks") if n not in ("code", "repair") or Sandlock.there() or Bubblewrap.there()]
FREE = [n for n in NAMES if n not in ("code", "repair")]   # a sandbox each time is slow
JSON = st.recursive(st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(["questions", "query", "1 +", "{{count()}}"]),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["questions", "question", "key", "sort", "by", "names", "a", "b"]), inner, max_size=4),
                    max_leaves=8)


def job_of(name: str) -> Task[Any, Any]:
    job: Task[Any, Any] = made(registry.get("tasks", name), {})
    return job


@pytest.mark.parametrize("name", NAMES)
def test_it_asks_and_says_of_a_wrong_answer_what_is_wrong(name: str) -> None:
    job, source = job_of(name), GIVEN.get(name, TEXT)
    turns = job.turns(source)
    assert turns and all(isinstance(t, Turn) for t in turns) and turns[-1].role == "user"
    for answer in ("", "\x00\x1b]0;x\x07", "\ud800", "}" * 50):
        found = job.check(source, answer)
        assert isinstance(found, Checked) and not found.passed and all(f.code and f.told for f in found.findings), answer


@pytest.mark.parametrize("name", FREE)
@settings(max_examples=40, deadline=None)
@given(answer=st.text(max_size=60) | JSON.map(json.dumps) | JSON.map(lambda x: "{{" + str(x) + "}}"))
def test_it_never_breaks_on_what_a_model_writes(name: str, answer: str) -> None:
    found = job_of(name).check(GIVEN.get(name, TEXT), answer)
    assert found.passed == (not found.findings)


@pytest.mark.slow
@pytest.mark.parametrize("name", FREE)
@pytest.mark.parametrize("piece", ["a", "{", "{{", "A. ", "<a", "1,", "#", "\n", " ", "```\n", "零", "(", "a:", "1 = ", "%("])
def test_long_answers_take_time_in_proportion(name: str, piece: str) -> None:
    begun = time.monotonic()
    job_of(name).check(GIVEN.get(name, TEXT), piece * (40_000 // len(piece)))
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize("name", [n for n in FREE if isinstance(job_of(n), Floored)])
def test_what_needs_no_model_is_checked_the_same_way(name: str) -> None:
    source = GIVEN.get(name, TEXT)
    done = ilk.task(job_of(name), source, None)
    assert done.attempts[0].findings == job_of(name).check(source, done.attempts[0].answer).findings
