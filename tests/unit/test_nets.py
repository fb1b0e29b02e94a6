"""Networks are an axis: a recipe of ilk.nets, or a class of the user's own."""
import numpy as np
import pytest
import torch
from torch import nn

import ilk
from ilk.distribution import Port
from ilk.errors import ModelError, UsageError

torch.set_num_threads(1)


class Linear(nn.Module):
    """A user's own network."""

    def __init__(self, port: Port) -> None:
        super().__init__()
        self.gives = port.gives
        self.layer = nn.Linear(int(np.prod(port.takes)) + port.about, int(np.prod(port.gives)))

    def forward(self, x, about=None):
        h = x.flatten(1)
        return self.layer(h if about is None else torch.cat([h, about], 1)).reshape(-1, *self.gives)


def items(n: int = 400):
    g = np.random.Generator(np.random.Philox(key=4))
    z = g.normal(size=(n, 1))
    return z @ np.array([[1.0, 2.0, -1.0]]) + 0.3 * g.normal(size=(n, 3))


def test_a_users_own_module(tmp_path):
    model = ilk.fit(items(), ilk.VAE(codes=1, net=Linear), run=ilk.Run(budget=ilk.Steps(400), rate=0.02))
    floor = ilk.fit(items(), ilk.GMM(components=1, covariance="diag"))
    assert model.score(items()).mean > floor.score(items()).mean + 0.5
    model.save(tmp_path / "m.ilk")
    with pytest.raises(ModelError, match="network of your own"):
        ilk.load(tmp_path / "m.ilk")
    again = ilk.load(tmp_path / "m.ilk", net=Linear)
    assert np.array_equal(again.sample(7), model.sample(7))


def test_a_net_recipe_is_saved_and_checked(tmp_path):
    model = ilk.fit(items(), ilk.VAE(codes=2, net=ilk.MLP(width=8, depth=1)), budget=ilk.Steps(5))
    model.save(tmp_path / "m.ilk")
    assert ilk.load(tmp_path / "m.ilk").body.family.net == ilk.MLP(width=8, depth=1)
    with pytest.raises(UsageError, match="width"):
        ilk.fit(items(), ilk.VAE(net=ilk.MLP(width=0)))


def test_labels_condition_and_are_scored_row_by_row():
    g = np.random.Generator(np.random.Philox(key=5))
    y = g.integers(0, 2, 600)
    x = g.normal(size=(600, 2)) + 6 * y[:, None]
    from ilk.modalities.array import Array

    data = Array().dataset(x, np.array(["low", "high"])[y])
    model = ilk.fit(data, ilk.VAE(codes=1, net=ilk.MLP(width=16)), budget=ilk.Steps(500))
    assert abs(model.given(ilk.Label("high")).sample(400).mean() - 6) < 0.5 > abs(model.given(ilk.Label("low")).sample(400).mean())
    free = model.sample(600)
    assert 0.3 < (free.mean(1) > 3).mean() < 0.7
    right, wrong = (model.given(ilk.Label(name)).score(x[y == 1][:50]).mean for name in ("high", "low"))
    assert right > wrong + 3 and model.score(x[y == 1][:50]).mean > wrong
    with pytest.raises(UsageError, match="no label"):
        model.given(ilk.Label("hi"))
