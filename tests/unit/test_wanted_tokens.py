"""Penalties and biases where laws are known: an answer in closed form."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from ilk.backends._loop import Laws, answer
from ilk.chat import Answer, Want
from ilk.errors import UsageError


@dataclass(frozen=True)
class Flat:
    """Three letters, of which the first is a little likelier than the next, and so on, whatever was said; the fourth token ends an answer."""

    name: str = "flat"
    window: int | None = None
    ends: frozenset[int] = frozenset([3])

    def text(self, ids: Sequence[int]) -> str:
        return "".join("abc"[i] for i in ids)

    def laws(self, ids: Sequence[int]) -> Laws:
        while True:
            yield torch.tensor([0.0, -0.1, -0.2, -9.0])


def said(want: dict[str, Any]) -> str:
    return Answer.of(answer(Flat(), (), Want(**{"temperature": 0.0, "most": 6, **want}), None, 6)).text


def test_penalties_and_biases_move_the_law_as_they_say() -> None:
    assert said({}) == "aaaaaa" and said({"frequency": 1.0}) == "abcabc"   # each time costs 1
    assert said({"presence": 1.0}) == "abcaaa"                             # once said, each costs the same
    assert said({"presence": -1.0, "bias": ((1, 0.2),)}) == "bbbbbb"       # what was said is said again
    assert said({"bias": ((2, 5.0),)}) == "cccccc" and said({"bias": ((0, -100.0),)}) == "bbbbbb" and said({"bias": ((3, 100.0),)}) == ""
    with pytest.raises(UsageError, match="no token 4"):
        said({"bias": ((4, 1.0),)})


def test_nats_stay_the_models_own() -> None:
    made = Answer.of(answer(Flat(), (), Want(temperature=0.0, most=1, bias=((2, 50.0),), alternatives=0), None, 1))
    assert made.tokens[0].nats == pytest.approx(float(torch.tensor([0.0, -0.1, -0.2, -9.0]).log_softmax(0)[2]))
