"""Digits under four textures: each takes the texture of another. Is the digit still the digit, and is the texture the other's?"""
from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ilk
from benchmarks.figures.cyclegan_mnist import sheet
from ilk.metrics._picture_net import Trained
from ilk.rng import Rng
from ilk.verbs._style import adain
from ilk.verbs.read import read

TEST, JUDGE, STYLES, LIKE = int(os.environ.get("ILK_FIGURE_ITEMS", "200")), 6000, 4, 16
STRENGTH = 0.8
SHEETS = Path(__file__).parents[1] / "results"


def painted(digits: Any, style: int, rng: Rng) -> Any:
    """Grey digits (n, 28, 28, 1) in one of four textures that lies over all of the picture: plain, slanting stripes, checks, specks; (n, 28, 28, 1)."""
    n, side = len(digits), digits.shape[1]
    y, x = torch.meshgrid(torch.arange(side).double(), torch.arange(side).double(), indexing="ij")
    shift = (6 * rng.child("shift").uniform(n, 2))[:, :, None, None]
    waves = [torch.zeros(n, side, side).double(), (((x + y) + shift[:, 0]) * (2 * torch.pi / 4)).sin(),
             ((x + shift[:, 0]) * (2 * torch.pi / 4)).sin().sign() * ((y + shift[:, 1]) * (2 * torch.pi / 4)).sin().sign(), rng.child("specks").normal(n, side, side)]
    grey = 60 + 130 * torch.from_numpy(digits[..., 0]).double() / 255 + 40 * waves[style]
    return grey.clamp(0, 255).byte().numpy()[..., None]


def recoloured(items: Any, like: Any) -> Any:
    """The floor: the mean and spread of each colour, and nothing else."""
    x, other = (torch.from_numpy(p).permute(0, 3, 1, 2).double() for p in (items, like))
    return adain(x, other.transpose(0, 1).flatten(1)[None, :, None]).clamp(0, 255).byte().permute(0, 2, 3, 1).numpy()


def shares(made: Any, style: int, digits: Tensor, judges: tuple[Trained, Trained]) -> dict[str, float]:
    """How many are of the style asked for, of the digit they were, and both."""
    one, other = judges[0].classes(made) == style, judges[1].classes(made) == digits.numpy()
    return {"style": float(one.mean()), "digit": float(other.mean()), "both": float((one & other).mean())}


def figure(seed: int) -> dict[str, Any]:
    """The value is the share that has the style asked for and still shows its digit, of all that went from one style to the next."""
    data = read("mnist")
    assert data.labels is not None
    order = Rng(0).child("division").shuffle(len(data))
    codes = data.labels.codes[order]
    many = TEST // STYLES
    known = slice(TEST, TEST + JUDGE)
    which = Rng(0).child("styles").integers(JUDGE, STYLES)
    drawn = np.concatenate([painted(data.items[order[known][which == k].numpy()], k, Rng(0).child("known", k)) for k in range(STYLES)])
    told = torch.cat([codes[known][which == k] for k in range(STYLES)])
    judges = Trained(drawn, which.sort().values.numpy(), Rng(0).child("style")), Trained(drawn, told.numpy(), Rng(0).child("digit"))
    rows: dict[str, list[dict[str, float]]] = {"transfer": [], "recoloured": [], "untouched": [], "true": []}
    moved, shown = [], []
    for k in range(STYLES):
        mine, to = slice(k * many, (k + 1) * many), (k + 1) % STYLES
        plain = data.items[order[mine].numpy()]
        items, true = (painted(plain, s, Rng(seed).child(name, k)) for s, name in ((k, "from"), (to, "to")))
        like = drawn[(which.sort().values == to).numpy()][:LIKE]
        made = ilk.transfer(items, like, STRENGTH, seed=seed)
        for name, x in (("transfer", made.items), ("recoloured", recoloured(items, like)), ("untouched", items), ("true", true)):
            rows[name].append(shares(x, to, codes[mine], judges))
        moved.append((made.style, made.content))
        shown += [items[:16], made.items[:16], like]
    sheet(shown, SHEETS / "transfer_swap.png")
    found = {name: {key: float(np.mean([r[key] for r in each])) for key in each[0]} for name, each in rows.items()}
    style, content = (float(np.mean(m)) for m in zip(*moved, strict=True))
    return {"value": found["transfer"]["both"], "unit": "share of pictures with the style asked for and the digit they had", "floor": found["recoloured"]["both"], "ceiling": found["true"]["both"],
            **found, "style_moved": style, "content_moved": content, "n": many * STYLES, "published": None,
            "protocol": f"catalogue mnist: grey digits under four textures, each set into the next by {LIKE} pictures of it at strength {STRENGTH}; one CNN each for style and digit, of {JUDGE} other "
                        "pictures; floor: the mean and spread of grey alone; ceiling: the digits under that texture"}
