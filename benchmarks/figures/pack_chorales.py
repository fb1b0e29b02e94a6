"""77 chorales by J. S. Bach as one text, packed by counts of what follows what and by a transformer."""
from __future__ import annotations

from typing import Any

import ilk
from benchmarks.figures._packing import packed
from ilk.catalogue import load
from ilk.dataset import given_splits
from ilk.modalities.text import Text
from ilk.run import Run, Seconds

SECONDS, ORDER, LOWEST = 300, 9, 43   # the order with the fewest nats on validation chorales; the lowest note


def written(chorale: list[list[int]]) -> str:
    """A letter a note from the bass up, a comma after every chord: what is struck on the same quarter."""
    return "".join("".join(chr(ord("0") + note - LOWEST) for note in sorted(chord)) + "," for chord in chorale)


def figure(seed: int, seconds: float = SECONDS) -> dict[str, Any]:
    """The value is the excess of the counts'; that of the network stands in `transformer`."""
    kind = Text(per="line")
    data = given_splits(kind, {split: [written(c) for c in chorales] for split, chorales in load.chords("jsb").items()})
    network = ilk.Transformer(layers=3, heads=4, width=96, context=160, dropout=0.3)
    models = {"transformer": ilk.fit(data, network, run=Run(seed=seed, budget=Seconds(seconds))), "ngram": ilk.fit(data, ilk.NGram(order=ORDER), run=Run(seed=seed))}
    rows = {name: packed(model, "test.txt", lambda at: kind.write(data.test, at)) for name, model in models.items()}
    chords = sum(text.count(",") for text in data.test)
    return {"value": rows["ngram"]["excess"], "unit": "payload over nats / (8 ln 2), less 1", "floor": None, "ceiling": 0.0, "published": None,
            **rows["ngram"], "transformer": rows["transformer"], "nats_per_chord": {name: row["nats"] / chords for name, row in rows.items()},
            "protocol": f"JSB chorales on quarter notes in the literature's split of 229, 76 and 77, a letter a note, the bass first, a comma after a chord, a chorale a line; "
                        f"transformer for {seconds:g} s, Kneser-Ney of order {ORDER}; unpacked by another process from the saved model; xz: preset 9 of the same text"}
