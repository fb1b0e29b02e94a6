"""file: items as a file. What `sample` is asked, or {"items": [...]}, and {"suffix"} -> one piece {"name", "mime", "n"} and the file as its blob."""
from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ilk.errors import UsageError
from ilk.serve.ops._asked import model_of, way_of, whole
from ilk.serve.ops._items import kind
from ilk.serve.ops._worked import items_of
from ilk.serve.work import Ask, Held, Reply
from ilk.verbs.sample import sample

SUFFIXES = {"table": ("csv", "parquet", "jsonl", "tsv"), "text": ("txt", "jsonl"), "image": ("zip", "npz", "png"), "array": ("npz", "npy")}
_FORMULA = r"^(?:[=+@\t\r]|-[^0-9.])"


def run(held: Held, ask: Ask) -> Iterator[Reply]:
    """In a form that `ilk.read` takes; in CSV no text begins as a formula does."""
    model = model_of(held, ask.body)
    sort = kind(model.modality)
    suffix = ask.body.get("suffix") or SUFFIXES[sort][0]
    if suffix not in SUFFIXES[sort]:
        raise UsageError(f"{sort} items are not written as {str(suffix)[:20]!r}", code="FORMAT", param="suffix", remedy=f"one of: {', '.join(SUFFIXES[sort])}")
    if "items" in ask.body:
        items = items_of(model, ask)
    else:
        items = sample(model, whole(ask.body, "n", 10, 1, 1 << 20), whole(ask.body, "seed", 0, -(2**63), 2**63 - 1), way_of(model, ask.body)).items
    name = f"{re.sub(r'[^A-Za-z0-9_-]', '_', held.name)[-60:]}.{suffix}"
    with TemporaryDirectory() as folder:
        model.modality.write(harmless(items) if suffix in ("csv", "tsv") else items, Path(folder) / name)
        yield Reply({"name": name, "mime": "application/octet-stream", "n": len(items)}, [(Path(folder) / name).read_bytes()])


def harmless(frame: Any) -> Any:
    """The rows with a quote before texts that a spreadsheet would run."""
    import polars as pl

    texts = [name for name, kind in frame.schema.items() if kind == pl.String]
    return frame.with_columns([pl.when(pl.col(t).str.contains(_FORMULA)).then(pl.lit("'") + pl.col(t)).otherwise(pl.col(t)).alias(t) for t in texts])
