"""The contracts from raw items to raw items: what a person sees of a fitted model."""
from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import ks_2samp, kstest

import ilk
from ilk.batch import Batch
from ilk.errors import UsageError
from ilk.families import _record_given
from ilk.families.gmm import GMM
from ilk.given import Keep, Label, Where
from ilk.model import Model
from ilk.rng import Rng
from ilk.rules import parse
from ilk.testing import check_chain, check_flips, check_law, check_noise, check_rejection, check_saving, check_total
from ilk.testing.model import p_value
from ilk.verbs.condition import given
from ilk.verbs.score import evidence, score

from .conftest import KNOWN, LINE, STEPS, UNSEEN, atoms, pictures, reals, small

Models = Callable[[str], Model]
NAMES = list(KNOWN)
EXACT = [n for n in NAMES if n.startswith(("made", "mixture", "ngram")) or n in ("gmm", "gmm array")]
VOLUME: dict[str, Any] = {"made line": 1e-3, "ngram": UNSEEN}
OUTSIDE = {"ngram": 0.2}  # samples with characters never seen are not listed
RULE = "`k k` < 2 and 城市 == '北京'"
ASKED: list[tuple[str, Any]] = [
    *((name, asked) for name in ("made", "made orders", "mixture", "gmm") for asked in (
        Where(RULE), "`k k` >= 1 and `k k` != 2 and flag == 'y'", "城市 in ['北京', 'Lyon'] and `k k` in [0, 3]", {"城市": None}, {"flag": "n"},
        {"k k": 2, "flag": "y"}, "城市 != None", "城市 != '北京'", "城市 not in ['Lyon'] and flag != 'n'", Keep({"城市": None, "k k": 1}))),
    *(("made wide", asked) for asked in ("w < 333 and w > 290", "w >= 700 and w != 703 and a == 'u'", {"w": 501}, "w > 900", "w in [300, 301, 477] and a != 'v'", "w < 0")),
    *(("made gaps", asked) for asked in ("n > -1000", {"n": None}, "n <= 20 and f == 'y'", "n != None and n > 7", "n == 12 and n > 7", "n in [3, 17, 40]", "n != 5")),
    *(("made days", asked) for asked in ("day < '2024-03-01'", "day == '2024-02-29'", "day > '2024-02-20' and day <= '2024-03-15' and f == 'y'", "day != '2024-02-12'")),
    *((name, asked) for name in ("made array", "gmm array") for asked in ("`0,0` > 0 and `1,1` != 2", {"0,1": 1}, "`1,0` in [0, 2] and `0,0` == 1")),
    *(("ngram", Keep({"prefix": prefix})) for prefix in ("", "a", "ab", "月", "ab月a"))]


@pytest.mark.parametrize("name", NAMES)
def test_raw_items_sum_to_one(models: Models, name: str) -> None:
    found = check_total(models(name), KNOWN[name].items, VOLUME.get(name, 1.0))
    assert found.sort == ("exact" if name in EXACT else "bound")


@pytest.mark.parametrize("name", [n for n in EXACT if n != "made line"])
def test_samples_follow_the_score(models: Models, name: str) -> None:
    check_law(models(name), KNOWN[name].items, outside=OUTSIDE.get(name, 1e-3))


@pytest.mark.parametrize(("name", "asked"), ASKED)
def test_conditionals_are_exact(models: Models, name: str, asked: Any) -> None:
    model, items = models(name), KNOWN[name].items
    assert model.given(asked).met.met.sort == "exact"
    check_chain(model, items, asked, VOLUME.get(name, 1.0), within=2e-3)
    check_law(model, items, asked, outside=OUTSIDE.get(name, 1e-3))


@pytest.mark.parametrize(("name", "asked"), [("gmm wide", "w < 333 and w > 200 and a == 'u'"), ("gmm gaps", {"n": None}), ("gmm gaps", "n > 10 and f == 'y'"),
                                             ("gmm days", "day < '2024-03-01'"), ("copula array", "`0,0` > 0"), ("copula array", "`0,0` > 0 and `1,1` != 2"), ("copula", RULE),
                                             ("vae", RULE)])
