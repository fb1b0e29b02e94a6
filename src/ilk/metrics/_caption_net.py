"""A small contrastive network of pictures and captions (Radford et al. 2021), learned here from captioned training pictures: what tells which
caption a picture has. It never sees a made one.
"""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from ilk.batch import Batch
from ilk.captions import Reader, Vocabulary
from ilk.rng import Rng

from ._kept import Kept, digest
from ._picture_net import descend, moved, planes
from ._tables import Cells, some

SIZE, WIDTH, SIDE, CHUNK = 64, 64, 64, 512
MOST, BATCH, STEPS, EPOCHS = 10_000, 64, 1200, 40
ALWAYS = Rng(0).child("captions")  # one network for the model and for real pictures, whatever the seed of the evaluation
SHARP, SHARPEST = 2.66, 4.61       # logs of what cosines are multiplied by, at first and at most


class Net(nn.Module):
    """Pictures (n, channels, height, width) and captions as unit vectors of 64 numbers, near each other where they belong together."""

    def __init__(self, shape: Sequence[int], vocabulary: Vocabulary) -> None:
        super().__init__()
        sizes = (shape[0], 16, 32, 64)
        layers = [layer for a, b in pairwise(sizes) for layer in (nn.Conv2d(a, b, 3, stride=2, padding=1), nn.SiLU())]
        self.see = nn.Sequential(*layers, nn.Flatten(), nn.Linear(sizes[-1] * prod(-(-n // 8) for n in shape[1:]), 2 * SIZE), nn.LayerNorm(2 * SIZE), nn.SiLU(),
                                 nn.Linear(2 * SIZE, SIZE))
        self.read = Reader(len(vocabulary.words) + 1, vocabulary.most, WIDTH, 1)
        self.say = nn.Linear(WIDTH, SIZE)
        self.sharp = nn.Parameter(torch.tensor(SHARP))

    def seen(self, x: Tensor) -> Tensor:
        """Pictures as unit vectors."""
        return normalize(self.see(x.contiguous(memory_format=torch.channels_last)))

    def said(self, captions: Batch) -> Tensor:
        """Captions as unit vectors."""
        return normalize(self.say(self.read(captions)[0][:, 0]))

    def loss(self, x: Tensor, captions: Batch, same: Tensor) -> Tensor:
        """InfoNCE both ways (van den Oord et al. 2018); `same` (n, n) says which captions are equal: any of those is right."""
        scores = self.sharp.clamp_max(SHARPEST).exp() * self.seen(x) @ self.said(captions).mT
        right = scores.masked_fill(~same, -torch.inf)
        return sum(((scores.logsumexp(d) - right.logsumexp(d)).mean() for d in (0, 1)), torch.zeros(())) / 2


class Matching:
    """A network that has learned which captions (n) go with which pictures (n, h, w, c)."""

    def __init__(self, pictures: Cells, texts: Sequence[str], rng: Rng) -> None:
        x = planes(pictures, SIDE)
        self.mean, self.off, self.vocabulary = float(x.mean()), float(x.std()) or 1.0, Vocabulary.learned(texts)
        with rng.as_global():
            self.net = Net(x.shape[1:], self.vocabulary)
        self._learn((x - self.mean) / self.off, texts, rng)
        self.net.eval().requires_grad_(False)

    def _learn(self, x: Tensor, texts: Sequence[str], rng: Rng) -> None:
        told = self.vocabulary.batch(texts)
        kind = torch.from_numpy(np.unique(np.array(texts), return_inverse=True)[1])
        batch = min(BATCH, len(x))

        def loss(i: int) -> Tensor:
            here = rng.child("step", i)
            rows = here.child("rows").integers(batch, len(x))
            return self.net.loss(moved(x[rows], here), told.take(rows), kind[rows, None] == kind[rows])

        descend(list(self.net.parameters()), loss, min(STEPS, max(1, EPOCHS * len(x) // batch)))

    def seen(self, pictures: Cells) -> Tensor:
        """Unit vectors of pictures, (n, 64)."""
        parts = [pictures[i:i + CHUNK] for i in range(0, len(pictures), CHUNK)]
        return torch.cat([self.net.seen((planes(part, SIDE) - self.mean) / self.off) for part in parts])

    def said(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors of captions, (n, 64)."""
        return self.net.said(self.vocabulary.batch(texts))

    def digest(self) -> str:
        """The same for the same weights: figures by networks of other digests are not to be compared."""
        return digest(*(t.numpy() for t in self.net.state_dict().values()))


_KNOWN: Kept[Matching] = Kept(1)


def matching(pictures: Cells, texts: Sequence[str]) -> Matching:
    """The network that these pictures and captions give, from at most 10,000 of them: learned once."""
    rows = some(len(pictures), MOST, ALWAYS.child("some"))
    seen, told = pictures[rows], [texts[i] for i in rows]
    return _KNOWN.get(digest(seen, np.array(told)), lambda: Matching(seen, told, ALWAYS))


def found(net: Matching, pictures: Cells, texts: Sequence[str], among: Sequence[str], rng: Rng, many: int) -> Cells:
    """Whether each picture's own caption is nearer than `many - 1` others, drawn for it from those of `among` that differ; (n,) of bool."""
    names = sorted(set(among) | set(texts))
    place = {name: i for i, name in enumerate(names)}
    own = torch.tensor([place[t] for t in texts])
    likeness = net.seen(pictures) @ net.said(names).mT
    order = rng.child("others").uniform(len(texts), len(names)).scatter_(1, own[:, None], 2.0).argsort(1)[:, :many - 1]
    right: Cells = (likeness.gather(1, own[:, None]) > likeness.gather(1, order)).all(1).numpy()
    return right
