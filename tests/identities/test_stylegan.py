"""Laws of StyleGAN: modulation against weights of each item's own, what styles reach, the mean style, lengths of paths by the whole Jacobian."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ilk.batch import Batch, Memory
from ilk.errors import UsageError
from ilk.families.stylegan import StyleGAN, Stylegan
from ilk.nets._style import Even, Modulated, Styles
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.samplers.truncation import Truncation
from ilk.space import Discrete, Reals, Space

torch.set_num_threads(1)
SHAPE = (2, 8, 12)
PICTURE = Reals(SHAPE)
LABEL: Mapping[str, Space] = {"label": Discrete(3)}


def built(space: Space = PICTURE, about: Mapping[str, Space] | None = None, noise: float = 0.3, **options: Any) -> Stylegan:
    """With noise that does something, and styles far enough from their mean."""
    body = StyleGAN(**{"codes": 6, "width": 4, "depth": 2, **options}).build(space, Rng(0), about)
    assert isinstance(body, Stylegan)
    with torch.no_grad():
        for layer in body.generator.synthesis.layers:
            layer.noise.fill_(noise)
    return body


@pytest.mark.parametrize("size", [1, 3])
def test_modulation_is_that_of_weights(size: int) -> None:
    """Karras et al. 2020, equations 1 and 3: w' = s_i w_ijk, w'' = w' / sqrt(sum over i, k of w'^2), one item at a time."""
    with Rng(0).as_global():
        layer = Modulated(5, 7, 3, size).double()
    x, w = Rng(1).normal(4, 5, 6, 8), Rng(2).normal(4, 3)
    found = layer(x, w)
    for i, scale in enumerate(layer.style(w)):
        own = layer.weight / layer.weight[0].numel() ** 0.5 * scale[None, :, None, None]
        own = own / (own.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        assert torch.allclose(conv2d(x[i: i + 1], own, padding=size // 2)[0], found[i], atol=1e-10)


def test_normed_channels_keep_their_spread() -> None:
    """Inputs of spread 1 and no correlation come out so, whatever the style: the norm is of the weights, not of the data."""
    with Rng(0).as_global():
        layer = Modulated(32, 16, 3, 3)
        out = layer(Rng(1).normal(64, 32, 12, 12).float(), 5 * Rng(2).normal(64, 3).float())[:, :, 1:-1, 1:-1]
    assert float((out.detach().std((0, 2, 3)) - 1).abs().max()) < 0.05


@pytest.mark.parametrize("pace", [0.01, 1.0])
def test_a_slow_layer_begins_alike_and_learns_slower(pace: float) -> None:
    """The pace cancels in what a new layer gives, and multiplies what a step of its weights does."""
    with Rng(0).as_global():
        plain, slow = Even(400, 300), Even(400, 300, pace=pace)
    x = Rng(1).normal(50, 400).float()
    assert float(slow(x).detach().std()) == pytest.approx(1, abs=0.05)
    before = [layer(x).detach() for layer in (plain, slow)]
    with torch.no_grad():
        for layer in (plain, slow):
            layer.weight.add_(0.1)
    moved = [(layer(x).detach() - was).norm() for layer, was in zip((plain, slow), before, strict=True)]
    assert float(moved[1] / moved[0]) == pytest.approx(pace, rel=1e-2)


def test_only_the_direction_of_a_code_counts() -> None:
    with Rng(0).as_global():
        mapping = Styles(6, 0, 9, 2)
    z = Rng(1).normal(5, 6).float()
    assert torch.allclose(mapping(z), mapping(3 * z), atol=1e-5) and not torch.allclose(mapping(z), mapping(-z), atol=1e-2)


@pytest.mark.parametrize("layers", [1, 2])
def test_fine_styles_leave_coarse_layers_alone(layers: int) -> None:
    """Mixing: what the first layers make depends on none of the later styles, and the later ones do change the picture."""
    body = built()
    synthesis = body.generator.synthesis
    one, other = (body.styles(3, Rng(k)) for k in (1, 2))
    noise = [Rng(3).child(i).normal(3, 1, *size).float() for i, size in enumerate(synthesis.sizes)]
    here = (torch.arange(body.layers) < layers)[None, :, None]
    plain, mixed = (list(synthesis.states(w, noise)) for w in (one[:, None].where(here | True, other[:, None]), one[:, None].where(here, other[:, None])))
    assert all(torch.equal(a, b) for a, b in zip(plain[:layers], mixed[:layers], strict=True))
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in zip(plain[layers:], mixed[layers:], strict=True))


def test_mixing_none_or_all_is_one_of_the_two() -> None:
    body = built()
    one, other = (body.styles(3, Rng(k)).detach() for k in (1, 2))
    alone = [body.mixed(w, w, 1, Rng(5)).tensor for w in (one, other)]
    assert torch.equal(body.mixed(one, other, body.layers, Rng(5)).tensor, alone[0]) and torch.equal(body.mixed(one, other, 0, Rng(5)).tensor, alone[1])
    between = body.mixed(one, other, 1, Rng(5)).tensor
    assert all(not torch.allclose(between, x, atol=1e-3) for x in alone)
    assert body.space.holds(Batch(between))


def test_pictures_at_the_mean_style_are_one_picture_but_for_noise() -> None:
    for noise, same in ((0.0, True), (0.3, False)):
        x = built(noise=noise).sample(6, Rng(1), Truncation(psi=0.0)).tensor
        assert bool(((x - x[:1]).abs() < 1e-5).all()) == same
    body = built()
    w = body.styles(6, Rng(1), psi=0.0)
    assert bool((w == w[:1]).all())


def test_truncation_moves_styles_to_the_mean_of_their_context() -> None:
    body = built(about=LABEL)
    about = torch.eye(3)[torch.tensor([0, 1, 2, 0])]
    w, half = (body.styles(4, Rng(1), about, psi).detach() for psi in (1.0, 0.5))
    middle = body.middle(about).detach()
    assert torch.allclose(half, (w + middle) / 2, atol=1e-6)
    assert torch.equal(middle[0], middle[3]) and not torch.allclose(middle[0], middle[1], atol=1e-3)
    many = torch.stack([body.styles(4000, Rng(7), about[k].expand(4000, -1)).detach().mean(0) for k in range(3)])
    spread = body.styles(4000, Rng(7), about[0].expand(4000, -1)).std(0).detach()
    assert bool(((many - middle[:3]).abs() < 5 * spread / 1000**0.5 + 1e-3).all())
    found = [float(body.sample(200, Rng(1), Truncation(psi=psi)).tensor.std(0).mean()) for psi in (0.2, 0.6, 1.0)]
    assert found == sorted(found)


def test_lengths_of_paths_are_those_of_the_jacobian() -> None:
    """|J' y| for the y that is drawn, J being the whole Jacobian of the picture in the styles of all layers; the root of the mean over layers."""
    body = built(Reals((1, 8, 8)), noise=0.0)
    found = body.length(3, Rng(4), None).detach()
    w = body.styles(3, Rng(4)).detach()
    to = Rng(4).child("to").normal(3, 1, 8, 8).float() / 8
    for i in range(3):
        def picture(each: Tensor) -> Tensor:
            return body.painted(each[None], Rng(0))[0]
        jacobian = torch.autograd.functional.jacobian(picture, w[i].expand(body.layers, -1).clone())
        slope = torch.einsum("chw,chwls->ls", to[i], jacobian)
        assert float(found[i]) == pytest.approx(float(slope.square().sum(1).mean().sqrt()), rel=1e-4)


def test_mixing_while_it_learns() -> None:
    """A share of the pictures has the styles of two codes, the others are what is drawn afterwards."""
    for share in (0.0, 0.5, 1.0):
        body = built(mixing=share, noise=0.0)
        plain = body.made(400, Rng(1), None)
        body.train()
        learning = body.made(400, Rng(1), None)
        differ = ((plain - learning).abs().amax((1, 2, 3)) > 1e-4).double().mean()
        assert float(differ) == pytest.approx(share, abs=0.08)


def test_only_pictures_are_taken() -> None:
    for space in (Reals(()), Reals((3,)), Reals((1, 3, 8)), Discrete(2, (1, 8, 8))):
        with pytest.raises(UsageError, match="takes pictures"):
            StyleGAN().build(space, Rng(0))
    for shape in ((1, 4, 4), (1, 28, 28), (3, 9, 13)):
        assert StyleGAN(codes=4, width=2).build(Reals(shape), Rng(0)).sample(2, Rng(0)).tensor.shape == (2, *shape)


@pytest.mark.slow
def test_labels_are_obeyed() -> None:
    """Pictures with one bright quarter: the one that is asked for is the bright one, and both halves of noise and of place are learned."""
    which = Rng(1).integers(600, 4)
    x = 0.2 * Rng(2).normal(600, 1, 8, 8) - 0.5
    for k in range(4):
        x[which == k, :, 4 * (k // 2): 4 * (k // 2) + 4, 4 * (k % 2): 4 * (k % 2) + 4] += 1
    body = built(Reals((1, 8, 8)), {"label": Discrete(4)}, codes=16, width=8)
    body.fit(Memory(Batch(x, context={"label": Batch(which)})), Run(seed=1, budget=Steps(250)))
    asked = torch.arange(4).repeat(100)
    made = body.draw(400, Rng(3), {"label": Batch(asked)}).tensor
    quarters = torch.stack([made[:, 0, 4 * (k // 2): 4 * (k // 2) + 4, 4 * (k % 2): 4 * (k % 2) + 4].mean((1, 2)) for k in range(4)], 1)
    assert float((quarters.argmax(1) == asked).double().mean()) > 0.95
