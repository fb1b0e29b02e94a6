"""The two networks of article 001, unchanged, with its losses corrected, on MNIST: how many of the ten digits are made."""
from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from sklearn.svm import SVC
from torch import Tensor, nn
from torch.nn import functional as F

from ilk.rng import Rng
from ilk.verbs.read import read

STEPS = int(os.environ.get("ILK_FIGURE_STEPS", "20000"))
Z, BATCH, RATE, MADE, LEAST = 100, 128, 1e-3, 2000, 0.02


class Generator(nn.Module):
    """As in the article, section 5.2."""

    def __init__(self, latent_dim: int, img_dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(latent_dim, 256), nn.Linear(256, 512), nn.Linear(512, img_dim)

    def forward(self, z: Tensor) -> Tensor:
        """Pictures in -1..1."""
        return torch.tanh(self.fc3(F.relu(self.fc2(F.relu(self.fc1(z))))))


class Discriminator(nn.Module):
    """As in the article, section 5.2."""

    def __init__(self, img_dim: int) -> None:
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(img_dim, 512), nn.Linear(512, 256), nn.Linear(256, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        out: Tensor = self.fc3(F.leaky_relu(self.fc2(F.leaky_relu(self.fc1(x)))))
        return out


def trained(x: Tensor, rng: Rng) -> Tensor:
    """Pictures of a generator that learned from x, (n, 784) in -1..1."""
    with rng.as_global():
        g, d = Generator(Z, x.shape[1]), Discriminator(x.shape[1])
        of_g, of_d = (torch.optim.Adam(net.parameters(), RATE, (0.0, 0.99)) for net in (g, d))   # made once; no momentum: the game has no valley
        for step in range(STEPS):
            for optimiser in (of_g, of_d):
                optimiser.param_groups[0]["lr"] = RATE * (1 - step / STEPS)
            real, z = x[torch.randint(len(x), (BATCH,))], torch.randn(BATCH, Z)
            loss = F.softplus(-d(real)).mean() + F.softplus(d(g(z).detach())).mean()
            of_d.zero_grad()
            loss.backward()
            of_d.step()
            loss = F.softplus(-d(g(torch.randn(BATCH, Z)))).mean()
            of_g.zero_grad()
            loss.backward()
            of_g.step()
        with torch.no_grad():
            return g(torch.randn(MADE, Z))


def figure(seed: int) -> dict[str, Any]:
    """The value is the number of classes with at least a fiftieth of the made pictures, by a classifier that learned from real ones."""
    data = read("mnist")
    assert data.labels is not None
    x = torch.from_numpy(np.asarray(data.items)).flatten(1).float() / 127.5 - 1
    y, order = data.labels.codes.numpy(), Rng(0).child("division").shuffle(len(x))
    test, learn = order[:1000], order[1000:6000]
    judge = SVC().fit(x[learn].numpy(), y[learn])
    made = trained(x[order[1000:]], Rng(seed).child("fit"))
    share = np.bincount(judge.predict(made.numpy()), minlength=10) / len(made)
    classes = int((share >= LEAST).sum())
    return {"value": float(classes), "unit": "classes of ten with at least 2 % of the made pictures", "classes": classes, "shares": [round(float(s), 4) for s in share], "floor": 1.0,
            "ceiling": 10.0, "classifier_on_real": float((judge.predict(x[test].numpy()) == y[test]).mean()), "published": None, "n": MADE, "steps": STEPS,
            "protocol": "catalogue mnist, 9,000 to learn from; the article's layers; logistic losses, Adam without momentum, rate falling to 0; support vector machine on 5,000 real ones"}