def test_conditionals_of_bounds(models: Models, name: str, asked: Any) -> None:
    """There is no exact score to hold them against: the model's own samples that obey are the reference."""
    model = models(name)
    check_chain(model, KNOWN[name].items, asked, within=2e-2)
    check_rejection(model, asked)
    tests = model.modality.checked(model.given(asked).met.model.modality.checked(_tests(model, asked)))
    free = model.sample(60_000, 3)
    free = model.modality.take(free, model.modality.obeys(free, tests).nonzero()[:, 0])
    made = model.given(asked).sample(4000, 5)
    for a, b in zip(_columns(free), _columns(made), strict=True):
        assert ks_2samp(a, b).pvalue > 1e-5


def _tests(model: Model, asked: Any) -> Any:
    from ilk.given import tests_of

    return tests_of(model.modality.asked(asked))


def _columns(items: Any) -> list[Any]:
    """Columns as numbers whose order means nothing but is the same on both sides."""
    if isinstance(items, pl.DataFrame):
        return [s.fill_null("").cast(pl.String).hash(1).to_numpy() / 2**64 if s.dtype == pl.String else s.cast(pl.Float64).fill_null(-1e9).to_numpy() for s in items]
    return list(items.reshape(len(items), -1).T)


def test_a_wrong_conditional_is_seen(models: Models) -> None:
    """Sequential truncation, which pretends that the proposal is the posterior, fails the chi-square."""
    model, items = models("made"), KNOWN["made"].items
    rule = "`k k` < 2 and flag == 'y'"
    tests = model.modality.checked(parse(rule))
    p = score(model, items).nats.where(model.modality.obeys(items, tests), -torch.inf).softmax(0)
    body: Any = model.body
    lowered = model.codec.given(tests)
    evidence_: Any = model.lift.evidence(lowered.known)
    # the order in which the evidence comes last is the one where truncation is wrong
    (member, order), = body._each()
    weights = {order.index(i): t for i, t in evidence_.tables.items()}
    n = 20_000
    rows, _ = _record_given.ancestral(member, torch.zeros(n, 3, dtype=torch.long), 0, Rng(1), weights)
    x = torch.zeros_like(rows)
    x[:, torch.tensor(order)] = rows
    made = lowered.codec.decode(model.lift.decode(Batch(x)), Rng(2))
    assert bool(model.modality.obeys(made, tests).all())
    assert p_value(model, items, p, made) < 1e-6
    assert p_value(model, items, p, model.given(rule).sample(n, 3)) > 1e-4


