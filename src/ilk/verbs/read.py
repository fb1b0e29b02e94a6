"""read: a path, a name of the catalogue, or something in memory becomes a Dataset."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ilk import registry
from ilk.dataset import Dataset
from ilk.errors import DataError, UsageError, nearest
from ilk.modality import Limits, Modality


def read(data: Any, modality: Modality[Any] | str | None = None, *, limits: Limits | None = None) -> Dataset[Any]:
    """The items, their kind guessed unless it is named. A path wins over a name of the catalogue.

    >>> read({"a": [1, 2, 3], "b": ["x", "y", "x"]}).modality.columns[1].describe()
    'category of 2: x, y'
    """
    if isinstance(data, Dataset):
        return data
    if isinstance(data, str | Path) and not Path(data).exists():
        from ilk import catalogue

        if str(data) in catalogue.names():
            return from_catalogue(str(data))
        if modality is None:
            raise DataError(f"there is no file or data set {data}", code="NOT_FOUND", remedy=f"{nearest(str(data), catalogue.names())} (ilk list data)")
    if isinstance(modality, str):
        modality = registry.get("modalities", modality)()
    return (modality or _guess(data)).read(data, limits or Limits())


def _guess(data: Any) -> Modality[Any]:
    for name in sorted(registry.names("modalities"), key=lambda n: (n == "text", n)):
        kind = registry.get("modalities", name)
        if kind.claims(data):
            made: Modality[Any] = kind()
            return made
    raise UsageError(f"can't tell what kind of data {str(data)[:80]} is", remedy=f"say --modality, one of: {', '.join(registry.names('modalities'))}",
                     code="MODALITY", param="modality")


def from_catalogue(name: str) -> Dataset[Any]:
    """A data set of the catalogue, fetched if need be."""
    from ilk.catalogue.load import dataset

    return dataset(name)
