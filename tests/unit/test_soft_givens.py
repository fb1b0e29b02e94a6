"""Soft givens: the laws they declare, against closed forms, and what is avoided."""
from __future__ import annotations

import json
from math import exp, log, pi
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.batch import Batch
from ilk.cli import main
from ilk.errors import IlkError
from ilk.given import Avoid, Keep, Label, Lean, Like, Prompt, Towards, Where
from ilk.grammar import given_of, written
from ilk.rng import Rng
from ilk.space import Discrete, Reals


@pytest.fixture(scope="module")
def normal() -> ilk.Model:
    """Two numbers of variance 1 and correlation .6."""
    x = Rng(3).normal(5000, 2).numpy() @ np.array([[1, 0.6], [0, 0.8]])
    return ilk.fit((x - x.mean(0)) / x.std(0), ilk.GMM(components=1))


@pytest.fixture(scope="module")
def table() -> ilk.Model:
    rng = np.random.default_rng(0)
    c = rng.choice(list("xyz"), 3000, p=[0.2, 0.3, 0.5])
    return ilk.fit(pl.DataFrame({"c": c, "d": np.where(rng.random(3000) < 0.8, c, "x")}), ilk.ChowLiu())


@pytest.mark.parametrize("strength", [-1.0, 0.5, 2.0])
def test_a_normal_quantity_moves_by_its_strength_in_standard_deviations(normal: ilk.Model, strength: float) -> None:
    rho = float(np.corrcoef(normal.sample(20_000, seed=9).T)[0, 1])
    made = normal.given(Towards("0", strength)).sample(4000, seed=1)
    assert made[:, 0].mean() == pytest.approx(strength, abs=0.12) and made[:, 1].mean() == pytest.approx(rho * strength, abs=0.12)
    assert made.std(0) == pytest.approx([1, 1], abs=0.12)


def test_two_pulls_add_up(normal: ilk.Model) -> None:
    rho = float(np.corrcoef(normal.sample(20_000, seed=9).T)[0, 1])
    made = normal.given(Towards("0", 1)).given(Avoid(Towards("1", 0.5), 2.0)).sample(4000, seed=1)
    assert made.mean(0) == pytest.approx([1 - rho, rho - 1], abs=0.12)


def test_a_rule_as_a_quantity_has_the_declared_law(table: ilk.Model) -> None:
    rows = pl.DataFrame({"c": list("xyz") * 3, "d": [v for v in "xyz" for _ in range(3)]})
    plain, pulled = table.score(rows).nats, table.given(Towards("c == 'x'", 1.5))
    found = pulled.score(rows)
    share = float(plain[rows["c"].to_numpy() == "x"].exp().sum())
    score = torch.special.ndtri(torch.tensor([(1 - share) / 2, 1 - share / 2], dtype=torch.double)) * 1.5   # normal scores of the middle ranks of 0 and of 1
    weights = plain + torch.tensor([float(score[int(v == "x")]) for v in rows["c"]])
    assert found.sort == "estimate" and found.nats.tolist() == pytest.approx((weights - weights.logsumexp(0)).tolist(), abs=0.12)
    assert float(found.nats.exp().sum()) == pytest.approx(1, abs=5 * found.error + 0.02)
    made = (pulled.sample(4000)["c"] == "x").mean()
    assert made == pytest.approx(float((weights - weights.logsumexp(0)).exp()[rows["c"].to_numpy() == "x"].sum()), abs=0.03)


def test_what_is_avoided_is_the_complement(table: ilk.Model) -> None:
    rows = pl.DataFrame({"c": list("xyz") * 3, "d": [v for v in "xyz" for _ in range(3)]})
    plain, left = table.score(rows).nats, table.given(Avoid(Where("c == 'x' and d == 'x'")))
    gone = (rows["c"] == "x") & (rows["d"] == "x")
    mass = 1 - float(plain[torch.from_numpy(gone.to_numpy())].exp().sum())
    assert left.met.met.sort == "rejected" and exp(left.met.met.log_mass) == pytest.approx(mass, abs=0.02) and left.met.met.cost == pytest.approx(1 / mass, rel=0.05)
    found = left.score(rows).nats
    assert bool((found.isinf() == torch.from_numpy(gone.to_numpy())).all()) and float(found.exp().sum()) == pytest.approx(1, abs=0.03)
    made = left.sample(2000)
    assert not ((made["c"] == "x") & (made["d"] == "x")).any()
    assert table.given("c == 'y'").given(Avoid(Keep({"d": "x"}))).sample(50).filter((pl.col("c") != "y") | (pl.col("d") == "x")).is_empty()
    with pytest.raises(IlkError, match="not \\(d == 'x'\\)"):
        table.given("c == 'x'").given(Avoid(Keep({"d": "x"})))


