"""The UNet that looks at words against diffusers' UNet2DConditionModel, and its own laws."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ilk
from ilk.batch import Batch
from ilk.captions import Captions, Reader, Vocabulary
from ilk.distribution import Looks, Port
from ilk.nets._context import Partly
from ilk.nets.unet2d import UNet, UNet2D
from ilk.rng import Rng
from ilk.space import Discrete, Many

RECIPE = UNet2D(width=16, multiples=(1, 2), blocks=1, attention=1, head=8, groups=4)
PORT = Port("denoise", (3, 8, 16), (3, 8, 16), 5, 12)
CONFIG: Mapping[str, Any] = {
    "sample_size": [8, 16], "in_channels": 3, "out_channels": 3, "flip_sin_to_cos": True, "freq_shift": 0, "block_out_channels": [16, 32],
    "layers_per_block": 1, "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"], "up_block_types": ["CrossAttnUpBlock2D", "UpBlock2D"],
    "cross_attention_dim": 12, "attention_head_dim": [2, 4], "norm_num_groups": 4, "norm_eps": 1e-5, "act_fn": "silu", "use_linear_projection": True,
    "resnet_time_scale_shift": "scale_shift", "class_embed_type": "simple_projection", "projection_class_embeddings_input_dim": 5}


def noisy(net: UNet) -> UNet:
    """Weights that say something: a new network has silent layers."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in net.parameters():
            p.copy_(0.2 * torch.randn(p.shape, generator=draw))
    return net.eval()


def asked(draw: int = 1) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    g = torch.Generator().manual_seed(draw)
    there = torch.tensor([[True] * 4, [True, True, False, False]])
    return torch.randn(2, 3, 8, 16, generator=g), torch.tensor([3.0, 700.0]), torch.randn(2, 5, generator=g), torch.randn(2, 4, 12, generator=g), there


def theirs(net: UNet) -> dict[str, Tensor]:
    """Our weights by diffusers' names: only the map of the context differs, which has no bias here."""
    mine = dict(net.state_dict())
    weight = mine.pop("class_embedding.weight")
    return {**mine, "class_embedding.weight": weight.mT, "class_embedding.bias": torch.zeros(weight.shape[1])}


def test_diffusers_gives_the_same_with_our_weights() -> None:
    diffusers = pytest.importorskip("diffusers")
    net = noisy(RECIPE(PORT))  # type: ignore[arg-type]
    other = diffusers.UNet2DConditionModel.from_config(dict(CONFIG)).eval()
    other.load_state_dict(theirs(net))
    x, time, about, words, there = asked()
    with torch.no_grad():
        said = other(x, time, words, class_labels=about, encoder_attention_mask=there).sample
        torch.testing.assert_close(net.look(x, time, about, words, there), said, rtol=1e-4, atol=1e-4)


def test_words_that_are_not_there_are_not_looked_at() -> None:
    net = noisy(RECIPE(PORT))  # type: ignore[arg-type]
    assert isinstance(net, Looks)
    x, time, about, words, there = asked()
    with torch.no_grad():
        one = net.look(x, time, about, words, there)
        other = words.clone()
        other[1, 2:] = 9.0
        assert torch.equal(one, net.look(x, time, about, other, there))
        other[1, 1] = 9.0
        assert not torch.allclose(one[1], net.look(x, time, about, other, there)[1])


def test_a_reader_knows_the_order_of_words_and_not_what_is_untold() -> None:
    with Rng(0).as_global():
        reader = Reader(3, 4, 32, 2).eval()
    told = Vocabulary(("red", "left", "blue"), 4).batch(["red left blue", "blue left red", ""])
    vectors, there = reader(told)
    assert vectors.shape == (3, 5, 32) and there.sum(1).tolist() == [4, 4, 1]
    assert (vectors[0, 0] - vectors[1, 0]).abs().max() > 1e-3
    silent, _ = reader(told, torch.tensor([False, True, True]))
    torch.testing.assert_close(silent[0, 0], vectors[2, 0])
    torch.testing.assert_close(silent[1], vectors[1])


def test_what_is_untold_is_as_what_was_never_said() -> None:
    about = {"label": Discrete(2), "caption": Many(Discrete(4), 3)}
    with Rng(0).as_global():
        context = Partly(about, reads=1).eval()
    said = {"label": Batch(torch.tensor([0, 1])), "caption": Vocabulary(("a", "b", "c"), 3).batch(["a b", "c"])}
    keep = torch.tensor([[True, False], [False, False]])
    vector, words, there = context.said(said, 2, keep)
    only, _, _ = context.said({"label": said["label"]}, 2)
    nothing, none, gone = context.said({}, 2)
    assert torch.equal(vector[0], only[0]) and torch.equal(vector[1], nothing[1])
    assert vector.shape[1] == context.width and torch.equal(there, gone) and there.sum(1).tolist() == [1, 1]
    torch.testing.assert_close(words[:, 0], none[:, 0])


def bars(n: int) -> ilk.Dataset:
    """Two bars, one bright and one dim: which is where, only the order of words says."""
    rng = np.random.default_rng(0)
    bright = rng.integers(0, 2, n)
    x = rng.integers(95, 106, (n, 8, 8, 1))
    for i, left in enumerate(bright):
        x[i, :, 1:3], x[i, :, 5:7] = (250, 10) if left else (10, 250)
    return replace(ilk.read(x.astype(np.uint8)), captions=Captions.of(["bright then dim" if left else "dim then bright" for left in bright]))


@pytest.mark.learns
@pytest.mark.slow
def test_order_is_learned_where_words_are_read_and_only_there(tmp_path: Any) -> None:
    small = UNet2D(width=16, head=16)
    models = [ilk.fit(bars(240), ilk.Diffusion(reads=reads, net=small, levels=4), budget=ilk.Steps(300)) for reads in (1, 0)]
    shares = []
    for model in models:
        x = model.given(ilk.Prompt("bright then dim")).sample(64, seed=1).astype(float)
        shares.append(float((x[:, :, 1:3].mean((1, 2, 3)) > x[:, :, 5:7].mean((1, 2, 3))).mean()))
    assert shares[0] > 0.95 and 0.2 < shares[1] < 0.8
    again = ilk.load(models[0].save(tmp_path / "m"))
    asked = ilk.Prompt("dim then bright")
    assert np.array_equal(again.given(asked).sample(3, seed=5), models[0].given(asked).sample(3, seed=5))
