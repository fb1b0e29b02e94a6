"""A dataset in a folder, to be read by another process: items as their kind of data writes them, splits, labels."""
from __future__ import annotations

import json
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

import torch

from ilk import recipe, registry
from ilk.dataset import Dataset, Labels, Origin
from ilk.errors import DataError
from ilk.files import atomic
from ilk.modality import Limits, Modality
from ilk.store import State, load_state, parse_json, save_state

SUFFIXES = {"table": ".parquet", "text": ".jsonl"}   # arrays, pictures and others: .npz


def keep(data: Dataset[Any], to: Path) -> str:
    """Writes items, splits and labels; what other items say beside them is left out. Returns a hash of the items."""
    to.mkdir(parents=True, exist_ok=True)
    digest = hashed(data.modality, data.items)
    name = "items" + SUFFIXES.get(registry.name_of("modalities", data.modality), ".npz")
    data.modality.write(data.items, to / name)
    labels = {} if data.labels is None else {"labels": data.labels.codes}
    facts = {"items": name, "modality": recipe.facts("modalities", data.modality), "sha": digest, "splits": list(data.splits),
             "names": None if data.labels is None else list(data.labels.names), "origin": [data.origin.name, data.origin.licence, list(data.origin.notes)]}
    save_state(to / "splits", State({**{f"split {k}": v for k, v in data.splits.items()}, **labels}, {}))
    with atomic(to / "data.json") as file:
        file.write(json.dumps(facts, indent=1, ensure_ascii=False).encode("utf-8", "backslashreplace"))
    return digest


def kept(at: Path) -> Dataset[Any]:
    """The dataset in a folder; DataError if the items are not those that were kept."""
    facts = parse_json((at / "data.json").read_bytes(), "data.json")
    modality: Modality[Any] = recipe.from_facts("modalities", facts["modality"])
    reader = replace(modality, per="file") if getattr(modality, "per", "") == "whole" else modality   # type: ignore[call-arg]
    items = reader.read(str(at / facts["items"]), Limits()).items
    if hashed(modality, items) != facts["sha"]:
        raise DataError(f"the items in {at} have changed", code="DATA_CHANGED", remedy="remove the folder and start anew")
    found = load_state(at / "splits").tensors
    labels = None if facts["names"] is None else Labels(found["labels"], tuple(facts["names"]))
    name, licence, notes = facts["origin"]
    return Dataset(modality, items, {k: found[f"split {k}"] for k in facts["splits"]}, labels, origin=Origin(name, licence, tuple(notes)))


def hashed(modality: Modality[Any], items: Any) -> str:
    """A hash of all items in their order."""
    digest, step = blake2b(digest_size=16), 10_000
    for start in range(0, len(items), step):
        digest.update(repr(list(modality.keys(modality.take(items, torch.arange(start, min(start + step, len(items))))))).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
