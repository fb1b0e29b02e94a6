"""The UNet against diffusers' UNet2DModel: names and shapes always, outputs where diffusers is installed; its laws."""
from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate, one_hot

from ilk.distribution import Port
from ilk.errors import UsageError
from ilk.exporters.diffusers import config_of
from ilk.nets.unet2d import Larger, UNet2D
from ilk.rng import Rng

torch.set_num_threads(1)
SMALL = UNet2D(width=8, multiples=(1, 2), head=16, groups=4), Port("denoise", (1, 4, 4), (1, 4, 4), 3)
NETS = [
    SMALL,
    (UNet2D(), Port("denoise", (4, 14, 14), (4, 14, 14), 11)),
    (UNet2D(width=16, multiples=(1, 2, 3), blocks=2, attention=2, head=16), Port("denoise", (3, 16, 8), (6, 16, 8))),
    (UNet2D(width=16, multiples=(2,), groups=4, attention=1), Port("denoise", (2, 5, 7), (2, 5, 7), 2)),
]
# What diffusers 0.42.1 calls the parameters of the small one, and their shapes.
RESNET = "norm1 conv1 time_emb_proj norm2 conv2"
PARTS = {
    "": "conv_in time_embedding.linear_1 time_embedding.linear_2 conv_norm_out conv_out",
    "down_blocks.0.": "downsamplers.0.conv", "up_blocks.0.": "upsamplers.0.conv",
    "down_blocks.0.resnets.0.": RESNET, "down_blocks.1.resnets.0.": f"{RESNET} conv_shortcut",
    "mid_block.resnets.0.": RESNET, "mid_block.resnets.1.": RESNET, "mid_block.attentions.0.": "group_norm to_q to_k to_v to_out.0",
    **{f"up_blocks.{i}.resnets.{j}.": f"{RESNET} conv_shortcut" for i in range(2) for j in range(2)},
}
SHAPES = {
    "conv_in.weight": (8, 1, 3, 3), "class_embedding.weight": (3, 32), "time_embedding.linear_1.weight": (32, 8), "conv_out.weight": (1, 8, 3, 3),
    "down_blocks.1.resnets.0.conv1.weight": (16, 8, 3, 3), "down_blocks.1.resnets.0.conv_shortcut.weight": (16, 8, 1, 1),
    "mid_block.resnets.0.time_emb_proj.weight": (32, 32), "mid_block.attentions.0.to_q.weight": (16, 16), "up_blocks.0.resnets.0.conv1.weight": (16, 32, 3, 3),
    "up_blocks.0.resnets.1.conv1.weight": (16, 24, 3, 3), "up_blocks.1.resnets.0.conv1.weight": (8, 24, 3, 3), "up_blocks.1.resnets.1.conv1.weight": (8, 16, 3, 3),
}


def net(recipe: UNet2D, port: Port) -> nn.Module:
    """The network with numbers everywhere, also where a new one has zeros."""
    with Rng(1).as_global():
        made = recipe(port)
        for p in made.parameters():
            nn.init.normal_(p, std=0.2)
    return made.eval()


def asked(port: Port, n: int = 3) -> tuple[Tensor, Tensor, Tensor | None]:
    rng = Rng(2)
    x, time = rng.normal(n, *port.takes).float(), rng.child("time").normal(n).float()
    return x, time, torch.arange(n) % port.about if port.about else None


def said(made: nn.Module, port: Port, n: int = 3) -> Tensor:
    x, time, labels = asked(port, n)
    with torch.no_grad():
        found: Tensor = made(x, time, None if labels is None else one_hot(labels, port.about).float())
    return found


