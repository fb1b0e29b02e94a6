"""read: a path, a name of the catalogue, or something in memory becomes a Dataset."""
from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from ilk import registry
from ilk.captions import Captions
from ilk.dataset import Dataset, Origin, given_splits
from ilk.errors import DataError, UsageError, nearest
from ilk.modality import Limits, Modality


def read(data: Any, modality: Modality[Any] | str | None = None, *, limits: Limits | None = None) -> Dataset[Any]:
    """The items, their kind guessed unless it is named. A path wins over a name of the catalogue.

    >>> read({"a": [1, 2, 3], "b": ["x", "y", "x"]}).modality.columns[1].describe()
    'category of 2: x, y'
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path) and not os.path.exists(data):
        from ilk import catalogue

        if str(data) in catalogue.names():
            return from_catalogue(str(data))
        if modality is None:
            raise DataError(f"there is no file or data set {data}", code="NOT_FOUND", remedy=f"{nearest(str(data), catalogue.names())} (ilk list data)")
    kind: Modality[Any] = registry.get("modalities", modality)() if isinstance(modality, str) else modality or _guess(data)
    return kind.read(data, limits or Limits())


def native(modality: Modality[Any], items: Any) -> Any:
    """Items in the form that the modality holds them in: frames of other libraries and mappings are read, the rest is as it is."""
    import numpy as np
    import polars as pl

    return items if isinstance(items, pl.DataFrame | list | np.ndarray) or not modality.claims(items) else modality.read(items, Limits()).items


def alone(modality: Modality[Any]) -> set[str]:
    """Columns that no other depends on: identifiers and free texts."""
    return {c.name for c in getattr(modality, "columns", ()) if c.kind in ("identifier", "text")}


def _guess(data: Any) -> Modality[Any]:
    last = "" if str(data).lower().endswith((".jsonl", ".ndjson")) else "text"  # text claims nearly any file, but knows its own JSONL best
    for name in sorted(registry.names("modalities"), key=lambda n: (n == last, n != "text", n == "array", n)):
        kind = registry.get("modalities", name)
        if kind.claims(data):
            made: Modality[Any] = kind()
            return made
    raise UsageError(f"can't tell what kind of data {str(data)[:80]} is", remedy=f"say --modality, one of: {', '.join(registry.names('modalities'))}",
                     code="MODALITY", param="modality")


def from_catalogue(name: str) -> Dataset[Any]:
    """A data set of the catalogue, fetched if need be, with the splits that it comes with; DataError DATA_MISSING if it can't be had."""
    from ilk import catalogue
    from ilk.catalogue import load

    entry = catalogue.entry(name)
    origin = Origin(name, entry.licence, (entry.summary,))
    if entry.modality == "table":
        table = registry.get("modalities", "table")()
        frames = load.frames(name)
        return _single(frames, lambda one: replace(table.read(one, Limits()), origin=origin)) if len(frames) == 1 else table.splits(frames, origin)
    if entry.modality == "text":
        text = registry.get("modalities", "text")()
        texts = load.texts(name)
        if len(texts) > 1:
            return given_splits(text, texts, origin)
        return _single(texts, lambda one: text.document(one[0], origin) if len(one) == 1 else replace(text.read(one, Limits()), origin=origin))
    if entry.modality in ("array", "image"):
        return _arrays(load.arrays(name), registry.get("modalities", entry.modality)(), origin)
    raise DataError(f"{name} is {entry.modality}, which no modality here reads yet", code="MODALITY")


def _single(parts: Any, make: Any) -> Dataset[Any]:
    made: Dataset[Any] = make(next(iter(parts.values())))
    return made


def _arrays(parts: Any, modality: Modality[Any], origin: Origin) -> Dataset[Any]:
    import numpy as np

    from ilk.modalities.array import labelled

    whole = replace(modality.read(np.concatenate([p.items for p in parts.values()]), Limits()), origin=origin)
    ends = np.cumsum([len(p.items) for p in parts.values()])[:-1]
    made = whole if len(parts) == 1 else given_splits(whole.modality, dict(zip(parts, np.split(whole.items, ends), strict=True)), origin)
    if all(p.captions for p in parts.values()):
        made = replace(made, captions=Captions.of([text for p in parts.values() for text in p.captions]))
    if all(p.labels is not None for p in parts.values()):
        made = replace(made, labels=labelled(np.concatenate([p.labels for p in parts.values()]), len(made)))
    return made
