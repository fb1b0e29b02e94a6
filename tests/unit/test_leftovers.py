"""Small promises: errors only where wanted, names that count on, prefixes that agree, few items in many dimensions, figures without -0."""
import json
from math import log
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from scipy.stats import multivariate_normal

import ilk
from ilk.dataset import split_dataset
from ilk.errors import UsageError
from ilk.families._gaussians import shrunk
from ilk.metric import Case, Reading, measured
from ilk.metrics import pair_trends
from ilk.metrics.auc_gap import AucGap
from ilk.metrics.column_shapes import ColumnShapes
from ilk.metrics.pair_trends import PairTrends
from ilk.modalities._columns import identifier
from ilk.modalities.text import Text
from ilk.modality import Limits
from ilk.rng import Rng
from ilk.rules import parse
from ilk.verbs.evaluate import Evaluation, Figure
from ilk.verbs.score import Score, evidence

torch.set_num_threads(1)


def people(key, n=300, holes=0.0):
    dice = np.random.Generator(np.random.Philox(key=key))
    x = dice.normal(size=n)
    frame = pl.DataFrame({"x": x, "y": x + 0.4 * dice.normal(size=n), "c": np.where(x + 0.5 * dice.normal(size=n) > 0, "up", "down")})
    return frame.with_columns(pl.when(pl.Series(dice.random(n) < holes)).then(None).otherwise("y").alias("y"))


@pytest.mark.parametrize("metric", [PairTrends(), ColumnShapes(), AucGap()])
def test_errors_are_left_out_where_not_wanted_and_change_no_value(metric):
    case = {"made": people(1), "train": people(2), "test": people(3)}
    whole, bare = (measured(metric, Case(**case, errors=wanted), Rng(0)) for wanted in (True, False))
    assert isinstance(whole, Reading) and whole.error and bare.error is None
    assert (whole.value, whole.parts, whole.n) == (bare.value, bare.parts, bare.n)


def test_evaluate_wants_errors_of_the_model_alone(monkeypatch):
    wanted = []

    def measure(self, case, rng):
        wanted.append(case.errors)
        return Reading(0.5, 0.1, 1)

    monkeypatch.setattr(ColumnShapes, "measure", measure)
    data = split_dataset(ilk.read(people(4)))
    found = ilk.evaluate(ilk.fit(data, ilk.GMM(components=1)), data, only=["column_shapes"])
    assert found["column_shapes"].ceiling == 0.5
    assert wanted == [True, False, False]


def test_pairs_of_columns_share_what_is_worked_out_once(monkeypatch):
    asked = []
    unit = pair_trends._unit
    monkeypatch.setattr(pair_trends, "_unit", lambda x: asked.append(1) or unit(x))
    x = Rng(0).normal(100, 1) + 0.5 * Rng(1).normal(100, 12)
    frame = pl.DataFrame({f"x{i}": x[:, i].numpy() for i in range(12)})
    found = measured(PairTrends(), Case(made=frame, test=frame, errors=False), Rng(0))
    assert len(found.parts) == 66 and found.value == pytest.approx(1)
    assert len(asked) == 24


def test_correlations_are_numpys_and_undefined_ones_count_for_nothing():
    made, test = people(5, holes=0.2), people(6, holes=0.3)
    r = []
    for frame in (made, test):
        there = frame.drop_nulls("y")
        r.append(np.corrcoef(there["x"], there["y"])[0, 1])
    found = measured(PairTrends(), Case(made=made, test=test, errors=False), Rng(0))
    assert found.parts["x, y"] == pytest.approx(1 - abs(r[0] - r[1]) / 2, abs=1e-12)
    same = pl.DataFrame({"x": [1.0, 2.0, 3.0, None], "y": [1.0, 2.0, 3.0, 4.0]})
    for x, y in (([1, 2, 3, None], [None, None, None, 4]), ([1, 2, 3, None], [7, 7, 7, 8]), ([1, 2, 3, 4], [1, float("inf"), 2, 3]), ([1, 2, None, None], [None, None, 3, 4])):
        odd = pl.DataFrame({"x": pl.Series(x, dtype=pl.Float64), "y": pl.Series(y, dtype=pl.Float64)})
        assert not isinstance(measured(PairTrends(), Case(made=odd, test=same, errors=False), Rng(0)), Reading)


@pytest.mark.parametrize(("seen", "made"), [
    (["U00031", "U00007", "U00012"], ["U00032", "U00033"]),
    (["u-9", "u-10", "u-2"], ["u-11", "u-12"]),
    (["0007", "0031"], ["0032", "0033"]),
    (["2024-0098", "2024-0099"], ["2024-0100", "2024-0101"]),
    (["x098", "x099", "x1000"], ["x1001", "x1002"]),
    (["x99", "x98"], ["x100", "x101"]),
    (["A1", "B2", "C3"], ["new-4", "new-5"]),
    (["a7f", "b9c"], ["new-3", "new-4"]),
    ([], ["new-1", "new-2"]),
])
def test_new_names_count_on_from_the_largest_and_keep_their_zeros(seen, made):
    column = identifier("id", False, pl.Series(seen, dtype=pl.String))
    assert column.series(2, 0).to_list() == made
    assert column.series(1, 1).to_list() == made[1:]


def test_a_table_makes_names_that_no_row_has(tmp_path):
    number = np.random.Generator(np.random.Philox(key=0)).permutation(400)[:60] + 1
    frame = pl.DataFrame({"id": [f"U{k:05d}" for k in number], "x": Rng(1).normal(60).numpy()})
    frame.write_csv(tmp_path / "a.csv")
    ilk.fit(str(tmp_path / "a.csv"), ilk.GMM(components=1)).save(tmp_path / "m.ilk")
    made = ilk.load(tmp_path / "m.ilk").sample(3)["id"].to_list()
    assert made == [f"U{number.max() + k:05d}" for k in (1, 2, 3)]