def test_nearer_the_stronger(normal: ilk.Model) -> None:
    item = np.array([[1.0, -1.0]])
    far = [float(((normal.given(Like(item, s)).sample(1000) - item) ** 2).sum(1).mean()) for s in (0.0, 0.5, 0.9)]
    assert far[0] == pytest.approx(float(((normal.sample(1000) - item) ** 2).sum(1).mean()), rel=0.1) and far[0] > 1.5 * far[1] > 3 * far[2]
    unlike = normal.given(Avoid(Like(item, 0.5))).sample(1000)
    assert float(((unlike - item) ** 2).sum(1).mean()) > 1.3 * far[0]


def test_like_in_codes_keeps_their_share_of_the_item() -> None:
    x = Rng(0).normal(2000, 2)
    flow = ilk.fit(x.numpy(), ilk.Flow(layers=1, width=8), budget=ilk.Steps(1))
    near = flow.given(Like(x[:1].numpy(), 0.8))
    codes = flow.body.encode(Batch(torch.from_numpy(near.sample(4000)))).tensor   # type: ignore[attr-defined]
    own = flow.body.encode(Batch(x[:1])).tensor   # type: ignore[attr-defined]
    assert codes.mean(0).tolist() == pytest.approx((0.8 * own[0]).tolist(), abs=0.05) and codes.std(0).tolist() == pytest.approx([0.6] * 2, abs=0.04)
    assert near.met.met.sort == "guided"
    with pytest.raises(IlkError, match="no likelihood"):
        near.score(x[:3].numpy())


def test_items_depend_on_their_number_alone(normal: ilk.Model) -> None:
    model = normal.given(Towards("0", 1)).given(Avoid(Where("`1` > 2")))
    assert (model.sample(40, seed=5)[:10] == model.sample(10, seed=5)).all()


def test_missing_values_weigh_nothing() -> None:
    model = ilk.fit(pl.DataFrame({"a": [1.0, 2.0, None, 4.0] * 100, "b": ["x", "y", "z", "z"] * 100}), ilk.ChowLiu())
    made = model.given(Towards("a", 2)).sample(1000)
    assert 0 < made["a"].null_count() < 250 and made["a"].drop_nulls().mean() > 3   # type: ignore[operator]


def test_more_of_a_text() -> None:
    model = ilk.fit(["a cat", "a dog ran far", "birds fly over the hills"] * 30, ilk.NGram(order=3))
    longer, shorter = (np.mean([len(t) for t in model.given(given_of(said)).sample(100)]) for said in ("Towards('length', 1)", "Avoid(Towards('length', 1))"))
    assert longer > np.mean([len(t) for t in model.sample(200)]) > shorter
    assert model.given("Towards('length')").givens == (Towards("length"),) and model.modality.asked("Towards me") == Keep({"prefix": "Towards me"})


def test_more_likely_items(normal: ilk.Model, tmp_path: Path) -> None:
    normal.save(tmp_path / "other.ilk")
    for name in ("likelihood", str(tmp_path / "other.ilk")):
        made = normal.given(Towards(name, 1)).sample(500)
        assert normal.score(made).mean > -log(2 * pi) - 0.5 > normal.score(normal.sample(500)).mean


class Half(torch.nn.Module):
    """A denoiser that answers with what it is told."""

    def __init__(self, port: Any) -> None:
        super().__init__()
        self.map = torch.nn.Linear(port.about, port.gives[0])

    def forward(self, x: torch.Tensor, time: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        return self.map(told) + 0 * x


def test_several_contexts_add_their_differences() -> None:
    body = ilk.Diffusion(net=Half, drop=0.2).build(Reals((2,)), Rng(0), {"label": Discrete(3)})
    one, other = ({"label": Batch(torch.tensor([k]))} for k in (0, 2))
    x = Rng(1).normal(1, 2).float()
    free, a, b = (body.denoise(x, torch.tensor([2.0]), c) for c in ({}, one, other))
    mixed = body.guided(one, 1.5, [(other, -0.5)])(x, 2.0)
    assert torch.allclose(mixed, free + 1.5 * (a - free) - 0.5 * (b - free), atol=1e-5)
    assert body.given(Lean(one, ((other, -0.5),)), Rng(0)).met.sort == "guided"
    assert ilk.Diffusion(net=Half, drop=0.0).build(Reals((2,)), Rng(0), {"label": Discrete(3)}).given(Lean({}, ((one, 1.0),)), Rng(0)) is None


@pytest.fixture(scope="module")
def labelled() -> ilk.Model:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 1500)
    x = np.array([[-4.0, 0], [4, 0], [0, 6]])[y] + rng.normal(size=(1500, 2)) * 0.5
    data = ilk.Dataset(ilk.read(x).modality, x, labels=ilk.Labels(torch.from_numpy(y), (0, 1, 2)))
    return ilk.fit(data, ilk.Diffusion(net=ilk.MLP(width=64, depth=2)), budget=ilk.Steps(800))


