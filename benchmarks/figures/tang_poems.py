"""Quatrains of the Tang: nats per character beside Kneser-Ney on held-out poems, and 200 made ones, all in form, hardly a line copied."""
from __future__ import annotations

import re
from typing import Any

import ilk
from ilk.dataset import split_dataset
from ilk.run import Run, Seconds
from ilk.verbs.read import read

SECONDS, MADE = 480, 200
MARKS = "，。！？；：、"
FORM = "|".join(f"(LINE{{{n}}}[{MARKS}]){{2}}\n(LINE{{{n}}}[{MARKS}]){{2}}".replace("LINE", f"[^{MARKS}\n]") for n in (5, 7))


def lines(poem: str) -> list[str]:
    """Its lines."""
    return [line for line in re.split(f"[{MARKS}\n]", poem) if line]


def copied(poems: list[str], known: set[str]) -> float:
    """The share of their lines that are known."""
    every = [line for poem in poems for line in lines(poem)]
    return sum(line in known for line in every) / len(every)


def figure(seed: int) -> dict[str, Any]:
    """The value is nats per character of held-out poems: marks, line breaks and the end are scored, marks and breaks counted."""
    data = split_dataset(read("tang"))
    recipe = ilk.Transformer(layers=3, heads=4, width=128, context=64, dropout=0.2)
    model = ilk.fit(data, recipe, run=Run(seed=seed, budget=Seconds(SECONDS)))
    counts = ilk.fit(data, ilk.NGram(order=4))
    held, length = data.test, sum(map(len, data.test))
    nats, yardstick = (-float(m.score(held).nats.sum()) / length for m in (model, counts))
    made, free = model.sample(MADE, seed=seed, how=ilk.Form(pattern=FORM, p=0.95)), model.sample(MADE, seed=seed)
    known = {line for poem in data.train for line in lines(poem)}
    return {"value": nats, "unit": "nats per character", "kneser_ney": yardstick, "in_form": sum(bool(re.fullmatch(FORM, poem)) for poem in made) / MADE,
            "free_in_form": sum(bool(re.fullmatch(FORM, poem)) for poem in free) / MADE, "copied": copied(made, known), "copied_held_out": copied(held, known),
            "distinct": len(set(made)) / MADE, "n": len(held), "examples": made[:4],
            "protocol": "quatrains of 5 or 7 characters a line; a tenth held out, a tenth chooses; Kneser-Ney of order 4; made by constrained decoding within a nucleus of .95"}
