"""caption_retrieval: right captions are found, wrong ones at chance; what it learns from; its place in `evaluate`."""
from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import ilk
from ilk.captions import Captions
from ilk.metric import Case, NotApplicable, Reading
from ilk.metrics._caption_net import found, matching
from ilk.metrics.caption_retrieval import CaptionRetrieval

PLACES = [(row, column) for row in range(6) for column in range(6)]


def squares(n: int, key: int) -> tuple[Any, list[str]]:
    """A bright square somewhere: 36 captions, and the order of their words counts."""
    dice = np.random.default_rng(key)
    at = dice.integers(0, len(PLACES), n)
    x = dice.integers(0, 40, (n, 12, 12, 1)).astype(np.uint8)
    number = ("zero", "one", "two", "three", "four", "five")
    for i, (row, column) in enumerate(PLACES[k] for k in at):
        x[i, 2 * row:2 * row + 2, 2 * column:2 * column + 2] = 240
    return x, [f"row {number[PLACES[k][0]]} column {number[PLACES[k][1]]}" for k in at]


def case(made: Any, asked: list[str] | None) -> Case:
    (train, told), (test, judged) = squares(800, 1), squares(100, 2)
    return Case(made=made, train=train, test=test, made_captions=asked, train_captions=told, test_captions=judged)


@pytest.mark.slow
def test_right_captions_are_found_and_wrong_ones_at_chance() -> None:
    items, said = squares(200, 3)
    metric = CaptionRetrieval()
    right, wrong = (metric.measure(case(items, asked), ilk.Rng(0)) for asked in (said, [said[(i + 7) % 200] for i in range(200)]))
    assert isinstance(right, Reading) and isinstance(wrong, Reading)
    assert right.value > 0.8 and right.parts["real"] > 0.8 and right.parts["chance"] == 1 / 32
    assert wrong.value < 0.2
    assert "sha256" in right.convention and right.convention == wrong.convention   # what was made changes nothing in the judge


def test_candidates_are_the_own_caption_and_others_that_differ() -> None:
    items, said = squares(60, 3)
    whole = case(items, said)
    net = matching(whole.train, list(whole.train_captions or ()))
    among = sorted(set(said))
    likeness = (net.seen(items) @ net.said(among).mT).numpy()
    best = np.array([among[k] for k in likeness.argmax(1)]) == np.array(said)
    assert np.array_equal(found(net, items, said, among, ilk.Rng(0), len(among)), best)
    few = found(net, items, said, among, ilk.Rng(0), 2)
    assert (few >= best).all()


def test_where_it_does_not_apply() -> None:
    items, said = squares(120, 3)
    metric = CaptionRetrieval()
    for odd, why in ((case(items, None), "prompted"), (replace(case(items, said), train_captions=["same"] * 800), "2 different"),
                     (replace(case(items, said), train=items[:50], train_captions=said[:50]), "at least 100")):
        reading = metric.measure(odd, ilk.Rng(0))
        assert isinstance(reading, NotApplicable) and why in reading.reason


@pytest.mark.slow
def test_evaluate_asks_for_the_captions_of_test_items() -> None:
    items, said = squares(400, 4)
    data = replace(ilk.read(items), captions=Captions.of(said))
    model = ilk.fit(data, ilk.Diffusion(net=ilk.UNet2D(width=16, head=16)), budget=ilk.Steps(20))
    figure = ilk.evaluate(model, data, only=["caption_retrieval"])["caption_retrieval"]
    assert figure.n == 40 and figure.ceiling is not None and figure.ceiling > figure.value and figure.floor == figure.parts["chance"]