def test_a_label_is_avoided_or_weighed(labelled: ilk.Model) -> None:
    centres = np.array([[-4.0, 0], [4, 0], [0, 6]])

    def shares(model: ilk.Model) -> list[float]:
        made = model.sample(600)
        near = ((made[:, None] - centres) ** 2).sum(-1).argmin(1)
        return [float((near == k).mean()) for k in range(3)]
    assert shares(labelled)[2] > 0.2 > 0.1 > shares(labelled.given(Avoid(Label(2), 1.0)))[2]
    assert shares(labelled.given(Label(1, weight=2)))[1] > 0.95
    model = labelled.given(Label(1)).given(Avoid(Label(0)))
    assert shares(model)[1] > 0.95 and [how for _, how in model.met.parts] == ["guided"]
    with pytest.raises(IlkError, match="contradictory labels"):
        labelled.given(Label(1)).given(Label(2))
    with pytest.raises(IlkError, match="no label"):
        labelled.given(Avoid(Label(7)))


@pytest.mark.parametrize("strength", [pytest.param(2.0, marks=pytest.mark.slow), -2.5])
def test_strong_pulls_steer_what_unfolds(strength: float) -> None:
    x = Rng(3).normal(3000, 2).numpy() @ np.array([[1, 0.6], [0, 0.8]])
    model = ilk.fit(x, ilk.Diffusion(net=ilk.MLP(width=64, depth=2)), budget=ilk.Steps(1500))
    pulled = model.given(Towards("0", strength))
    made = pulled.sample(500, seed=1)
    assert pulled.met.met.sort == "guided" and pulled.met.met.cost == 16
    share = made.mean(0) / np.array([strength, 0.6 * strength])   # of the way that many more candidates would go
    assert (share > 0.7).all() and (share < 1.1).all() and made.std(0) == pytest.approx([1, 1], abs=0.3)
    assert np.allclose(pulled.sample(20, seed=1)[:5], pulled.sample(5, seed=1), atol=1e-3)


def test_givens_are_kept_in_a_saved_model(normal: ilk.Model, tmp_path: Path) -> None:
    model = normal.given(Towards("0", 1)).given(Avoid(Where("`1` > 1"))).given(Like([[0.5, 0.5]], 0.3))
    again = ilk.load(model.save(tmp_path / "m.ilk"))
    assert again.givens == model.givens and (again.sample(5) == model.sample(5)).all() and written(again.givens[2]) in repr(again)


@pytest.mark.parametrize(("given", "code"), [
    (Towards("nothing"), "QUANTITY"), (Towards("c"), "QUANTITY"), (Towards("brightness"), "QUANTITY"), (Towards("length"), "QUANTITY"), (Towards("c == 'nope'"), "RULE_TYPE"),
    (Towards("/"), "QUANTITY"), (Like("no file"), "NOT_FOUND"), (Like({"z": 1}), "COLUMN"), (Like([1, 2]), "GIVEN"), (Avoid(Label(3)), "GIVEN"), (Avoid(Prompt("a")), "GIVEN"),
    (Avoid(Where("z > 1")), "COLUMN")])
def test_what_can_not_be_is_said(table: ilk.Model, given: Any, code: str) -> None:
    with pytest.raises(IlkError) as caught:
        table.given(given)
    assert caught.value.code == code


@pytest.mark.parametrize("make", [lambda: Like([1.0], 1.0), lambda: Like([float("nan")]), lambda: Towards("a", float("inf")), lambda: Avoid(Label(1), 0), lambda: Label(2.5),  # type: ignore[arg-type]
                                  lambda: Keep({"a": float("nan")}), lambda: Where("a >"), lambda: Prompt(3), lambda: Avoid(Avoid(Label(1)))])   # type: ignore[arg-type]
def test_no_given_is_made_of_nonsense(make: Any) -> None:
    with pytest.raises(IlkError):
        make()


def test_from_the_command_line(normal: ilk.Model, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = str(normal.save(tmp_path / "m.ilk"))
    assert main(["sample", at, "-n", "200", "--given", "Towards('0', 1)", "--given", "Avoid('`1` > 1')", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    x = np.array(found["items"])
    assert x[:, 1].max() <= 1 and x[:, 0].mean() > 0.4 and found["cost"] > 2
    assert {g["given"]: g["met"] for g in found["given"]} == {"Towards('0')": "estimate", "Avoid(Where('`1` > 1'))": "rejected"}
    assert main(["sample", at, "--given", "Towards('0', )"]) == 2
    assert "^" in capsys.readouterr().err
