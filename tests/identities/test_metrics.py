"""Identities of the metrics: equal to SDMetrics, right where the answer is known, and with error bars that cover."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from datetime import date, datetime, timedelta
from math import log
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
import torch
from scipy.stats import norm
from torch import Tensor

from ilk.errors import UsageError
from ilk.metric import Case, Metric, NotApplicable, Reading, measured
from ilk.metrics.auc_gap import AucGap
from ilk.metrics.bits_per_character import BitsPerCharacter
from ilk.metrics.c2st import C2ST
from ilk.metrics.column_shapes import ColumnShapes
from ilk.metrics.dcr_share import DcrShare
from ilk.metrics.distinct_n import DistinctN
from ilk.metrics.nats import Nats
from ilk.metrics.pair_trends import PairTrends
from ilk.rng import Rng
from ilk.verbs import score as scoring

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from sdmetrics.column_pairs import ContingencySimilarity, CorrelationSimilarity
    from sdmetrics.reports.single_table import QualityReport
    from sdmetrics.single_column import KSComplement, TVComplement

torch.set_num_threads(1)
SEEDS = range(8)


def read(metric: Metric, case: Case, seed: int = 0) -> Reading:
    """The reading of a case that has one."""
    found = measured(metric, case, Rng(seed))
    assert isinstance(found, Reading), found
    return found


def mixed(dice: np.random.Generator, n: int, other: bool) -> pl.DataFrame:
    """Columns of every sort that hang together, with missing cells; the other side is a little off and has values of its own."""
    base, off = dice.normal(size=n), 0.3 * other
    frame = pl.DataFrame({
        "x": base + off, "y": np.round(base * 2 + dice.normal(size=n) * (0.5 + other), 1), "k": np.floor(dice.exponential(3 + off, n)).astype(int),
        "bins": (base > 0).astype(int) * 3 + dice.integers(0, 2, n), "flag": base + dice.normal(size=n) * 0.5 > off,
        "city": dice.choice(["Lyon", "Ulm", "Bari", "Oslo"][other:], n), "same": np.full(n, 7.0), "one": ["a"] * n,
        "group": [("hi" if b > 0.5 else "lo") + ("?" if other and u < 0.05 else "") for b, u in zip(base, dice.random(n), strict=True)],
        "day": [date(2020, 1, 1) + timedelta(days=int(200 * abs(b))) for b in base],
        "at": [datetime(2021, 5, 1) + timedelta(seconds=int(9e4 * b)) for b in base], "gone": pl.Series([None] * n, dtype=pl.Float64),
    })
    holes = dice.random((3, n)) < 0.15
    cut = zip(("y", "group", "flag"), holes, strict=True)
    return frame.with_columns(*(pl.when(pl.Series(h)).then(None).otherwise(pl.col(c)).alias(c) for c, h in cut))


def peer(real: pl.DataFrame, made: pl.DataFrame) -> QualityReport:
    """SDMetrics' report of the same tables."""
    kinds = {c: "boolean" if d == pl.Boolean else "datetime" if d.is_temporal() else "numerical" if d.is_numeric() else "categorical"
             for c, d in real.schema.items()}
    report = QualityReport()
    sides = [pd.DataFrame({c: _pandas(f[c]) for c in f.columns}) for f in (real, made)]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        report.generate(*sides, {"columns": {c: {"sdtype": k} for c, k in kinds.items()}}, verbose=False)
    return report


def _pandas(series: pl.Series) -> Any:
    if series.dtype.is_temporal():
        return pd.to_datetime(pd.Series(series.to_list()))
    return pd.Series(series.to_list(), dtype=float if series.dtype.is_float() else object if series.has_nulls() else None)


