"""Metrics at the edges: tiny, constant, empty, missing and strange collections give a finite reading or a reason."""
from __future__ import annotations

from math import inf, isfinite
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk import registry
from ilk.metric import Case, Metric, NotApplicable, measured
from ilk.modalities._columns import Category, Identifier, Number, When, Words
from ilk.modalities.table import Table
from ilk.rng import Rng

torch.set_num_threads(1)
NAMES = ("auc_gap", "autocorrelation", "bleu", "c2st", "chrf", "column_shapes", "consistency", "dcr_share", "discriminative_score", "distinct_n", "group_fidelity",
         "pair_trends", "predictive_score", "repetition", "rouge", "scripts", "spectrum")
PROMPTED = ("bleu", "chrf", "rouge")
FLOATS = st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -0.0, 1.0, 1e308, -1e308, 5e-324]))
WORDS = st.one_of(st.none(), st.sampled_from(["a", "b", "", "é", "nan"]))
CELLS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "x": (pl.Float64, FLOATS), "y": (pl.Float64, st.floats(-3, 3)), "k": (pl.Int64, st.one_of(st.none(), st.integers(-2**62, 2**62))),
    "c": (pl.String, WORDS), "b": (pl.Boolean, st.one_of(st.none(), st.booleans())), "d": (pl.Date, st.one_of(st.none(), st.dates())),
    "f": (pl.Float32, st.floats(width=32)), "n": (pl.Null, st.none()), "l": (pl.List(pl.Int64), st.just([1])),
}


def metric(name: str) -> Metric:
    found: Metric = registry.get("metrics", name)()
    return found


def sound(one: Metric, case: Case) -> None:
    """A reading that is finite and within bounds, or a reason."""
    found = measured(one, case, Rng(0))
    if isinstance(found, NotApplicable):
        assert found.reason
        return
    assert isfinite(found.value) and one.low - 1e-9 <= found.value <= one.high + 1e-9
    assert found.error is None or (isfinite(found.error) and found.error >= 0)
    assert found.n > 0 and found.convention and all(isfinite(v) for v in found.parts.values())


@st.composite
def tables(draw: st.DrawFn) -> list[pl.DataFrame]:
    """Three tables of one schema and their own sizes."""
    names = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=4, unique=True))
    sizes = [draw(st.sampled_from([0, 1, 2, 3, 12])) for _ in range(3)]
    return [pl.DataFrame({c: pl.Series(draw(st.lists(CELLS[c][1], min_size=n, max_size=n)), dtype=CELLS[c][0], strict=False) for c in names})
            for n in sizes]


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=40, deadline=None)
@given(tables())
def test_small_tables(name: str, frames: list[pl.DataFrame]) -> None:
    made, train, test = frames
    sound(metric(name), Case(made=made, train=train, test=test, holdout=test))


@settings(max_examples=40, deadline=None)
@given(tables())
def test_groups_of_odd_rows(frames: list[pl.DataFrame]) -> None:
    made, train, test = (pl.concat([frame] * 40) for frame in frames)
    sound(metric("group_fidelity"), Case(made=made, train=train, test=test))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=8, deadline=None)
@given(st.sampled_from([(), (3,), (2, 2), (0,)]), st.lists(st.sampled_from([0, 1, 2, 12]), min_size=3, max_size=3),
       st.sampled_from([0.0, 1e30, inf, float("nan")]))
def test_small_arrays(name: str, shape: tuple[int, ...], sizes: list[int], scale: float) -> None:
    made, train, test = (np.random.default_rng(n).normal(size=(n, *shape)) * (scale or 1) for n in sizes)
    sound(metric(name), Case(made=made, train=train, test=test, holdout=test))


@pytest.mark.parametrize("name", NAMES)
def test_blank_pictures(name: str) -> None:
    blank = np.zeros((12, 3), dtype=np.uint8)
    sound(metric(name), Case(made=blank, train=blank, test=blank, holdout=blank))


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=15, deadline=None)
@given(st.lists(st.text(max_size=9), max_size=4), st.lists(st.text(max_size=9), max_size=4))
def test_small_texts(name: str, made: list[str], test: list[str]) -> None:
    sound(metric(name), Case(made=made, train=test, test=test, holdout=test))


@pytest.mark.parametrize("name", PROMPTED)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=9)), max_size=60), st.lists(st.tuples(st.sampled_from("abc"), st.text(max_size=9)), max_size=6))
def test_small_prompted_texts(name: str, made: list[tuple[str, str]], test: list[tuple[str, str]]) -> None:
    case = Case(made=[text for _, text in made], test=[text for _, text in test], made_captions=[c for c, _ in made], test_captions=[c for c, _ in test])
    sound(metric(name), case)


@pytest.mark.parametrize("name", sorted({*NAMES, "nats", "bits_per_character", "calibration", "rare_likelihood"}))
def test_every_metric_says_what_it_needs_and_is(name: str) -> None:
    one = metric(name)
    assert isinstance(measured(one, Case(), Rng(0)), NotApplicable)
    assert registry.summary("metrics", name) and one.needs and one.low < one.high and one.better in ("higher", "lower", "middle", "real")
    assert registry.name_of("metrics", one) == name


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_reading_and_leaves_global_randomness(name: str) -> None:
    dice = np.random.default_rng(0)
    frames = [pl.DataFrame({"x": dice.normal(size=n), "c": dice.choice(["a", "b"], n)}) for n in (40, 60, 50)]
    case = Case(made=frames[0], train=frames[1], test=frames[2], holdout=frames[2])
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # type: ignore[index]
    assert measured(metric(name), case, Rng(5)) == measured(metric(name), case, Rng(5))
    assert (np.random.get_state()[1] == before[0]).all() and torch.equal(torch.get_rng_state(), before[1])  # type: ignore[index]


def test_the_model_says_what_columns_are() -> None:
    from types import SimpleNamespace

    from ilk.metrics._tables import arrays, columns

    frame = pl.DataFrame({"id": [1, 2], "code": [3, 4], "day": ["01/02/2020", None], "x": ["1.5", "2"], "note": ["p", "q"], "new": [1, 2]})
    modality = Table(columns=(Identifier(name="id"), Category(name="code", values=("3", "4")), When(name="day", form="%d/%m/%Y"), Number(name="x"),
                              Words(name="note")))
    model: Any = SimpleNamespace(modality=modality)
    seen = columns(model, (frame, frame))
    assert [(c.name, c.number) for c in seen] == [("code", False), ("day", True), ("x", True), ("new", True)]
    day, x = (arrays(c, (frame,))[0] for c in seen[1:3])
    assert x.tolist() == [1.5, 2.0] and day[0] == 1580515200 * 10**6 and np.isnan(day[1])


def test_columns_of_other_types_on_either_side_are_compared_as_texts() -> None:
    case = Case(made=pl.DataFrame({"a": ["1", "2"] * 6}), test=pl.DataFrame({"a": [1, 2] * 6}))
    found = measured(metric("column_shapes"), case, Rng(0))
    assert not isinstance(found, NotApplicable) and found.value == 1.0


def test_exact_copies_are_found_beside_missing_cells() -> None:
    train = pl.DataFrame({"a": [1.0, None, 3.0, 0.0], "b": ["u", None, "w", "z"]})
    made = pl.DataFrame({"a": [None, 3.0, -0.0], "b": [None, "u", "z"]})
    found = measured(metric("dcr_share"), Case(made=made, train=train, holdout=train), Rng(0))
    assert not isinstance(found, NotApplicable) and found.value == 0.5
    assert found.parts == pytest.approx({"exact_copies": 2 / 3, "exact_copies_holdout": 2 / 3})
