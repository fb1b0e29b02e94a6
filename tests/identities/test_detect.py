"""detect: false alarms are as rare as was asked, whatever the model; strange items and strange parts are found."""
from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import beta

import ilk
from ilk.verbs.detect import surprises


@pytest.mark.parametrize(("held", "rate"), [(199, 0.05), (150, 0.1), (99, 0.01)])
@pytest.mark.parametrize("family", [ilk.GMM(components=1), ilk.GAN()])
def test_false_alarms_over_repeated_draws(held: int, rate: float, family: Any) -> None:
    """One model, many draws of held-out and new normal items: alarms are floor(rate (held + 1)) / (held + 1), within binomial error; the model may be wrong."""
    rng = np.random.default_rng(held)
    model = ilk.fit(rng.standard_t(3, size=(100, 2)), family, budget=ilk.Steps(3))
    draws = 150 if isinstance(family, ilk.GMM) else 12
    new = 1 if isinstance(family, ilk.GMM) else 12   # many new items of one draw are not independent: the error below is of single ones
    alarms = []
    for draw in range(draws):
        found = ilk.detect(model, rng.standard_t(3, size=(new, 2)), rng.standard_t(3, size=(held, 2)), rate, seed=draw)
        alarms.append(float(found.alarm.double().mean()))
    want = np.floor(rate * (held + 1) + 1e-9) / (held + 1)
    sigma = sqrt(want * (1 - want) / draws)
    assert want <= rate and abs(np.mean(alarms) - want) < 4 * sigma


def test_p_values_are_ranks() -> None:
    """(1 + how many held-out items are as strange) / (1 + all): the definition, ties counted."""
    x = np.random.default_rng(1).standard_normal((300, 1))
    model = ilk.fit(x[:100], ilk.GMM(components=1))
    new = np.concatenate([x[100:104], [[9.0]]])
    found = ilk.detect(model, new, x[100:], 0.05)
    nats, mine = -model.score(x[100:]).nats, -model.score(new).nats
    want = [(1 + int((nats >= s).sum())) / 201 for s in mine]
    assert found.p.tolist() == pytest.approx(want) and found.p[4] == pytest.approx(1 / 201) and found.alarm.tolist()[4]
    low, high = found.rate
    assert (low, high) == pytest.approx(tuple(beta(10, 191).interval(0.9)))


WAYS = [(ilk.GMM(components=2), "exact"), (ilk.VAE(codes=1), "bound"), (ilk.Autoencoder(codes=1), "reconstruction"), (ilk.GAN(), "distance")]


@pytest.mark.parametrize(("family", "by"), WAYS)
def test_every_way_finds_what_lies_off_the_line(family: Any, by: str) -> None:
    """Points near a line are normal; those far off it are found in every way."""
    rng = np.random.default_rng(2)
    t = rng.standard_normal(900)
    x = np.stack([t, 2 * t], 1) + 0.05 * rng.standard_normal((900, 2))
    model = ilk.fit(x[:600], family, budget=ilk.Steps(150), seed=1)
    found = ilk.detect(model, np.concatenate([x[600:620], [[3.0, -6.0], [-3.0, 6.0], [5.0, -9.0]]]), x[620:], 0.02)
    assert found.by == by and found.alarm[-3:].all() and int(found.alarm[:20].sum()) <= 3


@pytest.mark.parametrize("family", [ilk.Circuit(), ilk.GMM(components=3)])
def test_the_strange_part_is_named(family: Any) -> None:
    data = ilk.read("iris")
    model = ilk.fit(data, family)
    odd = data.items[:1].with_columns(petal_width=pl.lit(2.5))
    found = ilk.detect(model, odd, data.items, 0.05, parts=True)
    assert list(found.surprises) == [0]
    told = found.surprises[0]
    assert next(iter(told)) == "petal_width" and told["petal_width"] < 0.02 and min(p for k, p in told.items() if k != "petal_width") > 0.04


def test_surprises_are_p_values() -> None:
    """For a part whose law given the others is known: the share of draws that are as unlikely, here 2 (1 - Phi(z))."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal(4000)
    model = ilk.fit(pl.DataFrame({"a": x, "b": x + rng.standard_normal(4000)}), ilk.GMM(components=1))
    told = surprises(model, pl.DataFrame({"a": [0.0], "b": [1.96]}))
    assert abs(told["b"] - 0.05) < 4 * sqrt(0.05 * 0.95 / 200)


def test_what_is_refused() -> None:
    x = np.random.default_rng(4).standard_normal((300, 2))
    model = ilk.fit(x[:100], ilk.GMM(components=1))
    with pytest.raises(ilk.IlkError, match="too few") as why:
        ilk.detect(model, x[:1], x[100:150], 0.01)
    assert why.value.remedy is not None and "99" in why.value.remedy
    for rate in (0.0, 1.0, -1.0, float("nan")):
        with pytest.raises(ilk.IlkError, match="rate of false alarms"):
            ilk.detect(model, x[:1], x, rate)
    with pytest.raises(ilk.IlkError, match="no items"):
        ilk.detect(model, x[:0], x)
    texts = ["one two", "two three"] * 30
    said = ilk.detect(ilk.fit(texts, ilk.NGram(order=2)), ["zzzz"], texts, 0.05)   # sequences have a density: they are judged by it
    assert said.by == "exact" and isinstance(said.alarm, torch.Tensor)
