"""A small transformer of letters, fitted in seconds, so that bars are of real work."""
from __future__ import annotations

from pathlib import Path

import ilk
from ilk.rng import Rng

WORDS = ("river", "stone", "lantern", "winter", "harbour", "copper", "meadow", "signal", "orchard", "thunder", "velvet", "compass")


def small(to: Path, steps: int = 60) -> Path:
    """The folder of one that goes on for as long as it is asked to: it learned one long text."""
    picks = Rng(0).child("words").integers(20_000, len(WORDS)).tolist()
    (to.parent / "words.txt").write_text(" ".join(WORDS[i] for i in picks), encoding="utf-8")
    recipe = ilk.Transformer(layers=2, heads=2, width=64, context=128)
    model = ilk.fit(ilk.read(to.parent / "words.txt", ilk.Text(per="whole")), recipe, run=ilk.Run(seed=0, budget=ilk.Steps(steps), batch=16))
    return model.save(to)
