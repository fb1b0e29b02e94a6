"""Every metric of the registry: identity is best, figures lie inside their range, and the same rng gives the same figure."""
from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk import registry
from ilk.dataset import Labels
from ilk.metric import Case, Metric, Reading, measured
from ilk.model import Model
from ilk.rng import Rng
from ilk.testing import check_metric

from .conftest import STEPS, dice

METRICS = registry.names("metrics")


def rows(n: int, key: int) -> pl.DataFrame:
    g = dice(key)
    x = g.normal(0, 1, n)
    return pl.DataFrame({"x": x, "y": x + g.normal(0, 0.5, n), "c": np.where(x + g.normal(0, 1, n) > 0, "u", "v")})


def sentences(key: int, n: int = 300) -> list[str]:
    words = ["so", "the", "river", "rose", "and", "北京", "fell", "with", "no", "wind"]
    return [" ".join(words[i] for i in row) for row in dice(key).integers(0, 10, (n, 6))]


@cache
def model(kind: str) -> Model:
    """Fitted to what it is scored on: nobody does better."""
    return ilk.fit(rows(600, 1), ilk.GMM(components=2), run=STEPS) if kind == "table" else ilk.fit(sentences(1), ilk.NGram(order=4), run=STEPS)


@cache
def worse(kind: str) -> Model:
    shuffled = rows(600, 1).with_columns(pl.col("y").shuffle(1), x=pl.col("x") * 3)
    return ilk.fit(shuffled, ilk.GMM(components=1), run=STEPS) if kind == "table" else ilk.fit(["zzzz", "yyyy"] * 100, ilk.NGram(order=1), run=STEPS)


def table_cases() -> list[Case]:
    """Made rows that are other real ones; the same with columns torn apart; noise."""
    real, train, holdout, test = rows(400, 2), rows(400, 3), rows(400, 4), rows(400, 5)
    g = dice(6)
    torn = real.with_columns(pl.col("y").shuffle(2))
    noise = pl.DataFrame({"x": g.normal(4, 3, 400), "y": g.normal(-4, 3, 400), "c": ["u"] * 400})
    best = Case(model("table"), real, train, test, holdout)
    return [best, Case(worse("table"), torn, train, test, holdout), Case(worse("table"), noise, train, test, holdout)]


def text_cases() -> list[Case]:
    """Made texts that are real ones; one text again and again."""
    real, train, test, holdout = (sentences(key) for key in (2, 1, 3, 4))
    best = Case(model("text"), real, train, test, holdout)
    return [best, Case(worse("text"), ["no no no no no no"] * 300, train, test, holdout)]


def array_cases() -> list[Case]:
    """Made vectors that are other real ones; wider ones; ones elsewhere."""
    real, train, test, holdout = (dice(key).normal(size=(n, 3)) for key, n in ((2, 300), (3, 600), (4, 300), (5, 300)))
    return [Case(None, made, train, test, holdout) for made in (real, real * 2, real + 4)]


def image_cases() -> list[Case]:
    """Made pictures that are other real ones; half noise; noise. Their labels are right, half right, made up."""
    def drawn(key: int, n: int) -> tuple[Any, Any]:
        labels, at = dice(key).integers(0, 2, n), dice(key + 50).integers(0, 5, (n, 2))
        x = np.zeros((n, 8, 8, 1), np.uint8)
        for i, (label, (a, b)) in enumerate(zip(labels, at, strict=True)):
            x[i, a:a + (4 if label else 2), b:b + (2 if label else 4)] = 200
        return x, labels

    (real, right), (train, labels), (test, _), (holdout, _) = drawn(12, 200), drawn(13, 400), drawn(14, 200), drawn(15, 200)
    noise = dice(16).integers(0, 256, real.shape).astype(np.uint8)
    half = np.where(np.arange(200)[:, None, None, None] % 2, real, noise)
    def said(codes: Any) -> list[str]:
        return ["a tall bar" if code else "a wide bar" for code in codes]

    return [Case(None, made, train, test, holdout, train_labels=labels, made_labels=asked, train_captions=said(labels), made_captions=said(asked))
            for made, asked in ((real, right), (half, right), (noise, dice(17).integers(0, 2, 200)))]


def point_cases() -> list[Case]:
    """Sets of points: circles of any size that are other real ones; larger ones; noise."""
    def circles(key: int, n: int, size: float = 1.0) -> Any:
        turn, radius = dice(key).uniform(0, 7, (n, 12)), size * dice(key + 50).uniform(1, 2, (n, 1))
        return np.stack([radius * np.cos(turn), radius * np.sin(turn)], 2)

    train, test, holdout = circles(22, 300), circles(23, 100), circles(24, 100)
    return [Case(None, made, train, test, holdout) for made in (circles(21, 100), circles(25, 100, 2.0), dice(26).normal(size=(100, 12, 2)))]


