"""Completions by brute force over all that an item may be, by numerical integration, and by what the best guess has to minimise."""
from __future__ import annotations

from itertools import product
from math import inf, log
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import chisquare, kstest
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory
from ilk.distribution import Completion, Quantiles
from ilk.errors import DataError, UsageError
from ilk.given import Evidence, Fix, Parts, Presence, Weigh, Within
from ilk.modalities._cells import learn
from ilk.modalities._codings import CellCoding
from ilk.modalities._columns import Number
from ilk.modalities._spans import Span
from ilk.modalities._typical import median
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Maybe, Reals, Row, Space
from ilk.verbs.impute import imputed

SIZES = (2, 3, 2, 4)
EVERY = torch.tensor(list(product(*map(range, SIZES))))
RECORD = Discrete(SIZES, (4,))
ROW = Row({"a": Maybe(Discrete(3)), "n": Reals(), "m": Maybe(Reals()), "b": Discrete(2)})
FAMILIES: dict[str, Any] = {"circuit": ilk.Circuit(hidden=3, rounds=5), "chow_liu": ilk.ChowLiu(), "gmm": ilk.GMM(components=3, rounds=5),
                            "mixture": ilk.Mixture(components=2, rounds=3), "mixture of circuits": ilk.Mixture(components=2, each=ilk.Circuit(hidden=2, rounds=3), rounds=2)}


def planted(n: int, seed: int) -> Tensor:
    """Records whose places lean on one of three hidden causes."""
    rng = Rng(seed).child("planted")
    cause = rng.child("cause").integers(n, 3)[:, None]
    noise = rng.child("noise").uniform(n, 4) * torch.tensor(SIZES)
    return ((cause + torch.arange(4)) % torch.tensor(SIZES)).where(rng.child("lean").uniform(n, 4) < 0.7, noise.long())


def rows(n: int, seed: int) -> Batch:
    """Rows of ROW that lean on each other, some cells missing."""
    rng = Rng(seed).child("rows")
    cause = rng.child("cause").integers(n, 3)
    number = cause + rng.child("n").normal(n) * 0.7
    m = Batch(0.5 * number + 0.3 * rng.child("m").normal(n), rng.child("t").uniform(n) < 0.7)
    return Batch({"a": Batch(cause, rng.child("a").uniform(n) < 0.8), "n": Batch(number), "m": m, "b": Batch((rng.child("b").uniform(n) < 0.2 + 0.3 * cause).long())})


def fitted(name: str, space: Space, data: Batch) -> Any:
    body = FAMILIES[name].build(space, Rng(0))
    body.fit(Memory(data), Run(seed=1))
    return body


def tables(completion: Completion) -> list[Tensor]:
    return [law.exp() for law in completion.marginals() if isinstance(law, Tensor)]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("weighed", [False, True])