@pytest.fixture(scope="module")
def texts():
    return ilk.fit(["abcab", "abd", "aca", "bca", "abc"] * 20, ilk.NGram(order=3))


@pytest.mark.parametrize(("one", "other"), [("ab", "abc"), ("abc", "ab"), ("abc", "abc"), ("", "abc")])
def test_of_two_prefixes_that_agree_the_longer_holds(texts, one, other):
    both, alone = texts.given(one).given(other), texts.given("abc")
    assert both.sample(20) == alone.sample(20) and all(t.startswith("abc") for t in both.sample(20))
    assert evidence(both) == evidence(alone) == pytest.approx(log(40 / 100), abs=0.3)


@pytest.mark.parametrize(("one", "other"), [("a", "b"), ("abc", "abd")])
def test_prefixes_that_disagree_are_contradictory(texts, one, other):
    with pytest.raises(UsageError, match="contradictory") as why:
        texts.given(one).given(other)
    assert why.value.code == "CONTRADICTION"


@pytest.mark.parametrize("prefix", ["ab", "it's", "`x` == 1", "", "prefix == 'a'"])
def test_a_prefix_is_taken_back_as_it_is_printed(prefix):
    printed = str(Text().checked(parse("prefix == '" + prefix.replace("'", "''") + "'"))[0])
    assert Text().asked(printed).values == {"prefix": prefix}


@pytest.mark.parametrize("asked", ["ab", "prefix", "prefix == ", "prefix == 1", "prefix != 'a'", "prefix == 'a' and prefix == 'ab'", "x" * 70_000])
def test_any_other_string_is_the_prefix_itself(asked):
    assert Text().asked(asked).values == {"prefix": asked}


def test_records_stand_in_lines(tmp_path: Path):
    (tmp_path / "a.jsonl").write_text("".join(json.dumps({"text": t}) + "\n" for t in ("one", "two\nthree")))
    (tmp_path / "b.txt").write_text("one")
    assert Text().read(tmp_path / "a.jsonl", Limits()).origin.notes == ("one item per line",)
    assert Text(per="file").read(tmp_path / "b.txt", Limits()).origin.notes == ("one item per file",)


def test_a_covariance_of_few_items_is_drawn_towards_its_diagonal():
    d, n = 60, 30
    lag = (torch.arange(d)[:, None] - torch.arange(d)).abs()
    root = torch.linalg.cholesky(0.7 ** lag.double())
    x, held = Rng(1).normal(n, d) @ root.T, Rng(2).normal(500, d) @ root.T
    cov = torch.cov(x.T, correction=0)[None]
    found = shrunk(cov, torch.tensor([float(n)]).double())[0]
    ratio = found / cov[0]
    assert torch.allclose(ratio.diagonal(), torch.ones(d).double()) and torch.allclose(ratio[~torch.eye(d).bool()], torch.tensor(n / (n + d)).double())
    nats = [multivariate_normal.logpdf(held, x.mean(0), c + 1e-6 * np.eye(d)).mean() for c in (cov[0].numpy(), np.diag(cov[0].diagonal()), found.numpy())]
    assert nats[0] < -1e5 and nats[2] > nats[1] + 5 and nats[2] > -0.5 * d * log(2 * np.pi * np.e) - 5


def test_a_covariance_of_more_items_than_numbers_stays_as_it_is():
    cov = torch.cov(Rng(1).normal(20, 5).T)[None].repeat(3, 1, 1)
    found = shrunk(cov, torch.tensor([5.1, 5.0, 0.0]).double())
    assert torch.equal(found[0], cov[0]) and not torch.equal(found[1], cov[1])
    assert torch.allclose(found[2], torch.diag(cov[2].diagonal())) and torch.equal(shrunk(cov, torch.tensor(6.0).double()), cov)


def test_no_figure_is_minus_nothing():
    assert "-0.0000" not in repr(Score(torch.full((3,), -1e-6), "exact", "counting measure", per={"byte": -1e-7}))
    assert "-0.0000" not in repr(Evaluation((Figure("gap", -1e-5, 0.0, 3, -1e-9, -0.0, "lower"),), {}))
    assert "-0.0001" in repr(Evaluation((Figure("gap", -1e-4, 0.0, 3, None, None, "lower"),), {}))


@pytest.fixture(scope="module")
def numbers():
    return ilk.fit(pl.DataFrame({"a b": Rng(3).normal(300).numpy(), "c": Rng(4).normal(300).numpy()}), ilk.GMM(components=1))


def test_several_numbers_of_a_continuous_column_are_refused_with_a_range_that_works(numbers):
    with pytest.raises(UsageError, match="continuous") as why:
        numbers.given("`a b` in [1, 0.5]")
    remedy = why.value.remedy.removeprefix("ask for a range: ")
    assert remedy == "`a b` >= 0.5 and `a b` <= 1"
    assert numbers.given(remedy).sample(50)["a b"].is_between(0.5, 1).all()


def test_one_number_of_several_is_that_number(numbers):
    one, same = numbers.given("`a b` in [0.5]"), numbers.given("`a b` == 0.5")
    assert one.sample(5).equals(same.sample(5)) and one.met.met.log_mass == same.met.met.log_mass
    assert numbers.given("`a b` == 0.5 and `a b` in [0.5, 1]").sample(5)["a b"].to_list() == [0.5] * 5
