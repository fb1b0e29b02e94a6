"""Every modality of the registry: with its own small example, or with whatever of these it claims."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import ilk
from ilk import registry
from ilk.errors import DataError, UsageError
from ilk.modality import Limits
from ilk.rules import Test, parse
from ilk.testing import check_modality

from .conftest import atoms, dates, gaps, photos, pictures, reals, small, texts

MODALITIES = registry.names("modalities")


@dataclass(frozen=True)
class Example:
    """Something to read, a file name to write to, and rules to try."""

    raw: Any
    to: str
    rules: Sequence[str] = ()
    tests: Sequence[Sequence[Test]] = ()


def kept(prefix: str) -> Sequence[Test]:
    return (Test("prefix", "==", prefix),)


EXAMPLES: dict[str, list[Example]] = {
    "table": [Example(small(), "a.csv", ("`k k` < 2 and 城市 == '北京'", "城市 == None", "城市 != 'Lyon' and `k k` in [0, 3]", "`k k` != 1")),
              Example(gaps(), "a.parquet", ("n > 7", "n in [3, 17]", "n == None", "n != None and n <= 20 and f == 'y'")),
              Example(reals(), "a.arrow", ("x < 1 and y > 0", "x != 3")), Example(atoms(), "a.tsv", ("paid == 0", "paid > 0", "paid >= 0 and paid < 1.5")),
              Example(dates(), "a.csv", ("day < '2024-03-01'", "day == '2024-02-29'", "day in ['2024-02-12', '2024-03-09'] and f != 'n'")),
              Example(small(), "a.jsonl", ("flag == 'y'",)),
              Example(pl.DataFrame({"b": [True, False, None] * 10, "n, m": ['say "hi"', "x,y", " z "] * 10}), "a.csv", ("b == True", "b == None", "`n, m` == 'x,y'"))],
    "text": [Example([t for t in texts() if t], "a.txt", tests=(kept("a"), kept("ab"), kept(""))), Example(texts(), "a.jsonl", tests=(kept("月"),)),
             Example(["two\nlines", "", "tab\t\u2028 and 👩‍👧", "\r\n"] * 3, "a.jsonl", tests=(kept("two"),))],
    "array": [Example(pictures(), "a.npy", ("`0,0` > 0", "`0,1` == 1 and `1,1` != 2", "`1,0` in [0, 2]")), Example(pictures().astype(np.int64) - 1, "a.npz", ("`0,0` < 0",)),
              Example(reals().to_numpy(), "a.npy", ("`0` < 1", "`0` > -1 and `1` <= 0.5")), Example(np.linspace(-2, 5, 50, dtype=np.float32), "a.npz")],
    "image": [Example(photos(1), "a.zip", ("`0,0` > 100", "`1,1` != 0 and `7,8` <= 254")), Example(photos(3), "a.npz", ("`3,2,1` in [0, 1, 255]",)),
              Example(photos(4), "b.zip"), Example(photos(1) // 128 * 255, "b.npz", ("`0,0` == 255",))]}
ALL = [(name, e) for name in MODALITIES for e in EXAMPLES.get(name, ())]


@pytest.mark.parametrize(("name", "example"), [pytest.param(n, e, id=f"{n}-{i}-{e.to}") for i, (n, e) in enumerate(ALL)])
def test_contract(name: str, example: Example, tmp_path: Path) -> None:
    rules = [*(parse(r) for r in example.rules), *example.tests]
    check_modality(registry.get("modalities", name)(), example.raw, tmp_path / example.to, rules)


@pytest.mark.parametrize("name", MODALITIES)
def test_what_is_true_of_any(name: str, tmp_path: Path) -> None:
    """A modality that has no example here is tried on whatever it claims."""
    kind: Any = registry.get("modalities", name)
    assert is_dataclass(registry.get("modalities", name)) and (kind.__doc__ or "").strip() and registry.summary("modalities", name)
    for where in (tmp_path / "missing.csv", tmp_path / "missing.txt", tmp_path / "missing.npy"):
        with pytest.raises(DataError):
            kind().read(where, Limits())
    if name not in EXAMPLES:
        for example in (e for every in EXAMPLES.values() for e in every if kind.claims(e.raw)):
            check_modality(kind(), example.raw, tmp_path / example.to)


@pytest.mark.parametrize("name", [n for n in MODALITIES if n in EXAMPLES])
def test_read_guesses_the_kind(name: str) -> None:
    for example in EXAMPLES[name]:
        assert registry.name_of("modalities", ilk.read(example.raw).modality) == name


@pytest.mark.parametrize("raw", [object(), 3, {1, 2}, None, b"bytes"])
def test_what_nobody_claims_is_refused(raw: Any) -> None:
    with pytest.raises(UsageError, match="can't tell what kind of data"):
        ilk.read(raw)