@pytest.mark.parametrize("seed", SEEDS)
def test_shapes_and_trends_are_those_of_sdmetrics(seed: int) -> None:
    dice = np.random.default_rng(seed)
    real, made = mixed(dice, int(dice.integers(12, 300)), False), mixed(dice, int(dice.integers(12, 300)), True)
    report, case = peer(real, made), Case(made=made, test=real)
    shapes, trends = read(ColumnShapes(), case), read(PairTrends(), case)
    theirs = report.get_properties().set_index("Property")["Score"]
    assert shapes.value == pytest.approx(theirs["Column Shapes"], abs=1e-9)
    assert trends.value == pytest.approx(theirs["Column Pair Trends"], abs=1e-9)
    columns = report.get_details("Column Shapes").dropna(subset=["Score"])
    assert shapes.parts == pytest.approx(dict(zip(columns["Column"], columns["Score"], strict=True)), abs=1e-9)
    pairs = report.get_details("Column Pair Trends").dropna(subset=["Score"])
    names = [f"{a}, {b}" for a, b in zip(pairs["Column 1"], pairs["Column 2"], strict=True)]
    assert len(names) > 3
    assert trends.parts == pytest.approx(dict(zip(names, pairs["Score"], strict=True)), abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_each_column_and_pair_is_the_complement_or_similarity_of_sdmetrics(seed: int) -> None:
    """KSComplement, TVComplement, CorrelationSimilarity and ContingencySimilarity called by themselves; the identity 1 - |r - r'| / 2 by NumPy."""
    dice = np.random.default_rng(seed + 100)
    real, made = (frame[["x", "k", "city", "group", "at"]].drop_nulls() for frame in (mixed(dice, 300, False), mixed(dice, 250, True)))
    twice = [f.with_columns(z=pl.col("x") * 2 + pl.Series(dice.normal(size=len(f))), town=pl.col("city") + pl.col("group")) for f in (real, made)]
    case = Case(made=twice[1], test=twice[0])
    shapes, pairs = read(ColumnShapes(), case).parts, read(PairTrends(), case).parts
    theirs = [pd.DataFrame({c: _pandas(f[c]) for c in f.columns}) for f in twice]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("x", "k", "at", "z"):
            assert shapes[name] == pytest.approx(KSComplement.compute(theirs[0][name], theirs[1][name]), abs=1e-9)
        for name in ("city", "group", "town"):
            assert shapes[name] == pytest.approx(TVComplement.compute(theirs[0][name], theirs[1][name]), abs=1e-9)
        for name in ("city, town", "group, town"):
            both = name.split(", ")
            assert pairs[name] == pytest.approx(ContingencySimilarity.compute(theirs[0][both], theirs[1][both]), abs=1e-9)
        alike = CorrelationSimilarity.compute(theirs[0][["x", "z"]], theirs[1][["x", "z"]], coefficient="Pearson")
    slopes = [np.corrcoef(f["x"], f["z"])[0, 1] for f in twice]
    assert pairs["x, z"] == pytest.approx(alike, abs=1e-9) == pytest.approx(1 - abs(slopes[0] - slopes[1]) / 2, abs=1e-9)


def test_identical_tables_are_alike_and_disjoint_ones_are_not() -> None:
    frame = mixed(np.random.default_rng(0), 200, False)
    same = Case(made=frame, test=frame)
    assert read(ColumnShapes(), same).value == pytest.approx(1, abs=1e-12)
    assert read(PairTrends(), same).value == pytest.approx(1, abs=1e-12)
    real = pl.DataFrame({"x": np.arange(50.0), "c": ["a", "b"] * 25, "d": ["c", "d"] * 25})
    far = Case(made=pl.DataFrame({"x": np.arange(50.0) + 99, "c": ["e"] * 50, "d": ["f", "g"] * 25}), test=real)
    assert read(ColumnShapes(), far).parts == pytest.approx({"x": 0, "c": 0, "d": 0}, abs=1e-7)
    assert read(PairTrends(), far).parts["c, d"] == pytest.approx(0, abs=1e-12)


def test_a_worse_table_scores_worse() -> None:
    dice = np.random.default_rng(1)
    x = dice.normal(size=(3, 500))
    real = pl.DataFrame({"a": x[0], "b": x[0] + 0.5 * x[1]})
    near, far = (pl.DataFrame({"a": x[2] + off, "b": (x[2] + off) * keep + 0.5 * dice.normal(size=500)}) for off, keep in ((0, 1), (1, 0)))
    for metric, sign in ((ColumnShapes(), 1), (PairTrends(), 1), (C2ST(), -1)):
        assert sign * read(metric, Case(made=near, test=real)).value > sign * read(metric, Case(made=far, test=real)).value


@pytest.mark.parametrize("shift", [0.0, 1.0])
@pytest.mark.parametrize("table", [False, True])
def test_c2st_of_shifted_gaussians_is_that_of_the_best_classifier(shift: float, table: bool) -> None:
    dice = np.random.default_rng(4 + table)
    made, test = dice.normal(shift, 1, (1500, 1)), dice.normal(0, 1, (1500, 1))
    case = Case(made=pl.DataFrame(made), test=pl.DataFrame(test)) if table else Case(made=made, test=test)
    found = read(C2ST(), case)
    assert found.error and abs(found.value - norm.cdf(shift / 2**0.5)) < 3 * found.error
    assert found == read(C2ST(), case) and found.n == 1500


def test_c2st_sees_categories_and_missing_cells() -> None:
    dice = np.random.default_rng(0)
    real = pl.DataFrame({"c": dice.choice([f"v{i}" for i in range(400)], 600), "x": dice.normal(size=600)})
    wrong = real.with_columns(c=pl.when(pl.Series(dice.random(600) < 0.5)).then(pl.lit("odd")).otherwise("c"))
    holes = real.with_columns(x=pl.when(pl.Series(dice.random(600) < 0.5)).then(None).otherwise("x"))
    assert read(C2ST(), Case(made=wrong, test=real)).value > 0.65
    assert read(C2ST(), Case(made=holes, test=real)).value > 0.65


def people(dice: np.random.Generator, n: int) -> pl.DataFrame:
    x, hair = dice.normal(size=n), dice.choice(["red", "black"], n)
    rich = x + (hair == "red") + dice.normal(size=n) > 0.5
    return pl.DataFrame({"x": x, "hair": hair, "rich": rich})


def test_dcr_share_is_a_half_for_fresh_rows_and_one_for_copies() -> None:
    dice = np.random.default_rng(0)
    train, holdout, fresh = (people(dice, 1500) for _ in range(3))
    found = read(DcrShare(), Case(made=fresh, train=train, holdout=holdout))
    assert found.error and abs(found.value - 0.5) < 3 * found.error
    copies = read(DcrShare(), Case(made=train, train=train, holdout=holdout))
    assert (copies.value, copies.parts) == (1.0, {"exact_copies": 1.0, "exact_copies_holdout": 0.0})
    assert read(DcrShare(), Case(made=holdout, train=train, holdout=holdout)).value == 0
    arrays = [dice.normal(size=(400, 3, 4)) for _ in range(3)]
    found = read(DcrShare(), Case(made=arrays[0], train=arrays[1], holdout=arrays[2]))
    assert found.error and abs(found.value - 0.5) < 3 * found.error
    assert read(DcrShare(), Case(made=arrays[1], train=arrays[1], holdout=arrays[2])).value == 1


def test_dcr_distance_is_gowers() -> None:
    train = pl.DataFrame({"x": [0.0, 10.0, None], "c": ["a", "b", None]})
    made = pl.DataFrame({"x": [4.0, None, None, 9.0], "c": ["b", "b", "a", None]})
    from ilk.metrics import _nearest, _tables

    points, others = _nearest.rows(_tables.columns(None, (made, train)), (made, train), slice(1, 2))
    far = torch.stack([points.exact(others, torch.full((4,), j)) for j in range(3)], 1)
    wanted = torch.tensor([[1.4, 0.6, 2.0], [2.0, 1.0, 1.0], [1.0, 2.0, 1.0], [1.9, 1.1, 1.0]])
    assert torch.allclose(far.float(), wanted, atol=1e-6)
    assert _nearest.nearest(points, others)[1].tolist() == [1, 1, 0, 2]


def test_auc_gap_is_nothing_for_rows_of_the_same_law_and_all_for_noise() -> None:
    dice = np.random.default_rng(3)
    train, test, made = (people(dice, 1200) for _ in range(3))
    same = read(AucGap(), Case(made=train, train=train, test=test))
    assert same.value == 0 and same.parts["auc_real"] == same.parts["auc_made"]
    fresh = read(AucGap(), Case(made=made, train=train, test=test))
    assert fresh.error and abs(fresh.value) < 4 * fresh.error and fresh.parts["auc_real"] > 0.75
    noise = made.with_columns(rich=made["rich"].shuffle(seed=0))
    assert read(AucGap(), Case(made=noise, train=train, test=test)).value > 0.15


def test_auc_gap_of_several_classes() -> None:
    dice = np.random.default_rng(5)

    def rows(n: int) -> pl.DataFrame:
        x = dice.normal(size=n)
        return pl.DataFrame({"kind": np.array(["low", "mid", "top"])[np.digitize(x + 0.3 * dice.normal(size=n), [-0.5, 0.5])], "x": x})

    found = read(AucGap(), Case(made=rows(400).filter(pl.col("kind") != "mid"), train=rows(400), test=rows(400)))
    assert found.parts["auc_real"] > 0.85 and found.value > 0.02 and "'kind'" in found.convention


def coverage(metric: Metric, case: Callable[[np.random.Generator], Case], repeats: int) -> float:
    """The spread of readings over repeats, over the error they report."""
    found = [read(metric, case(np.random.default_rng(100 + i)), i) for i in range(repeats)]
    return float(np.std([f.value for f in found], ddof=1) / np.mean([f.error or 0.0 for f in found]))


@pytest.mark.slow
def test_error_bars_cover() -> None:
    def null(dice: np.random.Generator) -> Case:
        made, train, holdout = (people(dice, 150) for _ in range(3))
        return Case(made=made, train=train, holdout=holdout, test=holdout)

    def apart(dice: np.random.Generator) -> Case:
        return Case(made=dice.normal(0.7, 1, (150, 2)), test=dice.normal(0, 1, (150, 2)))

    many, few = ((ColumnShapes(), null, 40), (PairTrends(), null, 40), (DcrShare(), null, 40)), ((C2ST(), null, 12), (C2ST(), apart, 12))
    for metric, case, repeats in (*many, *few):
        assert 0.5 < coverage(metric, case, repeats) < 1.6, metric


class Unit:
    """A modality of texts with a length."""

    columns = ()

    def take(self, items: list[str], index: Tensor) -> list[str]:
        """Some."""
        return [items[i] for i in index.tolist()]

    def lengths(self, items: list[str]) -> dict[str, Tensor]:
        """Characters."""
        return {"character": torch.tensor([len(t) for t in items])}


def test_nats_and_bits_per_character_are_those_of_score(monkeypatch: pytest.MonkeyPatch) -> None:
    texts, asked = ["ab", "abcd", "", "abc"], {}

    def score(model: Any, items: list[str], seed: int) -> scoring.Score:
        asked["seed"] = seed
        return scoring.Score(-torch.tensor([len(t) + 1.0 for t in items]).double() * log(4), "exact", "counting measure")

    monkeypatch.setattr(scoring, "score", score)
    case = Case(model=SimpleNamespace(modality=Unit(), labels=(), body=SimpleNamespace(log_prob=len)), test=texts)  # type: ignore[arg-type]
    nats, bits = read(Nats(), case), read(BitsPerCharacter(), case)
    assert nats.value == pytest.approx(-13 / 4 * log(4)) and nats.n == 4 and "exact" in nats.convention
    assert bits.value == pytest.approx(2 * 13 / 9) and bits.error and asked["seed"] >= 0


def test_a_model_without_likelihood_has_no_nats(monkeypatch: pytest.MonkeyPatch) -> None:
    def score(model: Any, items: Any, seed: int) -> scoring.Score:
        raise UsageError("no likelihood", code="NO_SCORE")

    monkeypatch.setattr(scoring, "score", score)
    case = Case(model=SimpleNamespace(modality=Unit(), labels=(), body=SimpleNamespace(log_prob=len)), test=["ab"])  # type: ignore[arg-type]
    for metric in (Nats(), BitsPerCharacter()):
        assert isinstance(measured(metric, case, Rng(0)), NotApplicable)
    assert isinstance(measured(Nats(), Case(test=["ab"]), Rng(0)), NotApplicable)


def test_distinct_n_counts_words_or_characters_at_equal_length() -> None:
    found = read(DistinctN(), Case(made=["a b a b", "a b"]))
    assert found.parts == pytest.approx({"distinct_1": 2 / 6, "distinct_2": 2 / 4, "distinct_3": 1.0, "distinct_4": 1.0})
    cut = read(DistinctN(), Case(made=["a b a b a b"], test=["c d e"]))
    assert cut.value == 1 and cut.parts["test_distinct_2"] == 1 and "by word over 3 tokens" in cut.convention
    assert "by character" in read(DistinctN(), Case(made=["春眠不觉晓", "处处闻啼鸟"])).convention
    assert read(DistinctN(), Case(made=["春春春"])).value == 0.5
