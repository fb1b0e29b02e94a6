"""The last tenth of Tiny Shakespeare as one text file, and held-out poems of the Tang, packed by counts of characters."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import ilk
from benchmarks.figures._packing import packed
from ilk.catalogue.load import whole
from ilk.dataset import split_dataset
from ilk.modalities.text import Text
from ilk.modality import Limits
from ilk.run import Run

LONG, SHORT = 7, 5   # orders: those with the fewest nats on validation texts


def figure(seed: int) -> dict[str, Any]:
    """The value is the excess of Shakespeare's; Tang poems, one record a line of JSON, stand in `tang`."""
    text = whole("shakespeare")
    cut = int(0.9 * len(text))

    def write(at: Path, part: str = text[cut:]) -> None:
        at.write_text(part, encoding="utf-8")

    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "train.txt", text[:cut])
        model = ilk.fit(Text(per="paragraph").read(Path(folder) / "train.txt", Limits()), ilk.NGram(order=LONG), run=Run(seed=seed))
    poems = split_dataset(ilk.read("tang"), ilk.Rng(seed).child("data"))
    counts = ilk.fit(poems, ilk.NGram(order=SHORT), run=Run(seed=seed))
    found, tang = packed(model, "test.txt", write), packed(counts, "poems.jsonl", lambda at: poems.modality.write(poems.test, at))
    return {"value": found["excess"], "unit": "payload over nats / (8 ln 2), less 1", "floor": None, "ceiling": 0.0, "published": None, **found, "tang": tang,
            "protocol": f"Shakespeare: the last tenth as UTF-8 by Kneser-Ney of order {LONG} of the speeches of the first nine; Tang: a tenth of the quatrains as JSONL by order {SHORT}; "
                        "unpacked by another process from the saved model; xz: preset 9 of the same file; the model's bytes are not in those of the pack"}