def test_names_and_shapes_are_those_of_diffusers() -> None:
    found = {k: tuple(v.shape) for k, v in net(*SMALL).state_dict().items()}
    layers = [f"{at}{name}" for at, names in PARTS.items() for name in names.split()]
    assert set(found) == {f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")} | {"class_embedding.weight"}
    assert {k: found[k] for k in SHAPES} == SHAPES


def test_the_config_says_what_the_network_is() -> None:
    config = config_of(*NETS[2])
    assert config["_class_name"] == "UNet2DModel" and (config["in_channels"], config["out_channels"], config["sample_size"]) == (3, 6, [16, 8])
    assert config["block_out_channels"] == [16, 32, 48] and config["num_class_embeds"] is None and config["layers_per_block"] == 2
    assert config["down_block_types"] == ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"]
    assert config["up_block_types"] == ["AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"]
    assert config_of(*SMALL)["num_class_embeds"] == 3
    assert config_of(UNet2D(multiples=(1, 1, 1)), Port("denoise", (1, 5, 8), (1, 5, 8)))["sample_size"] == [8, 8]


def theirs(recipe: UNet2D, port: Port) -> Any:
    diffusers = pytest.importorskip("diffusers")
    return diffusers.UNet2DModel.from_config(config_of(recipe, port)).eval()


@pytest.mark.parametrize(("recipe", "port"), NETS)
def test_diffusers_gives_the_same_with_our_weights(recipe: UNet2D, port: Port) -> None:
    other, mine = theirs(recipe, port), net(recipe, port)
    other.load_state_dict(mine.state_dict())
    x, time, labels = asked(port)
    with torch.no_grad():
        torch.testing.assert_close(said(mine, port), other(x, time, class_labels=labels).sample, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("recipe", "port"), NETS)
def test_we_give_the_same_with_diffusers_weights(recipe: UNet2D, port: Port) -> None:
    with Rng(3).as_global():
        other = theirs(recipe, port)
    mine = recipe(port).eval()
    mine.load_state_dict(other.state_dict())
    x, time, labels = asked(port)
    with torch.no_grad():
        expected = other(x, time, class_labels=labels).sample
    assert float(expected.std()) > 0.01
    torch.testing.assert_close(said(mine, port), expected, atol=1e-5, rtol=1e-4)


def test_the_larger_convolution_is_that_of_repeated_pixels() -> None:
    with Rng(4).as_global():
        layer = Larger(3).double()
    x = Rng(5).normal(2, 3, 4, 5).double()
    expected = conv2d(interpolate(x, scale_factor=2.0, mode="nearest"), layer.conv.weight, layer.conv.bias, padding=1)
    torch.testing.assert_close(layer(x), expected, atol=1e-12, rtol=1e-12)


def test_a_new_network_says_nothing_and_yet_learns() -> None:
    recipe, port = SMALL
    with Rng(6).as_global():
        made = recipe(port)
    assert float(said(made, port).abs().max()) == 0
    x, time, _ = asked(port, 8)
    optimiser = torch.optim.SGD(made.parameters(), lr=0.2)
    losses = []
    for _ in range(60):
        loss = (made(x, time) - x.flip(3)).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


def test_items_do_not_touch_each_other() -> None:
    made, port = net(*NETS[1]), NETS[1][1]
    x, time, _ = asked(port, 4)
    with torch.no_grad():
        torch.testing.assert_close(made(x, time)[1:2], made(x[1:2], time[1:2]), atol=1e-5, rtol=1e-4)


def test_time_and_context_are_heard() -> None:
    made, port = net(*SMALL), SMALL[1]
    x, time, _ = asked(port)
    about = torch.eye(3)
    with torch.no_grad():
        base = made(x, time, about)
        assert float((made(x, time + 1, about) - base).abs().max()) > 0.01 * float(base.std())
        assert float((made(x, time, about.roll(1, 0)) - base).abs().max()) > 0.01 * float(base.std())
        torch.testing.assert_close(made(x, time, 0 * about), made(x, time), atol=0, rtol=0)


def test_any_size_is_filled_up_and_cut() -> None:
    recipe = UNet2D(width=8, multiples=(1, 1, 1), head=8)
    port = Port("denoise", (1, 5, 6), (1, 5, 6))
    x, time, _ = asked(port)
    made = net(recipe, port)
    with torch.no_grad():
        found, whole = made(x, time), made(torch.nn.functional.pad(x, (0, 2, 0, 3)), time)
    assert found.shape == (3, 1, 5, 6)
    torch.testing.assert_close(found, whole[..., :5, :6], atol=0, rtol=0)


def test_half_precision_stays_near() -> None:
    recipe, port = NETS[1]
    exact, half = net(recipe, port), net(recipe, port).to(torch.bfloat16)
    a, b = said(exact, port), said(half, port)
    assert b.dtype == torch.float32 and 0 < float((a - b).std()) < 0.05 * float(a.std())


@pytest.mark.parametrize(("recipe", "port", "why"), [
    (UNet2D(), Port("encode", (1, 8, 8), (1, 8, 8)), "can't encode"),
    (UNet2D(), Port("denoise", (64,), (64,)), "maps images"),
    (UNet2D(), Port("denoise", (1, 8, 8), (1, 8, 4)), "same size"),
    (UNet2D(multiples=(1, 1, 1)), Port("denoise", (1, 8, 3), (1, 8, 3)), "too few"),
    (UNet2D(width=12), Port("denoise", (1, 8, 8), (1, 8, 8)), "8 groups"),
    (UNet2D(width=24), Port("denoise", (1, 8, 8), (1, 8, 8)), "48 channels into heads of 32"),
])
def test_what_it_can_not_be_is_said(recipe: UNet2D, port: Port, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        recipe(port)
