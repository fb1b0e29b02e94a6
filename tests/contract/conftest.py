"""Data small enough to enumerate, and every family fitted once per session."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk import registry
from ilk.dataset import split_dataset
from ilk.distribution import Family
from ilk.lift import Same
from ilk.modalities._tokens import Characters
from ilk.model import Model
from ilk.nets.mlp import MLP
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Reals, Space
from ilk.testing import SPACES
from ilk.testing._fitted import Fitted
from ilk.verbs.fit import fitted as fitted_over

torch.set_num_threads(1)

# Options that keep the contract suite fast; a family that is not named here is checked with its defaults.
SMALL: dict[str, Family] = {
    "gmm": ilk.GMM(components=3),
    "made": ilk.MADE(width=32, orders=2),
    "ngram": ilk.NGram(order=3),
    "vae": ilk.VAE(codes=2, net=MLP(width=32)),
    "hierarchical_vae": ilk.HierarchicalVAE(codes=2, width=12, draws=4),
    "diffusion": ilk.Diffusion(net=MLP(width=32)),
    "flow_matching": ilk.FlowMatching(net=MLP(width=32)),
    "score": ilk.ScoreModel(net=MLP(width=32), likelihood="flow", levels=4),
    "transformer": ilk.Transformer(layers=1, heads=2, width=16, context=3, ngrams=20),
    "insertion": ilk.Insertion(layers=1, heads=2, width=16, draws=4),
    "rnn": ilk.RNN(layers=1, width=16, crop=8),
    "pixelcnn": ilk.PixelCNN(layers=2, width=8),
    "wavenet": ilk.WaveNet(layers=3, width=8, skip=8),
    "flow": ilk.Flow(layers=2, width=16, bins=4),
    "gan": ilk.GAN(codes=2, net=MLP(width=32)),
    "stylegan": ilk.StyleGAN(codes=4, depth=2, width=2),
    "cyclegan": ilk.CycleGAN(pool=7, net=MLP(width=16)),
    "latent": ilk.Latent(code=ilk.VAE(codes=2, net=MLP(width=16)), prior=ilk.GMM(components=2)),
    "cascade": ilk.Cascade(low=ilk.Diffusion(net=MLP(width=16)), high=ilk.Diffusion(net=MLP(width=32)), factor=2),
    "chain": ilk.Chain(each=ilk.VAE(codes=2, net=MLP(width=16))),
}
# Spaces of families that take none of the standard ones.
OWN: dict[str, dict[str, Space]] = {"stylegan": {"picture": Reals((1, 8, 8))}, "cyclegan": {"picture": Reals((1, 9, 8))},
                                     "cascade": {"picture": Reals((1, 8, 8))}}


def recipe(name: str) -> Family:
    made: Family = SMALL.get(name) or registry.get("families", name)()
    return made


@cache
def fitted(family: str, space: str) -> Fitted:
    return Fitted.of(recipe(family), {**SPACES, **OWN.get(family, {})}[space])


def dice(key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def small(n: int = 500) -> pl.DataFrame:
    """城市 (maybe missing), a short grid, a flag that leans on both."""
    g = dice(5)
    k = g.integers(0, 4, n)
    city = np.where(g.random(n) < 0.2 + 0.2 * k, "北京", "Lyon")
    frame = pl.DataFrame({"城市": city, "k k": k, "flag": np.where(g.random(n) < 0.3 + 0.4 * (city == "Lyon"), "y", "n")})
    return frame.with_columns(城市=pl.when(pl.Series(g.random(n) > 0.15)).then("城市"))


def wide(n: int = 700) -> pl.DataFrame:
    """A grid too fine for a cell a point, beside a category."""
    g = dice(6)
    a = g.integers(0, 2, n)
    return pl.DataFrame({"a": np.where(a, "u", "v"), "w": np.round(g.normal(300 + 200 * a, 80)).astype(int)})


def gaps(n: int = 700) -> pl.DataFrame:
    """A number that is missing more often where f is y."""
    g = dice(9)
    f = g.random(n) < 0.5
    frame = pl.DataFrame({"n": np.round(g.gamma(2, 10, n)).astype(int), "f": np.where(f, "y", "n")})
    return frame.with_columns(n=pl.when(pl.Series(g.random(n) > 0.1 + 0.4 * f)).then("n"))


def reals(n: int = 700) -> pl.DataFrame:
    """Two numbers on a curve."""
    g = dice(7)
    x = g.normal(0, 3, n)
    return pl.DataFrame({"x": x, "y": np.sin(x) + g.normal(0, 0.4, n)})


def atoms(n: int = 700) -> pl.DataFrame:
    """A number that is 0 in most rows, else continuous."""
    g = dice(4)
    return pl.DataFrame({"paid": np.where(g.random(n) < 0.6, 0.0, g.exponential(1.0, n)), "f": np.where(g.random(n) < 0.5, "y", "n")})


def dates(n: int = 700) -> pl.DataFrame:
    """Days of two months, and a category."""
    g = dice(3)
    f = g.random(n) < 0.4
    days = g.integers(0, 20, n) + 25 * f
    return pl.DataFrame({"day": [str(np.datetime64("2024-02-10") + int(d)) for d in days], "f": np.where(f, "y", "n")})


def texts(n: int = 400) -> list[str]:
    """Short strings over three characters."""
    g = dice(8)
    return ["".join(g.choice(list("ab月"), g.integers(0, 5), p=[0.6, 0.3, 0.1])) for _ in range(n)] + ["ab月a", "月"]


def pictures(n: int = 500, levels: int = 3) -> np.ndarray[Any, Any]:
    """2 x 2 whole numbers."""
    made: np.ndarray[Any, Any] = dice(8).binomial(levels - 1, np.array([[0.2, 0.8], [0.5, 0.6]]), (n, 2, 2)).astype(np.uint8)
    return made


def photos(channels: int, n: int = 40) -> np.ndarray[Any, Any]:
    """8 x 9 pixels of 256 levels."""
    made: np.ndarray[Any, Any] = dice(2).integers(0, 256, (n, 8, 9, channels)).astype(np.uint8)
    return made


def rows(schema: dict[str, Any], *columns: Any) -> pl.DataFrame:
    return pl.DataFrame(list(product(*columns)), schema=schema, orient="row")


def every_picture(levels: int) -> np.ndarray[Any, Any]:
    return np.array(list(product(range(levels), repeat=4)), dtype=np.uint8).reshape(-1, 2, 2)


ALL_SMALL = rows({"城市": pl.String, "k k": pl.Int64, "flag": pl.String}, ("北京", "Lyon", None), range(-60, 64), "yn")
ALL_WIDE = rows({"a": pl.String, "w": pl.Int64}, "uv", range(-1500, 2200))
ALL_GAPS = rows({"n": pl.Int64, "f": pl.String}, (None, *range(-400, 600)), "yn")
ALL_DAYS = rows({"day": pl.String, "f": pl.String}, [str(np.datetime64("2024-02-10") + d) for d in range(-700, 800)], "yn")
ALL_TEXTS = ["".join(s) for n in range(6) for s in product("ab月Z", repeat=n)]  # Z stands for every character never seen
UNSEEN = torch.tensor([float(0x110000 - 0x800 - 3) ** t.count("Z") for t in ALL_TEXTS], dtype=torch.double)
LINE = pl.DataFrame({"x": np.linspace(-60, 60, 120_001) + 5e-4})
STEPS = Run(budget=Steps(150), batch=100, rate=1e-2)


@dataclass(frozen=True)
class Known:
    """How a model is made, and all the raw items there are."""

    data: Callable[[], Any]
    family: Family
    items: Any


KNOWN = {
    "made": Known(small, ilk.MADE(width=32), ALL_SMALL), "made orders": Known(small, ilk.MADE(width=32, orders=3), ALL_SMALL),
    "made wide": Known(wide, ilk.MADE(width=32), ALL_WIDE), "made gaps": Known(gaps, ilk.MADE(width=32, orders=2), ALL_GAPS),
    "made days": Known(dates, ilk.MADE(width=32), ALL_DAYS), "made array": Known(pictures, ilk.MADE(width=32), every_picture(3)),
    "made line": Known(lambda: reals().select("x"), ilk.MADE(width=16), LINE),
    "gmm": Known(small, ilk.GMM(components=4), ALL_SMALL), "gmm wide": Known(wide, ilk.GMM(components=3), ALL_WIDE), "gmm gaps": Known(gaps, ilk.GMM(components=3), ALL_GAPS),
    "gmm days": Known(dates, ilk.GMM(components=2), ALL_DAYS), "gmm array": Known(pictures, ilk.GMM(components=3), every_picture(3)),
    "copula": Known(small, ilk.Copula(), ALL_SMALL), "copula array": Known(pictures, ilk.Copula(), every_picture(3)),
    "mixture": Known(small, ilk.Mixture(components=2), ALL_SMALL), "mixture wide": Known(wide, ilk.Mixture(components=2), ALL_WIDE),
    "ngram": Known(texts, ilk.NGram(order=3), ALL_TEXTS),
    "vae": Known(small, ilk.VAE(codes=2, net=MLP(width=32)), ALL_SMALL), "vae array": Known(lambda: pictures(levels=2), ilk.VAE(codes=2, net=MLP(width=32)), every_picture(2))}


@cache
def model_of(name: str) -> Model:
    known = KNOWN[name]
    if name != "ngram":
        return ilk.fit(known.data(), known.family, run=STEPS)
    codec = Characters("ab月", 5)  # texts of 5 characters at most, so that all can be listed
    return fitted_over(split_dataset(ilk.read(known.data()), Rng(0)), known.family, codec, Same(codec.space), STEPS)


@pytest.fixture(scope="session")
def models() -> Callable[[str], Model]:
    """A model by its name, fitted the first time it is asked for."""
    return model_of
