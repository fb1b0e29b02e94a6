"""What ties items to each other: keys that no two share, and dependencies, met in the order in which the items come."""
from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl

from ilk.constraints import Constraint, Depends, Unique
from ilk.errors import UsageError, nearest
from ilk.modality import Renumbers
from ilk.verbs._projection import Flags

Cells = tuple[Hashable, ...]


def cells(modality: Any, items: Any, names: Sequence[str]) -> list[Cells]:
    """What stands under some names, item by item; UsageError for a name that there is not."""
    if isinstance(items, pl.DataFrame):
        if odd := [n for n in names if n not in items.columns]:
            raise UsageError(f"no column {odd[0]!r}", code="COLUMN", param="obey", remedy=nearest(odd[0], items.columns))
        return items.select(names).rows()
    if not isinstance(modality, Renumbers):
        raise UsageError(f"items of {type(modality).__name__} have no parts by name", code="CAPABILITY", param="obey", remedy="`unique` without names compares whole items")
    return [tuple(row) for row in modality.numbers(items, names).tolist()]


def keys(modality: Any, unique: Unique, items: Any) -> list[Hashable]:
    """What has to differ, item by item; None where a part is missing, which makes it no key."""
    if not unique.names:
        return list(modality.keys(items))
    return [None if None in key else key for key in cells(modality, items, unique.names)]


def repeated(modality: Any, unique: Unique, items: Any) -> Flags:
    """Which items have the key of an earlier one, (B,)."""
    first: dict[Hashable, int] = {}
    return np.array([key is not None and first.setdefault(key, i) != i for i, key in enumerate(keys(modality, unique, items))], dtype=np.bool_)


@dataclass
class Table:
    """A dependency as a look-up: what was given or learned, else what the first item says."""

    depends: Depends
    known: dict[Cells, Cells] = field(default_factory=dict)

    def learn(self, on: Sequence[Cells], what: Sequence[Cells]) -> None:
        """Pairs of the data; UsageError where these have two answers."""
        for a, b in zip(on, what, strict=True):
            if None not in a and None not in b and self.known.setdefault(a, b) != b:
                raise UsageError(f"{self.depends}: the data have both {_few(b)} and {_few(self.known[a])} for {_few(a)}", code="CONTRADICTION", param="obey",
                                 remedy="mend the data, or say which: a -> b {'x': 'y'}")

    def apply(self, on: Sequence[Cells], what: Sequence[Cells]) -> list[Cells]:
        """What has to stand there; a missing cell stays missing."""
        return [b if None in a or None in b else self.known.setdefault(a, b) for a, b in zip(on, what, strict=True)]


def tables(modality: Any, constraints: Sequence[Constraint], data: Any) -> list[Table]:
    """The look-ups of dependencies, learned from training items if there are any."""
    found = []
    for c in constraints:
        if isinstance(c, Depends):
            table = Table(c, dict(c.known))
            if data is not None and not c.known:
                table.learn(cells(modality, data, c.on), cells(modality, data, c.what))
            found.append(table)
    return found


def agreed(modality: Any, table: Table, items: Any) -> Flags:
    """Which items say what the look-up says, (B,)."""
    on, what = cells(modality, items, table.depends.on), cells(modality, items, table.depends.what)
    known = dict(table.known)
    return np.array([None in a or None in b or known.setdefault(a, b) == b for a, b in zip(on, what, strict=True)], dtype=bool)


def settled(modality: Any, table: Table, items: Any) -> tuple[Any, Flags]:
    """Items with what the look-up says, and which of them are other than they were."""
    names = table.depends.what
    what = cells(modality, items, names)
    new = table.apply(cells(modality, items, table.depends.on), what)
    changed = np.array([a != b for a, b in zip(new, what, strict=True)], dtype=bool)
    if not changed.any():
        return items, changed
    if not isinstance(items, pl.DataFrame):
        return modality.renumbered(items, names, np.array(new, dtype=np.float64)), changed
    return items.with_columns([pl.Series(name, [row[i] for row in new], dtype=items[name].dtype) for i, name in enumerate(names)]), changed


def _few(values: Cells) -> str:
    return ", ".join(repr(v)[:40] for v in values)
