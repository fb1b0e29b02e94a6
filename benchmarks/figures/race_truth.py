"""Races on data whose law is known: does the likelihood find the right family, do the cheats lose, is the entropy met?"""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import e, log, pi
from typing import Any

import numpy as np

import ilk
from ilk.rng import Rng
from ilk.verbs._standings import likeliest

N, LENGTH, CHAIN, MEASURED, SECONDS = 5000, 16, 6, 200_000, 240
RULES = ilk.RaceRules(budget=ilk.Seconds(SECONDS), judged=1000, finalists=2, trials=2, seeds=2)   # for each of the five


@dataclass(frozen=True)
class Truth:
    """A law: who should win, items of it, and its entropy in nats an item."""

    family: str
    draw: Callable[[Rng, int], Any]
    entropy: Callable[[Rng], float]


def noise(rng: Rng, n: int, d: int) -> Any:
    return rng.child("noise").normal(n, d).double().numpy()


def pick(rng: Rng, p: Any) -> Any:
    """One of several values in every row, by the row's law."""
    return (p.cumsum(1) < rng.uniform(len(p), 1).numpy()).sum(1).clip(max=p.shape[1] - 1)


def gmm() -> Truth:
    weights, means = np.array([0.5, 0.3, 0.2]), np.array([[0.0, 0.0], [3.0, 1.0], [-2.0, 3.0]])
    roots = np.array([[[0.8, 0.0], [0.5, 0.4]], [[0.3, 0.0], [-0.4, 0.5]], [[0.5, 0.0], [0.0, 0.5]]])

    def draw(rng: Rng, n: int) -> Any:
        which = pick(rng.child("which"), np.tile(weights, (n, 1)))
        return means[which] + np.einsum("nij,nj->ni", roots[which], noise(rng, n, 2))

    def entropy(rng: Rng) -> float:
        x = draw(rng, MEASURED)
        z = np.stack([(x - m) @ np.linalg.inv(r).T for m, r in zip(means, roots, strict=True)])
        logs = np.log(weights)[:, None] - 0.5 * (z**2).sum(-1) - log(2 * pi) - np.log(np.abs(np.linalg.det(roots)))[:, None]
        return float(-np.logaddexp.reduce(logs, 0).mean())

    return Truth("gmm", draw, entropy)


def hmm() -> Truth:
    start, move = np.array([0.6, 0.3, 0.1]), np.array([[0.85, 0.1, 0.05], [0.05, 0.85, 0.1], [0.1, 0.05, 0.85]])
    emit = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.1, 0.7, 0.1], [0.1, 0.45, 0.0, 0.45]])

    def draw(rng: Rng, n: int) -> Any:
        state, out = pick(rng.child("start"), np.tile(start, (n, 1))), []
        for t in range(LENGTH):
            out.append(pick(rng.child("emit", t), emit[state]))
            state = pick(rng.child("move", t), move[state])
        return np.stack(out, 1).astype(np.uint8)

    def entropy(rng: Rng) -> float:
        x = draw(rng, MEASURED)
        forward, nats = np.tile(start, (len(x), 1)), np.zeros(len(x))
        for t in range(LENGTH):
            joint = forward * emit[:, x[:, t]].T
            nats += np.log(joint.sum(1))
            forward = joint / joint.sum(1, keepdims=True) @ move
        return float(-nats.mean())

    return Truth("hmm", draw, entropy)


def copula() -> Truth:
    root = np.linalg.cholesky(np.array([[1.0, 0.8, 0.2, 0.0], [0.8, 1.0, 0.0, 0.3], [0.2, 0.0, 1.0, -0.6], [0.0, 0.3, -0.6, 1.0]]))

    def draw(rng: Rng, n: int) -> Any:
        z = noise(rng, n, 4) @ root.T
        return np.stack([np.exp(z[:, 0]), np.sinh(1.5 * z[:, 1]), z[:, 2] ** 3 + 0.3 * z[:, 2], z[:, 3]], 1)

    def entropy(rng: Rng) -> float:
        z = noise(rng, MEASURED, 4)
        slopes = np.log(1.5 * np.cosh(1.5 * z[:, 1])).mean() + np.log(3 * z[:, 2] ** 2 + 0.3).mean()   # E log of exp's slope is 0
        return float(2 * log(2 * pi * e) + np.log(np.diag(root)).sum() + slopes)

    return Truth("copula", draw, entropy)


