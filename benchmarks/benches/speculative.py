"""Speculative decoding of one text at a time: an n-gram drafts for a transformer; tokens a second beside drawing one by one, the same law."""
from __future__ import annotations

import time
from typing import Any

import torch

import ilk
from ilk.catalogue.load import whole
from ilk.distribution import How
from ilk.run import Run, Seconds

ITEMS, TOKENS, REPEATS, AHEAD = 4, 200, 3, 4
RECIPE = ilk.Transformer(layers=8, heads=8, width=512, context=256)


def speed(body: Any, how: How) -> float:
    """New tokens a second, one item after the other, the best of some repeats."""
    best = 0.0
    for _ in range(REPEATS):
        start = time.perf_counter()
        made = sum(int(body.sample(1, ilk.Rng(1).at(i), how).lengths.sum()) for i in range(ITEMS))
        best = max(best, made / (time.perf_counter() - start))
    return best


def nats(body: Any, how: How) -> torch.Tensor:
    """Of each of 64 short items under the model: what two ways of one law have in common."""
    made = body.sample(64, ilk.Rng(2), how)
    return -body.log_prob_from(made, 0, end=False)


def bench(seconds: float = 600) -> dict[str, Any]:
    """At temperatures 1 and .5; the mean nats of short texts drawn both ways, whose difference is in standard errors."""
    text = whole("shakespeare")
    pieces = [text[i:i + 512] for i in range(0, len(text) - 512, 512)]
    model = ilk.fit(pieces, RECIPE, run=Run(seed=0, budget=Seconds(seconds)))
    draft = ilk.fit(pieces, ilk.NGram(order=5)).body
    row: dict[str, Any] = {"unit": "new tokens per second", "ahead": AHEAD, "tokens": TOKENS}
    for temperature, suffix in ((1.0, ""), (0.5, "_cool")):
        plain = speed(model.body, ilk.Ancestral(temperature=temperature, most=TOKENS))
        fast = speed(model.body, ilk.Speculative(draft=draft, ahead=AHEAD, temperature=temperature, most=TOKENS))
        row |= {f"ours{suffix}": fast, f"one_by_one{suffix}": plain, f"ratio{suffix}": fast / plain}
    one, two = nats(model.body, ilk.Ancestral(most=20)), nats(model.body, ilk.Speculative(draft=draft, most=20))
    error = float((one.var() / len(one) + two.var() / len(two)) ** 0.5)
    return {**row, "nats_apart_in_errors": float((one.mean() - two.mean()) / error), "n": ITEMS,
            "protocol": "one thread as found; one item at a time; the law is proved equal by enumeration in tests/unit/test_speculative.py"}