def _labelled(models: list[Model], train: tuple[Any, Any], test: tuple[Any, Any], made: Any) -> list[Case]:
    asked = Labels(torch.from_numpy(test[1]), (0, 1))
    return [Case(m, made, train[0], test[0], test[0], train_labels=torch.from_numpy(train[1]), test_labels=asked) for m in models]


@cache
def modelled_cases() -> list[Case]:
    """Labelled clusters whose coordinates hang together: a model with a density that saw them, and one that saw the coordinates torn apart; models with codes likewise."""
    def drawn(key: int, n: int) -> tuple[Any, Any]:
        labels, x = dice(key).integers(0, 2, n), dice(key + 50).normal(size=(n, 1))
        return np.concatenate([x, x, -x, x], 1) + 3.0 * labels[:, None] + 0.3 * dice(key + 90).normal(size=(n, 4)), labels

    train, test, made = drawn(31, 400), drawn(32, 200), drawn(33, 200)
    torn = np.stack([column[dice(i).permutation(400)] for i, column in enumerate(train[0].T)], 1)
    return _labelled([ilk.fit(x, ilk.GMM(components=2), run=STEPS) for x in (train[0], torn)], train, test, made[0])


@cache
def coded_cases(kind: str) -> list[Case]:
    """The same by codes: of a VAE that saw the items, and of one that saw noise."""
    if kind == "array":
        first = modelled_cases()[0]
        train, test, made = (first.train, first.train_labels.numpy()), (first.test, first.test_labels.codes.numpy()), first.made   # type: ignore[union-attr]
        noise = 9 * dice(41).normal(size=train[0].shape)
    else:
        (case, *_), (other, *_) = image_cases(), image_cases()
        train, test, made = (case.train, case.train_labels), (other.made, other.made_labels), case.test   # type: ignore[assignment]
        noise = dice(41).integers(0, 256, case.train.shape).astype(np.uint8)
    family = ilk.VAE(codes=2, net=ilk.MLP(width=16))
    return _labelled([ilk.fit(x, family, budget=ilk.Steps(150), seed=1) for x in (train[0], noise)], train, test, made)


CASES: dict[str, tuple[Callable[[], list[Case]], ...]] = {
    "table": (table_cases,), "text": (text_cases,), "array": (array_cases, point_cases, modelled_cases, lambda: coded_cases("array")),
    "image": (image_cases, lambda: coded_cases("image"))}


def copies(cases: list[Case]) -> list[Case]:
    """For metrics of closeness the bad case is a copy of the training items."""
    first = cases[0]
    return [first, Case(first.model, first.train, first.train, first.test, first.holdout)]


@pytest.mark.parametrize("name", METRICS)
def test_contract(name: str) -> None:
    """On every kind of data that it is about: by the first cases that it applies to (a few metrics need a density, codes, labels or sets of points)."""
    metric: Metric = registry.get("metrics", name)()
    for kind, sorts in CASES.items():
        if kind not in (metric.modalities or ("table", "text")):
            continue
        if kind == "text" and not metric.modalities and "made" in metric.needs:
            continue  # one that takes all kinds says itself that it does not apply
        whole = (cases for cases in (sort() for sort in sorts) if isinstance(measured(metric, cases[0], Rng(2)), Reading))
        cases = next(whole, sorts[0]())
        check_metric(metric, copies(cases) if metric.better == "middle" else cases)


@pytest.mark.parametrize("name", METRICS)
def test_says_what_it_is(name: str) -> None:
    metric: Metric = registry.get("metrics", name)()
    assert (type(metric).__doc__ or "").strip() and registry.summary("metrics", name)
    assert all(kind in registry.names("modalities") for kind in metric.modalities)


def _about_columns(name: str) -> bool:
    metric: Metric = registry.get("metrics", name)()
    return metric.needs == ("made", "test") and "table" in metric.modalities and metric.better == "higher"


@pytest.mark.parametrize("name", [n for n in METRICS if _about_columns(n)])
def test_identical_tables_reach_the_end_of_the_range(name: str) -> None:
    one = rows(300, 2)
    metric: Metric = registry.get("metrics", name)()
    found = metric.measure(Case(made=one, test=one), ilk.Rng(0))
    assert isinstance(found, Reading) and found.value == pytest.approx(metric.high, abs=1e-9)
