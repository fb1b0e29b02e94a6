"""Throws of two dice: a text file with one throw a line, such as "3 5"."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ilk.batch import Batch
from ilk.dataset import Dataset, Origin
from ilk.distribution import Keeps
from ilk.errors import DataError, UsageError
from ilk.given import Weigh
from ilk.modality import Codec, Limits, Lowered, Modality, Shown
from ilk.rng import Rng
from ilk.rules import Test
from ilk.space import Discrete, Space
from ilk.store import State

Throws = list[tuple[int, int]]
NAMES = ("first", "second")


class Pips(Codec[Throws]):
    """Two whole numbers below 6."""

    keeps: Keeps = "bijection"
    space: Space = Discrete(6, (2,))

    @classmethod
    def learned(cls, modality: Modality[Throws], train: Throws) -> Pips:
        """Nothing to learn."""
        return cls()

    @classmethod
    def restored(cls, modality: Modality[Throws], state: State) -> Pips:
        """The same."""
        return cls()

    def state(self) -> State:
        """Nothing."""
        return State()

    def encode(self, items: Throws, rng: Rng) -> Batch:
        """From 0."""
        return Batch(torch.tensor(items, dtype=torch.long).reshape(len(items), 2) - 1)

    def decode(self, batch: Batch, rng: Rng) -> Throws:
        """From 1."""
        return [(a + 1, b + 1) for a, b in batch.tensor.tolist()]

    def log_volume(self, items: Throws, rng: Rng) -> Tensor:
        """Nothing to add."""
        return torch.zeros(len(items), dtype=torch.double)

    def given(self, tests: Sequence[Test]) -> Lowered[Throws]:
        """Which pips are allowed on each die: exact."""
        tables = {}
        for name in {t.part for t in tests}:
            allowed = [all(t.holds(v) for t in tests if t.part == name) for v in range(1, 7)]
            tables[NAMES.index(name)] = torch.tensor([0.0 if a else -torch.inf for a in allowed], dtype=torch.double)
        return Lowered(self, {"": Weigh(tables)} if tables else {})


@dataclass(frozen=True, kw_only=True)
class Dice(Modality[Throws]):
    """Throws of two dice."""

    @classmethod
    def claims(cls, raw: Any) -> bool:
        """Files that end in .dice."""
        return isinstance(raw, str | Path) and Path(raw).suffix == ".dice"

    def read(self, at: Any, limits: Limits) -> Dataset[Throws]:
        """One throw a line."""
        try:
            lines = Path(at).read_text(encoding="utf-8").splitlines()
        except OSError as why:
            raise DataError(f"{at} can't be read: {why.strerror}", code="NOT_FOUND") from None
        return Dataset(self, [_throw(f"{at}, line {i}", line) for i, line in enumerate(lines, 1)], origin=Origin(str(at)))

    def write(self, items: Throws, to: Path) -> None:
        """One throw a line."""
        to.write_text("".join(f"{a} {b}\n" for a, b in items), encoding="utf-8")

    def codecs(self) -> Sequence[type[Codec[Throws]]]:
        """One way."""
        return (Pips,)

    def take(self, items: Throws, index: Tensor) -> Throws:
        """Throws by index."""
        return [items[i] for i in index.tolist()]

    def join(self, pieces: Sequence[Throws]) -> Throws:
        """One list."""
        return [item for piece in pieces for item in piece]

    def checked(self, tests: Sequence[Test]) -> tuple[Test, ...]:
        """Only the two dice have a name."""
        for test in tests:
            if test.part not in NAMES:
                raise UsageError(f"no die {test.part!r}", remedy=f"there are: {', '.join(NAMES)}", code="COLUMN")
        return tuple(tests)

    def obeys(self, items: Throws, tests: Sequence[Test]) -> Tensor:
        """Which throws obey."""
        return torch.tensor([all(t.holds(item[NAMES.index(t.part)]) for t in tests) for item in items], dtype=torch.bool)

    def show(self, items: Throws) -> Shown:
        """Faces of dice."""
        return Shown("text/plain; charset=utf-8", "\n".join(f"{chr(0x267F + a)}{chr(0x267F + b)}" for a, b in items).encode())

    def keys(self, items: Throws) -> Sequence[Any]:
        """The throws themselves."""
        return items


def _throw(place: str, line: str) -> tuple[int, int]:
    pips = line.split()
    if len(pips) != 2 or not all(p in {"1", "2", "3", "4", "5", "6"} for p in pips):
        raise DataError(f"{place}: {line[:20]!r} is not a throw of two dice", code="FORMAT", remedy='write two numbers from 1 to 6, such as "3 5"')
    return int(pips[0]), int(pips[1])
