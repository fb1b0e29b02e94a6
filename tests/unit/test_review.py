"""What a fresh pair of eyes found: each was wrong once."""
import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.errors import UsageError

torch.set_num_threads(1)


def rng() -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=11))


def test_bic_never_chooses_components_with_fewer_items_than_numbers():
    x = rng().normal(size=(200, 64))
    model = ilk.fit(x, ilk.GMM())
    assert len(model.body.law.log_weight) == 1 and model.score(ilk.read(x)).mean > -64 * 5


def test_a_value_between_the_steps_is_impossible():
    model = ilk.fit(pl.DataFrame({"year": rng().integers(1990, 2020, 300), "x": rng().normal(size=300)}), ilk.GMM(components=1))
    with pytest.raises(UsageError, match="between the steps"):
        model.given("year == 2001.5")
    assert set(model.given({"year": np.int64(2001)}).sample(50)["year"]) == {2001}


def test_a_common_value_of_a_grid_keeps_its_mass():
    g = rng()
    paid = np.where(g.random(1000) < 0.8, 0.0, g.gamma(2, 10, 1000).round(2))
    made = ilk.fit(pl.DataFrame({"paid": paid, "x": g.normal(size=1000)}), ilk.GMM(components=2)).sample(2000)["paid"].to_numpy()
    assert abs((made == 0).mean() - 0.8) < 0.06 and made.min() >= 0


@pytest.mark.parametrize(("asked", "said"), [("c in [None, 'a']", "missing cell"), ({}, "nothing is given"), ({"x": float("nan")}, "finite numbers")])
def test_what_means_nothing_is_refused(asked, said):
    model = ilk.fit(pl.DataFrame({"c": ["a", None, "b"] * 40, "x": rng().normal(size=120)}), ilk.GMM(components=1))
    with pytest.raises(UsageError, match=said):
        model.given(asked)


def test_frames_of_other_libraries_are_scored():
    frame = pl.DataFrame({"c": ["a", "b"] * 40, "x": rng().normal(size=80)})
    model = ilk.fit(frame, ilk.GMM(components=1))
    for same in (frame.to_pandas(), frame.to_arrow(), {"c": ["a", "b"] * 40, "x": frame["x"].to_list()}):
        assert torch.equal(model.score(same).nats, model.score(frame).nats)