def test_posteriors_are_sums_over_all_records(name: str, weighed: bool) -> None:
    body = fitted(name, RECORD, Batch(planted(400, 1)))
    weights = {1: torch.tensor([0.0, -inf, 0.7]).double(), 3: torch.tensor([0.1, 0.2, -0.5, 0.0]).double()} if weighed else {}
    nats = body.log_prob(Batch(EVERY)) + sum((w[EVERY[:, i]] for i, w in weights.items()), torch.zeros(len(EVERY)).double())
    x, known = planted(200, 2), Rng(3).uniform(200, 4) < 0.5
    x[:, 1] = x[:, 1].where(x[:, 1] != 1, 0)
    known[:16] = torch.tensor(list(product([False, True], repeat=4)))
    found = body.given_each(Batch(x), known, Weigh(weights) if weights else None, Rng(0))
    fits = ((x[:, None] == EVERY) | ~known[:, None]).all(2)
    mass = (nats.exp() * fits).sum(1)
    assert found.ess is None and torch.allclose(found.log_mass.exp(), mass, atol=1e-12, rtol=1e-9)
    for i, table in enumerate(tables(found)):
        gone = ~known[:, i]
        wanted = torch.stack([(nats.exp() * fits * (EVERY[:, i] == v)).sum(1) / mass for v in range(SIZES[i])], 1)[gone]
        assert torch.allclose(table, wanted, atol=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_draws_follow_the_posterior_together(name: str) -> None:
    body = fitted(name, RECORD, Batch(planted(400, 1)))
    n, known = 6000, torch.tensor([False, True, False, False])
    x = torch.tensor([1, 2, 1, 3]).expand(n, -1).clone()
    made = body.given_each(Batch(x), known.expand(n, -1), None, Rng(0)).draw(Rng(5)).tensor
    assert bool((made[:, 1] == 2).all())
    left = EVERY[EVERY[:, 1] == 2]
    share = body.log_prob(Batch(left)).softmax(0)
    count = (made[:, None] == left).all(2).sum(0)
    assert chisquare(count.numpy(), (share * n).numpy()).pvalue > 1e-3
    again = body.given_each(Batch(x[:50]), known.expand(50, -1), None, Rng(0))
    assert torch.equal(again.draw(Rng(5)).tensor, made[:50])                       # row i's noise depends on nothing but i
    assert not torch.equal(again.draw(Rng(6)).tensor, made[:50])


def asked(batch: Batch, i: int, known: Tensor) -> Evidence:
    """What is known of one row of ROW, and that the rest is there, as evidence for `given`."""
    of: dict[str, Evidence] = {}
    for j, name in enumerate(ROW.parts):
        part, value = batch.parts[name], batch.parts[name].tensor[i]
        only = Fix({0: float(value)}) if value.is_floating_point() else Weigh({0: torch.zeros(3 if name == "a" else 2).double().log().index_fill(0, value, 0.0)})
        here: Evidence | None = only if known[j] else None
        if part.seen is not None:
            of[name] = Presence(0.0, -inf, here)
        elif here is not None:
            of[name] = here
    return Parts(of)


THERE = Parts({"a": Presence(0.0, -inf), "m": Presence(0.0, -inf)})


@pytest.mark.parametrize("name", ["circuit", "gmm", "mixture of circuits"])
def test_rows_of_numbers_and_missing_cells_are_as_given_one_by_one(name: str) -> None:
    body = fitted(name, ROW, rows(500, 1))
    batch = rows(40, 2)
    batch = Batch({k: Batch(b.tensor, None if b.seen is None else torch.ones(40, dtype=torch.bool)) for k, b in batch.parts.items()})
    known = Rng(4).uniform(40, 4) < 0.5
    found = body.given_each(batch, known, THERE, Rng(0))
    singly = [body.given(asked(batch, i, known[i]), Rng(0)) for i in range(40)]
    assert torch.allclose(found.log_mass, torch.tensor([s.met.log_mass for s in singly]).double(), atol=1e-9)
    made = found.draw(Rng(1))
    for j, part in enumerate(ROW.parts):
        assert torch.equal(made.parts[part].tensor[known[:, j]], batch.parts[part].tensor[known[:, j]])
    assert all(b.seen is None or bool(b.seen.all()) for b in made.parts.values())


@pytest.mark.parametrize("name", ["circuit", "gmm", "mixture of circuits"])
def test_laws_of_numbers_are_integrals_of_the_density(name: str) -> None:
    body = fitted(name, ROW, rows(500, 1))
    a, n = torch.tensor([2]), torch.tensor([0.4]).double()
    row = Batch({"a": Batch(a, torch.tensor([True])), "n": Batch(n), "m": Batch(n, torch.tensor([True])), "b": Batch(a - 2)})
    known = torch.tensor([[True, True, False, False]])
    found = body.given_each(row, known, THERE, Rng(0))
    grid = torch.linspace(-8, 8, 20001, dtype=torch.double)
    many = len(grid)
    density = torch.stack([body.log_prob(Batch({"a": Batch(a.expand(many), torch.ones(many, dtype=torch.bool)), "n": Batch(n.expand(many)),
                                                "m": Batch(grid, torch.ones(many, dtype=torch.bool)), "b": Batch(torch.full((many,), b))})).exp() for b in (0, 1)])
    step = float(grid[1] - grid[0])
    assert float(found.log_mass) == pytest.approx(log(float(density.sum()) * step), abs=1e-6)
    laws = found.marginals()
    assert isinstance(laws[3], Tensor) and torch.allclose(laws[3].exp()[0], density.sum(1) / density.sum(), atol=1e-6)
    below = density.sum(0).cumsum(0) / density.sum()
    for level in (0.05, 0.5, 0.9):
        assert isinstance(laws[2], Quantiles)
        assert float(laws[2].quantile(level)) == pytest.approx(float(grid[torch.searchsorted(below, level)]), abs=2e-3)
    wide = Batch({k: Batch(b.tensor.expand(4000), None if b.seen is None else b.seen.expand(4000)) for k, b in row.parts.items()})
    drawn = body.given_each(wide, known.expand(4000, -1), THERE, Rng(0)).draw(Rng(3)).parts["m"].tensor
    assert kstest(drawn.numpy(), lambda x: np.interp(x, grid.numpy(), below.numpy())).pvalue > 1e-3


@pytest.mark.parametrize("covariance", ["full", "diag"])
def test_gaussians_are_regressions(covariance: Any) -> None:
    x = Rng(0).normal(400, 3) @ torch.tensor([[1.0, 0.8, 0.3], [0.0, 1.0, -0.5], [0.0, 0.0, 1.0]]).double()
    body = ilk.GMM(components=1, covariance=covariance).build(Reals((3,)), Rng(0))
    body.fit(Memory(Batch(x)), Run())
    known = torch.tensor([[True, False, True], [False, False, True], [False, False, False]])
    laws = body.given_each(Batch(x[:3]), known, None, Rng(0)).marginals()
    cov = torch.cov(x.T, correction=0) if covariance == "full" else torch.cov(x.T, correction=0).diagonal().diag()
    for i, row in enumerate(known):
        if not bool((~row).any()):
            continue
        gain = cov[:, row] @ torch.linalg.inv(cov[row][:, row]) if bool(row.any()) else torch.zeros(3, 0).double()
        wanted = x.mean(0) + gain @ (x[i, row] - x.mean(0)[row])
        for j in (~row).nonzero()[:, 0].tolist():
            place = int((~known[:i, j]).sum())
            assert isinstance(laws[j], Quantiles)
            assert float(laws[j].quantile(0.5)[place]) == pytest.approx(float(wanted[j]), abs=1e-4)


def test_copulas_of_numbers() -> None:
    z = Rng(0).normal(600, 3) @ torch.tensor([[1.0, 0.9, 0.3], [0.0, 0.6, -0.5], [0.0, 0.0, 1.0]]).double()
    x = torch.stack([z[:, 0].exp(), z[:, 1], z[:, 2] ** 3], 1)
    space = Row({c: Reals() for c in "xyz"})
    body = ilk.Copula().build(space, Rng(0))
    body.fit(Memory(Batch({c: Batch(x[:, j]) for j, c in enumerate("xyz")})), Run())
    one = Batch({c: Batch(x[:1, j].expand(3000)) for j, c in enumerate("xyz")})
    known = torch.tensor([[True, False, True]]).expand(3000, -1)
    found = body.given_each(one, known, None, Rng(0))
    single = body.given(Parts({"x": Fix({0: float(x[0, 0])}), "z": Fix({0: float(x[0, 2])})}), Rng(0))
    assert float(found.log_mass[0]) == pytest.approx(single.met.log_mass, abs=1e-9)
    law = found.marginals()[1]
    assert isinstance(law, Quantiles)
    middle, made = law.quantile(0.5)[0], found.draw(Rng(1)).parts["y"].tensor
    for drawn in (made, single.sample(3000, Rng(2)).parts["y"].tensor):
        assert abs(float((drawn < middle).double().mean()) - 0.5) < 0.03
    assert body.given_each(one, known, Parts({"y": Within({0: (0.0, 1.0)})}), Rng(0)) is None


def test_masked_networks_estimate_without_bias() -> None:
    body = ilk.MADE(width=32, orders=2, depth=1).build(RECORD, Rng(0))
    body.fit(Memory(Batch(planted(400, 1))), Run(seed=0, budget=Steps(60)))
    n, known = 1500, torch.tensor([False, True, False, True])
    found = body.given_each(Batch(torch.tensor([0, 2, 0, 3]).expand(n, -1)), known.expand(n, -1), None, Rng(0))
    left = EVERY[(EVERY[:, 1] == 2) & (EVERY[:, 3] == 3)]
    mass = body.log_prob(Batch(left)).exp()
    weight = found.log_mass.exp()
    assert float(weight.mean()) == pytest.approx(float(mass.sum()), abs=4 * float(weight.std()) / n**0.5)
    assert 1 <= float(found.ess.min()) <= float(found.ess.max()) <= 40.001
    wanted = torch.stack([mass[left[:, 0] == v].sum() for v in range(2)]) / mass.sum()
    assert torch.allclose(tables(found)[0].mean(0), wanted, atol=0.03)
    made = found.draw(Rng(1)).tensor
    assert bool((made[:, 1] == 2).all() & (made[:, 3] == 3).all()) and abs(float((made[:, 0] == 1).double().mean() - wanted[1])) < 0.06


CELLS: dict[str, Any] = {"many": np.arange(4000) % 397 * 3, "few": np.repeat(np.arange(12), 30), "heavy": np.concatenate([np.zeros(500), np.arange(1, 900)]),
                         "smooth": np.random.default_rng(0).normal(size=800), "atoms": np.concatenate([np.zeros(300), np.random.default_rng(1).gamma(2, size=500)])}


@pytest.mark.parametrize("name", CELLS)
def test_quantiles_of_cells_are_those_of_their_draws(name: str) -> None:
    grid = name in ("many", "few", "heavy")
    cells = learn(CELLS[name].astype(np.float64), grid, (0.0,) if name == "atoms" else (), (None, None), 0.0)
    for code in {0, len(cells) // 2, len(cells) - 1, int(cells.code(torch.zeros(1).double()))}:
        n = 4000
        u = (torch.arange(n) + 0.5).double() / n
        drawn = cells.draw(torch.full((n,), code), Span(), Rng(1)).sort().values
        wanted = cells.quantile(torch.full((n,), code), u)
        assert bool((wanted.diff() >= 0).all()) and bool((cells.code(wanted) == code).all())
        values = torch.cat([drawn, wanted]).unique()
        gap = torch.searchsorted(drawn, values, right=True) - torch.searchsorted(wanted, values, right=True)
        assert int(gap.abs().max()) < 0.035 * n   # Kolmogorov's distance at p = 1e-4


@pytest.mark.parametrize("name", CELLS)
def test_the_median_of_cells_has_the_least_absolute_error(name: str) -> None:
    grid = name in ("many", "few", "heavy")
    column = Number(name="x", step=1.0 if grid else 0.0)
    coding = CellCoding(column, learn(CELLS[name].astype(np.float64), grid, (0.0,) if name == "atoms" else (), (None, None), 0.0))
    share = Rng(3).uniform(1, len(coding.cells)).log()
    drawn = coding.cells.draw(Rng(4).pick(share[0], 20000), Span(), Rng(5))
    cost = [(drawn - other).abs().mean() for other in (float(median(coding, share)), *drawn[:200].tolist())]
    assert float(cost[0]) <= float(min(cost[1:])) * 1.002


def people(n: int, seed: int) -> pl.DataFrame:
    """A table of categories that lean on each other, and a number."""
    x = planted(n, seed)
    number = x[:, 1] * 10 + Rng(seed).child("n").integers(n, 4)
    return pl.DataFrame({"a": [f"a{v}" for v in x[:, 0]], "b": [f"b{v}" for v in x[:, 1]], "c": [f"c{v}" for v in x[:, 3]], "k": number.tolist()})


def holed(frame: pl.DataFrame, share: float, seed: int) -> tuple[pl.DataFrame, Tensor]:
    mask = Rng(seed).child("holes").uniform(len(frame), frame.width) < share
    columns = [pl.select(pl.when(pl.Series(gone.numpy())).then(None).otherwise(s).alias(s.name)).to_series() for s, gone in zip(frame.get_columns(), mask.T, strict=True)]
    return pl.DataFrame(columns), mask


@pytest.fixture(scope="module")
def model() -> ilk.Model:
    return ilk.fit(people(2000, 1), ilk.ChowLiu(), seed=0)


@pytest.mark.parametrize("family", [ilk.ChowLiu(), ilk.GMM(components=3), ilk.Circuit(hidden=4), ilk.MADE(width=32)], ids=["chow_liu", "gmm", "circuit", "made"])
def test_known_cells_are_untouched_and_all_are_filled(family: Any) -> None:
    frame = people(300, 1)
    model = ilk.fit(frame, family, seed=0, budget=ilk.Steps(30))
    rows, mask = holed(frame, 0.4, 2)
    for best in (False, True):
        found = imputed(model, rows, best=best)
        assert found.items.schema == frame.schema and sum(found.items.null_count().row(0)) == 0 and found.cells == int(mask.sum()) and found.left == ()
        for j, c in enumerate(frame.columns):
            keep = pl.Series((~mask[:, j]).numpy())
            assert found.items[c].filter(keep).equals(frame[c].filter(keep))
    assert found.met == ("estimate" if isinstance(family, ilk.MADE) or not isinstance(family, ilk.ChowLiu) else "exact")
    assert (found.ess is not None) == isinstance(family, ilk.MADE)


def test_the_best_guess_minimises_the_loss_that_is_stated(model: ilk.Model) -> None:
    """Of every row that may be, the expected 0-1 loss of a category and absolute error of a number are least at the guess."""
    row = pl.DataFrame({"a": ["a1"], "b": [None], "c": ["c2"], "k": [None]}, schema_overrides={"b": pl.String, "k": pl.Int64})
    best = ilk.impute(model, row, best=True)
    every = pl.DataFrame([("a1", f"b{b}", "c2", k) for b in range(3) for k in range(40)], schema=["a", "b", "c", "k"], orient="row")
    mass = model.score(every).nats.exp()
    mass = mass / mass.sum()
    by_b = [float(mass[torch.tensor(every["b"].to_numpy() == f"b{b}")].sum()) for b in range(3)]
    assert best["b"][0] == f"b{int(np.argmax(by_b))}"
    k = torch.tensor(every["k"].to_list()).double()
    cost = [float((mass * (k - g).abs()).sum()) for g in range(40)]
    assert best["k"][0] == int(np.argmin(cost))


def test_row_by_row_follows_the_same_law(model: ilk.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = holed(people(40, 3), 0.4, 4)
    together, guess = ilk.impute(model, rows, n=50, seed=1), ilk.impute(model, rows, best=True)
    monkeypatch.setattr(type(model.body), "given_each", lambda *_: None)
    singly = imputed(model, rows, n=50, seed=1)
    assert singly.met == "exact" and singly.items["a"].to_list() != together["a"].to_list()
    for c in ("a", "b", "c"):
        shares = [frame[c].value_counts().sort(c)["count"].to_numpy() / len(frame) for frame in (together, singly.items)]
        assert np.abs(shares[0] - shares[1]).max() < 0.03
    assert abs(together["k"].mean() - singly.items["k"].mean()) < 0.4
    again = imputed(model, rows, best=True)
    assert again.met == "estimate" and (again.items["b"] == guess["b"]).mean() > 0.85


def test_several_times_each_and_blocks(model: ilk.Model, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = holed(people(50, 3), 0.4, 4)
    made = ilk.impute(model, rows, n=3, seed=7)
    assert len(made) == 150 and made[::3].equals(ilk.impute(model, rows, seed=7))
    monkeypatch.setattr("ilk.verbs.impute.BLOCK", 8)
    assert made.equals(ilk.impute(model, rows, n=3, seed=7))
    whole = people(5, 1)
    assert ilk.impute(model, whole).equals(whole) and imputed(model, whole).met == "exact"


def test_what_is_given_of_the_model_holds_for_every_row(model: ilk.Model) -> None:
    rows = pl.DataFrame({"a": [None] * 200, "b": ["b1"] * 200, "c": [None] * 200, "k": [None] * 200}, schema_overrides={"a": pl.String, "c": pl.String, "k": pl.Int64})
    made = imputed(model.given("c != 'c2' and k >= 12"), rows)
    assert made.met == "exact" and "c2" not in made.items["c"].to_list() and made.items["k"].min() >= 12
    with pytest.raises(UsageError, match="row 1 are impossible"):
        ilk.impute(model.given("b == 'b0'"), rows)


def test_missing_in_training_is_filled_with_values_all_the_same() -> None:
    frame, _ = holed(people(600, 1), 0.2, 1)
    for family in (ilk.ChowLiu(), ilk.GMM(components=3), ilk.Circuit(hidden=4)):
        model = ilk.fit(frame, family, seed=0)
        for best in (False, True):
            assert sum(ilk.impute(model, frame, best=best).null_count().row(0)) == 0


def test_refusals(model: ilk.Model) -> None:
    with pytest.raises(UsageError, match="n is 0"):
        ilk.impute(model, people(3, 1), n=0)
    with pytest.raises(UsageError, match="n is 2"):
        ilk.impute(model, people(3, 1), n=2, best=True)
    with pytest.raises(DataError, match="b"):
        ilk.impute(model, people(3, 1).drop("b"))
    with pytest.raises(UsageError, match="no missing cells"):
        ilk.impute(ilk.fit(np.zeros((20, 2)) + np.arange(20)[:, None], ilk.GMM(components=1)), np.zeros((2, 2)))
    for family, why in ((ilk.Copula(), "copula can't be told"), (ilk.GAN(), "too rare to reject for")):
        with pytest.raises(UsageError, match=why):
            ilk.impute(ilk.fit(people(60, 1), family, budget=ilk.Steps(2)), holed(people(3, 1), 0.5, 1)[0])