def ngram() -> Truth:
    """Long texts, since equal items stay on one side of a split: a law of short ones would not be the law of its test items."""
    logits = 1.8 * Rng(7).child("table").normal(25, 4).double().numpy()   # the law of the next letter after two, 4 standing before the first
    stop = np.where(np.arange(25) % 5 == 4, 0.0, 1 / 40)[:, None]         # the chance that the text ends: no text is empty
    table = np.concatenate([(1 - stop) * np.exp(logits) / np.exp(logits).sum(1, keepdims=True), stop], 1)

    def walk(rng: Rng, n: int) -> tuple[list[str], Any]:
        before, on, nats, texts = np.full(n, 24), np.ones(n, dtype=bool), np.zeros(n), [""] * n
        for t in range(10_000):
            now = pick(rng.child(t), table[before])
            nats += np.where(on, np.log(np.maximum(table[before, now], 1e-300)), 0.0)
            on &= now < 4
            if not on.any():
                break
            for i in np.flatnonzero(on):
                texts[i] += "abcd"[now[i]]
            before = before % 5 * 5 + now
        return texts, nats

    return Truth("ngram", lambda rng, n: walk(rng, n)[0], lambda rng: float(-walk(rng, MEASURED // 4)[1].mean()))


def flow() -> Truth:
    """A chain of curved, unevenly thick conditionals: what a mixture would need very many parts for."""
    def draw(rng: Rng, n: int) -> Any:
        z = noise(rng, n, CHAIN)
        x = [1.5 * z[:, 0]]
        for k in range(1, CHAIN):
            x.append(2 * np.sin(1.5 * x[-1]) + np.exp(-1.2 + 0.8 * np.cos(x[-1])) * z[:, k])
        return np.stack(x, 1)

    def entropy(rng: Rng) -> float:
        thick = (-1.2 + 0.8 * np.cos(draw(rng, MEASURED)[:, :-1])).mean(0).sum()
        return float(CHAIN / 2 * log(2 * pi * e) + log(1.5) + thick)

    return Truth("flow", draw, entropy)


TRUTHS: tuple[Callable[[], Truth], ...] = (gmm, hmm, copula, ngram, flow)


def figure(seed: int) -> dict[str, Any]:
    rows = {make.__name__: _one(make(), seed) for make in TRUTHS}
    right = sum(row["winner"] == row["truth"] for row in rows.values())
    return {"value": right, "right": right, "of": len(rows), "unit": "families found", "floor": 1 / 16, "ceiling": 5, "n": N,
            "met": sum(row["met"] for row in rows.values()), "cheats_lost": all(row["cheats_lost"] for row in rows.values()), "races": rows,
            "protocol": f"{N} items of a known law divided 80/10/10, all families in {SECONDS} s on two cores; the winner is by validation likelihood; "
                        "met: its test nats within 2.6 standard errors of the exact entropy"}


def _one(truth: Truth, seed: int) -> dict[str, Any]:
    items = truth.draw(Rng(seed).child("items"), N)
    found = ilk.race(items, rules=RULES, crew=ilk.Processes(2))
    best, entropy = likeliest(found.rows), truth.entropy(Rng(seed).child("entropy"))
    if best is None:
        return {"truth": truth.family, "winner": None, "met": False, "cheats_lost": True}
    own = found.by(truth.family)
    return {"truth": truth.family, "winner": best.name, "nats": best.nats, "se": best.error, "entropy": entropy, "truth_nats": own.nats, "truth_status": own.best.status,
            "met": abs((best.nats or 0.0) + entropy) <= 2.6 * (best.error or 0.0), "by_samples": found.winner.name,
            "cheats_lost": not any(found.by(name).runs for name in ("copies", "noisy_copies")),
            "cheats_noticed": sum(bool(found.by(name).flags) for name in ("copies", "noisy_copies"))}
