"""Style: laws of its statistics, and pictures that take a texture and keep their shapes."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.errors import UsageError
from ilk.verbs._style import Style, adain, gram, looks


def noise(*shape: int) -> torch.Tensor:
    return ilk.Rng(4).normal(*shape).float()


def test_gram_matrices_know_what_goes_together_and_not_where() -> None:
    f = noise(2, 5, 6, 7)
    by_hand = torch.stack([torch.stack([torch.stack([(f[b, i] * f[b, j]).mean() for j in range(5)]) for i in range(5)]) for b in range(2)])
    assert torch.allclose(gram(f), by_hand, atol=1e-6)
    mixed = f.flatten(2)[:, :, ilk.Rng(1).shuffle(42)].reshape(f.shape)
    assert torch.allclose(gram(mixed), gram(f), atol=1e-6)


def test_adain_gives_the_mean_and_spread_of_the_other_and_keeps_the_order() -> None:
    x, like = noise(3, 4, 5, 5), 3 * noise(1, 4, 9, 2) + 7
    made = adain(x, like)
    assert torch.allclose(made.mean((2, 3)), like.mean((2, 3)).expand(3, 4), atol=1e-5)
    assert torch.allclose(made.std((2, 3), correction=0), like.std((2, 3), correction=0).expand(3, 4), atol=1e-5)
    assert bool((made.flatten(2).argsort(2) == x.flatten(2).argsort(2)).all())
    assert torch.allclose(adain(x, x), x, atol=1e-5)


@pytest.fixture(scope="module")
def pictures() -> tuple[Any, Any]:
    """Squares on plain grey, and stripes."""
    y, x = np.mgrid[:24, :24]
    squares = np.stack([np.where((abs(y - 8 - i) < 5) & (abs(x - 14 + i) < 5), 200, 60) for i in range(3)])[..., None].astype(np.uint8)
    stripes = np.stack([130 + 90 * np.sin((x + i) * 2 * np.pi / 4) for i in range(2)])[..., None].astype(np.uint8)
    return squares, stripes


@pytest.fixture(scope="module")
def style(pictures: tuple[Any, Any]) -> Style:
    planes = [torch.from_numpy(p).permute(0, 3, 1, 2).float() / 127.5 - 1 for p in pictures]
    return Style(looks(planes), planes[1])


def test_a_style_is_nothing_away_from_itself(style: Style) -> None:
    one = Style(style.net, style.like[:1])
    assert all(float(d) == 0 for d in one.away(style.like[:1]))
    assert float(style.apart(style.like, style.like).max()) == 0 < float(style.apart(style.like, -style.like).min())
    assert torch.allclose(style.shown(style.like), style.shown(style.like * 0.5), atol=1.5)   # another contrast shows next to the same


@pytest.mark.slow
def test_each_picture_is_moved_by_itself(style: Style, pictures: tuple[Any, Any]) -> None:
    x = torch.from_numpy(pictures[0]).permute(0, 3, 1, 2).float() / 127.5 - 1
    rng = ilk.Rng(3)
    assert bool((style.drawn(x[1:2], 0.5, rng.at(1)) == style.drawn(x[1:2], 0.5, rng.at(1))).all())
    assert bool((style.drawn(x[:1], 0.5, rng) != style.drawn(x[:1], 0.5, rng.at(1))).any())


@pytest.mark.slow
def test_strength_goes_from_the_picture_to_the_style(pictures: tuple[Any, Any]) -> None:
    squares, stripes = pictures[0][:1], pictures[1]
    none, some, more = (ilk.transfer(squares, stripes, strength) for strength in (0.0, 0.5, 0.95))
    assert np.abs(none.items.astype(int) - squares).max() <= 2 and none.content < 0.05 > abs(none.style)
    assert none.style < some.style < more.style and more.style > 0.6 and some.content < more.content < 0.8
    assert bool((ilk.transfer(squares, stripes, 0.5).items == some.items).all()) and "of the way" in repr(some)


def test_the_texture_comes_and_the_square_stays(pictures: tuple[Any, Any]) -> None:
    """Judged by pixels: change from column to column as in stripes, and the square still brighter than what is around it."""
    squares, stripes = pictures
    squares = squares[:2]
    made = ilk.transfer(squares, stripes, 0.8).items.astype(float)[..., 0]
    across, down = np.abs(np.diff(made, axis=2)).mean(), np.abs(np.diff(made, axis=1)).mean()
    assert across > 1.3 * down and across > 2 * np.abs(np.diff(squares[..., 0].astype(float), axis=2)).mean()
    inside = squares[..., 0] > 100
    assert all(m[i].mean() > m[~i].mean() + 20 for m, i in zip(made, inside, strict=True))


def test_transparency_stays_as_it_is(pictures: tuple[Any, Any]) -> None:
    squares, stripes = (np.concatenate([p.repeat(3, 3), np.arange(24, dtype=np.uint8).reshape(1, 1, 24, 1).repeat(24, 1).repeat(len(p), 0)], 3) for p in pictures)
    made = ilk.transfer(squares[:1], stripes, 0.7, examples=squares).items
    assert bool((made[..., 3] == squares[:1, ..., 3]).all()) and bool((made[..., :3] != squares[:1, ..., :3]).any())


def test_what_has_no_style(pictures: tuple[Any, Any]) -> None:
    squares, stripes = pictures
    for code, do in {"OPTION": lambda: ilk.transfer(squares, stripes, 1.5), "SHAPE": lambda: ilk.transfer(squares, stripes.repeat(3, 3)),
                     "ITEMS": lambda: ilk.transfer(squares, stripes[:0])}.items():
        with pytest.raises(UsageError) as why:
            do()
        assert why.value.code == code and why.value.remedy
