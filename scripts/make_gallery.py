"""Draws the pictures of the gallery: docs/pictures/gallery/NAME.png, each by a small model that is fitted here.

`python scripts/make_gallery.py [NAME ...]`; about two minutes for all.
"""
from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

import ilk

mpl.use("agg")
HOME = Path(__file__).parents[1] / "docs" / "pictures" / "gallery"
REAL, MADE = "#7a7a7a", "#0a6ebd"


def moons(n: int) -> np.ndarray[Any, Any]:
    """Two half moons: a law that no single bump describes."""
    rng = ilk.Rng(0)
    turn, upper = np.pi * rng.child("turn").uniform(n).numpy(), rng.child("which").uniform(n).numpy() < 0.5
    points = np.where(upper[:, None], np.stack([np.cos(turn), np.sin(turn)], 1), np.stack([1 - np.cos(turn), 0.5 - np.sin(turn)], 1))
    return points + 0.08 * rng.child("noise").normal(n, 2).numpy()


def plane(family: Any, steps: int) -> Figure:
    """Real points beside those that a family makes."""
    items = moons(2000)
    made = ilk.fit(items, family, budget=ilk.Steps(steps), seed=0).sample(1000, seed=1)
    figure = Figure(figsize=(5.6, 2.6), layout="constrained")
    for place, (points, title, colour) in enumerate([(items[:1000], "real", REAL), (made, "made", MADE)]):
        axes = figure.add_subplot(1, 2, place + 1, xlim=(-1.6, 2.6), ylim=(-1.1, 1.6), aspect="equal", title=title)
        axes.plot(*points.T, ".", ms=2, color=colour)
        axes.set_axis_off()
    return figure


def pictures(family: Any, steps: int) -> Figure:
    """Handwritten digits of 8 x 8 pixels: real above, made below."""
    data = ilk.read("digits")
    made = ilk.fit(data, family, budget=ilk.Steps(steps), seed=0).sample(24, seed=1)
    return sheet([data.items[:24], made])


def sheet(blocks: Sequence[Any]) -> Figure:
    """Blocks of pictures below each other, twelve in a row."""
    figure = Figure(figsize=(5.6, 1.0 * len(blocks)), layout="constrained")
    for place, block in enumerate(blocks):
        shown = np.asarray(block, dtype=float)
        shown = shown.reshape(len(shown), *shown.shape[1:3])
        shown = np.pad(shown, ((0, 0), (1, 1), (1, 1)), constant_values=shown.min())
        rows = np.concatenate([np.concatenate(list(shown[i:i + 12]), 1) for i in range(0, len(shown), 12)], 0)
        axes = figure.add_subplot(len(blocks), 1, place + 1)
        axes.imshow(rows, cmap="gray_r", interpolation="nearest")
        axes.set_axis_off()
    return figure


def table() -> Figure:
    """Two columns of a table, and the rows that are made where a rule is given."""
    data = ilk.read("iris")
    model = ilk.fit(data, ilk.GMM(components=3), seed=0)
    given = model.given("species == 'virginica' and petal_length < 5")
    figure = Figure(figsize=(5.6, 2.6), layout="constrained")
    drawn = [(data.items, "real", REAL), (model.sample(150, seed=1), "made", MADE), (given.sample(150, seed=1), "virginica, petal < 5", MADE)]
    for place, (rows, title, colour) in enumerate(drawn):
        axes = figure.add_subplot(1, 3, place + 1, xlim=(0.5, 7.5), ylim=(-0.2, 2.8), title=title)
        axes.plot(rows["petal_length"], rows["petal_width"], ".", ms=4, color=colour)
        axes.tick_params(labelsize=7)
    return figure


def series() -> Figure:
    """A noisy wave, and waves that a hidden Markov model makes."""
    rng = ilk.Rng(0)
    phase = 2 * np.pi * rng.child("phase").uniform(400, 1).numpy()
    items = np.sin(np.arange(40) * 2 * np.pi / 16 + phase) + 0.1 * rng.child("noise").normal(400, 40).numpy()
    made = ilk.fit(items[:, :, None], ilk.HMM(states=16), budget=ilk.Steps(40), seed=0).sample(3, seed=1)
    figure = Figure(figsize=(5.6, 2.0), layout="constrained")
    for place, (lines, title, colour) in enumerate([(items[:3], "real", REAL), (np.asarray(made).reshape(3, 40), "made", MADE)]):
        axes = figure.add_subplot(1, 2, place + 1, title=title, ylim=(-1.6, 1.6))
        axes.plot(lines.T, color=colour, lw=1, alpha=0.8)
        axes.set_axis_off()
    return figure


def filled() -> Figure:
    """The upper halves of digits, and lower halves that a model makes for them."""
    data = ilk.read("digits")
    model = ilk.fit(data, ilk.PixelCNN(width=24, layers=4), budget=ilk.Steps(600), seed=0)
    items = data.items[-12:]
    redone = ilk.edit(model, items, ilk.box(4, 0, 8, 8), n=1, seed=1)
    return sheet([items, np.asarray(redone).reshape(np.asarray(items).shape)])


def steps() -> Figure:
    """One way from noise to items, step by step."""
    items = moons(2000)
    model = ilk.fit(items, ilk.FlowMatching(), budget=ilk.Steps(2000), seed=0)
    course = list(ilk.steps(model, 600, seed=1))
    figure = Figure(figsize=(5.6, 1.4), layout="constrained")
    for place, at in enumerate(np.linspace(0, len(course) - 1, 5).round().astype(int)):
        axes = figure.add_subplot(1, 5, place + 1, xlim=(-2.6, 3.2), ylim=(-2.4, 2.6), aspect="equal")
        axes.plot(*np.asarray(course[at].items).T, ".", ms=1.5, color=MADE)
        axes.set_axis_off()
    return figure


DRAWN: dict[str, Callable[[], Figure]] = {
    "table": table, "series": series, "filled": filled, "steps": steps,
    "gmm": lambda: plane(ilk.GMM(components=12), 100), "flow": lambda: plane(ilk.Flow(), 600),
    "vae": lambda: plane(ilk.VAE(codes=4, variance="decoded"), 3000), "gan": lambda: plane(ilk.GAN(), 1500),
    "diffusion": lambda: plane(ilk.Diffusion(), 800), "flow_matching": lambda: plane(ilk.FlowMatching(), 2000),
    "digits_pixelcnn": lambda: pictures(ilk.PixelCNN(width=24, layers=4), 600), "digits_diffusion": lambda: pictures(ilk.Diffusion(), 1500)}


def draw(to: Path, names: Sequence[str] = ()) -> None:
    """The pictures in a folder: small, and without the date or the version of what drew them."""
    to.mkdir(parents=True, exist_ok=True)
    for name in names or DRAWN:
        DRAWN[name]().savefig(to / f"{name}.png", dpi=100, metadata={"Software": None}, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    draw(HOME, sys.argv[1:])