def test_an_estimate_says_so_and_is_near(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    model, items = models("made"), KNOWN["made"].items
    exact = evidence(model.given("`k k` < 2 and flag == 'y'"))
    monkeypatch.setattr(_record_given, "ENUMERABLE", 1)
    again = model.given("`k k` < 2  and flag == 'y'")
    met = again.met.met
    assert met.sort == "estimate" and met.ess is not None and met.ess > 100
    assert abs(met.log_mass - exact) < max(0.05, 4 * met.log_mass_error)
    assert score(again, items[:4]).sort == "estimate" and score(again, items[:4]).mass_error > 0


@pytest.mark.parametrize("asked", ["x < 1.2345 and x > -2", "x > 4", {"x": 1.3}])
def test_a_continuous_column(models: Models, asked: Any) -> None:
    model, kept = models("made line"), isinstance(asked, dict)
    items = pl.concat([LINE, pl.DataFrame({"x": [1.3]})])
    check_chain(model, items, asked, 1e-3, 4e-3, summed=not kept)
    made = model.given(asked).sample(5000)["x"].to_numpy()
    if kept:
        assert set(made) == {1.3} and score(model.given(asked), items[-1:]).mean == pytest.approx(0, abs=1e-6)
        return
    p = score(model.given(asked), LINE).nats.exp().cumsum(0).numpy() * 1e-3
    assert kstest(made, lambda v: np.interp(v, LINE["x"].to_numpy() + 5e-4, p)).pvalue > 1e-4


def test_an_atom_has_mass_and_the_rest_a_density() -> None:
    model = ilk.fit(atoms(), ilk.MADE(width=32), run=STEPS)
    h = 1e-3
    smooth = pl.DataFrame({"paid": np.repeat(np.arange(-20 + h / 2, 60, h), 2)}).with_columns(f=pl.Series(["y", "n"] * 80_000))
    points = pl.DataFrame({"paid": [0.0, 0.0], "f": ["y", "n"]})
    mass = [float(score(model, points).nats.exp().sum()), float(score(model, smooth).nats.exp().sum()) * h]
    assert sum(mass) == pytest.approx(1, abs=3e-3) and 0.4 < mass[0] < 0.8
    zero, more = model.given("paid == 0"), model.given("paid > 0")
    assert np.exp(evidence(zero)) == pytest.approx(mass[0], abs=1e-6) and zero.met.met.sort == "exact"
    assert set(zero.sample(300)["paid"]) == {0.0} and more.sample(300)["paid"].min() > 0
    made = model.sample(20_000, 2)["paid"].to_numpy()
    assert abs((made == 0).mean() - mass[0]) < 5 * (0.25 / 20_000) ** 0.5


def test_a_mixture_over_two_numbers() -> None:
    model = ilk.fit(reals(), GMM(components=6), seed=1)
    axis = np.linspace(-14, 14, 801)
    x, y = np.meshgrid(axis, axis)
    found = check_total(model, pl.DataFrame({"x": x.ravel(), "y": y.ravel()}), float(axis[1] - axis[0]) ** 2)
    assert found.sort == "exact"
    line = pl.DataFrame({"x": np.full(8001, 1.3), "y": np.linspace(-10, 10, 8001)})
    more = model.given({"x": 1.3})
    assert more.met.met.sort == "exact"
    check_total(more, line, 20 / 8001)
    check_chain(model, line, {"x": 1.3}, 20 / 8001)
    cdf = score(model, line).nats.softmax(0).cumsum(0).numpy()
    assert kstest(more.sample(5000)["y"].to_numpy(), lambda v: np.interp(v, line["y"].to_numpy(), cdf)).pvalue > 1e-4
    both = model.given({"x": 1.3}).given("y > 1")
    assert float(score(both, line.filter(pl.col("y") > 1)).nats.exp().sum()) * 20 / 8001 == pytest.approx(1, abs=0.06)
    assert set(both.sample(200)["x"]) == {1.3} and both.sample(200)["y"].min() > 1
    check_chain(model, line, {"x": 1.3}, 20 / 8001)


def test_a_number_that_may_be_missing_can_be_kept() -> None:
    g = np.random.Generator(np.random.Philox(key=10))
    frame = reals(2000).with_columns(x=pl.when(pl.Series(g.random(2000) > 0.2)).then("x"))
    model = ilk.fit(frame, GMM(components=6), seed=1)
    free, made = model.sample(200_000, 1), model.given({"x": 1.3}).sample(4000)
    near = free.filter((pl.col("x") - 1.3).abs() < 0.05)["y"]
    assert made["x"].unique().to_list() == [1.3] and ks_2samp(near.to_numpy(), made["y"].to_numpy()).pvalue > 1e-4
    assert np.log(len(near) / len(free) / 0.1) == pytest.approx(evidence(model.given({"x": 1.3})), abs=0.1)
    assert model.given("x == None").sample(50)["x"].null_count() == 50


def test_labels_are_kept_and_scored() -> None:
    from ilk.dataset import Dataset, Labels

    x = pictures(levels=2)
    whole = ilk.read(x)
    data = Dataset(whole.modality, whole.items, {}, Labels(torch.from_numpy(x[:, 0, 1].astype(np.int64)), ("off", "on")))
    model = ilk.fit(data, KNOWN["vae array"].family, run=STEPS)
    on, off = (model.given(Label(name)) for name in ("on", "off"))
    assert on.sample(400)[:, 0, 1].mean() > off.sample(400)[:, 0, 1].mean() + 0.2
    check_noise(on)
    with pytest.raises(UsageError, match="no label 'of'; did you mean off"):
        model.given(Label("of"))
    with pytest.raises(UsageError, match="contradictory labels"):
        on.given(Label("off"))


@pytest.mark.parametrize("name", NAMES)
def test_noise_of_an_item_does_not_depend_on_n(models: Models, name: str) -> None:
    check_noise(models(name))


@pytest.mark.parametrize(("name", "asked"), [("made orders", "`k k` < 2"), ("gmm gaps", "n > 10"), ("ngram", Keep({"prefix": "a"})), ("vae", RULE)])
def test_noise_with_something_given(models: Models, name: str, asked: Any) -> None:
    check_noise(models(name).given(asked))


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load(models: Models, name: str, tmp_path: Path) -> None:
    check_saving(models(name), KNOWN[name].items[:50], tmp_path)


def test_givens_are_saved(models: Models, tmp_path: Path) -> None:
    model = models("made orders").given("`k k` < 2").given({"城市": None})
    check_saving(model, KNOWN["made"].items[:50], tmp_path)


@pytest.mark.parametrize("name", ["made", "gmm array", "ngram", "vae"])
def test_a_flipped_bit_is_refused(models: Models, name: str, tmp_path: Path) -> None:
    check_flips(models(name), tmp_path, 40, ("ilk.json", "model.safetensors"))


@pytest.mark.parametrize("name", ["card.md", "SHA256SUMS"])
def test_a_flipped_bit_beside_the_model_is_refused(models: Models, name: str, tmp_path: Path) -> None:
    check_flips(models("made"), tmp_path, 40, (name,))


@pytest.mark.parametrize(("name", "asked", "message"), [
    ("made", "`k k` < 1 and `k k` > 2", "contradictory"), ("made", {"k k": 1000, "flag": "maybe"}, "never that"), ("made", "kk < 1", "no column 'kk'.*did you mean k k"),
    ("made", "`k k` << 1", "wanted"), ("made", "flag == None", "can't be missing"), ("made", "城市 < '北京'", "texts have no order"), ("made", "`k k` == 'two'",
    "it holds numbers"),
    ("gmm wide", "w == 300 and w == 301", "contradictory"), ("gmm array", "`7,7` == 1", "no part '7,7'"), ("gmm array", {"0,0": None}, "arrays hold numbers"),
    ("ngram", Keep({"prefix": "z"}), "never seen"), ("ngram", Keep({"middle": "a"}), "can't be given"), ("made", Label(1), "fitted without labels")])
def test_what_cannot_be_is_refused(models: Models, name: str, asked: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        given(models(name), asked)


def test_contradictions_between_givens_are_seen(models: Models) -> None:
    first = models("made").given({"flag": "y"})
    with pytest.raises(UsageError, match="contradictory"):
        first.given({"flag": "n"})
    with pytest.raises(UsageError, match="impossible|contradictory"):
        first.given("flag == 'n'")


def test_dates_are_dates(models: Models) -> None:
    made = models("made days").given("day >= '2024-02-28' and day < '2024-03-02'").sample(200)["day"]
    assert {date.fromisoformat(d) for d in made} <= {date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)}


def test_the_order_of_columns_is_kept(models: Models) -> None:
    assert models("made").sample(3).columns == small().columns == models("gmm").sample(3).columns


def test_both_orders_of_asking_are_one(models: Models) -> None:
    model, items = models("made orders"), KNOWN["made"].items[:200]
    one, other = model.given("`k k` < 2").given({"flag": "y"}), model.given({"flag": "y"}).given("`k k` < 2")
    assert torch.allclose(score(one, items).nats, score(other, items).nats, atol=1e-9) and one.sample(20).equals(other.sample(20))
