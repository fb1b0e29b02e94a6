"""Figures stand beside their floors and ceilings, and say why they do not apply."""
import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.dataset import split_dataset
from ilk.errors import UsageError

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def fitted():
    g = np.random.Generator(np.random.Philox(key=6))
    x = g.normal(size=1500)
    frame = pl.DataFrame({"x": x.round(2), "y": (x + 0.3 * g.normal(size=1500)).round(2), "c": np.where(x + 0.5 * g.normal(size=1500) > 0, "up", "down")})
    data = split_dataset(ilk.read(frame), ilk.Rng(0).child("data"))
    return ilk.fit(data, ilk.GMM(components=4)), data


@pytest.mark.learns
def test_a_good_model_lies_between_floor_and_ceiling(fitted):
    found = ilk.evaluate(*fitted)
    assert {f.name for f in found.metrics} >= {"nats", "column_shapes", "pair_trends", "c2st", "auc_gap", "dcr_share"}
    assert found["nats"].value > found["nats"].floor + 0.3 and found["nats"].ceiling is None
    assert found["pair_trends"].value > found["pair_trends"].floor + 0.1 and found["pair_trends"].ceiling > found["pair_trends"].floor + 0.1
    assert found["c2st"].value < found["c2st"].floor and 0.4 < found["c2st"].ceiling < 0.6
    assert "text" in found.skipped["distinct_n"] and "nats" in repr(found)


def test_only_some_metrics_and_no_training_data(fitted):
    model, data = fitted
    found = ilk.evaluate(model, data.test, only=["column_shapes", "dcr_share"])
    assert [f.name for f in found.metrics] == ["column_shapes"] and found.metrics[0].floor is None
    assert "train" in found.skipped["dcr_share"]
    with pytest.raises(UsageError, match="no metric"):
        ilk.evaluate(model, data, only=["fid"])


def test_same_seed_same_figures(fitted):
    assert ilk.evaluate(*fitted, only=["column_shapes"]) == ilk.evaluate(*fitted, only=["column_shapes"])
