"""What every index of vectors must do."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import IlkError
from ..rng import Rng
from ..vectors import Keys, Nearest, VectorIndex
from ._same import require

SIZE, MANY, K = 16, 200, 10


def check_index(kind: VectorIndex, folder: Path) -> None:
    """All that holds for every index, in empty folders below `folder`: it finds what comparing everything finds, also after changes, and again when it is reopened."""
    name = type(kind).__name__
    for i, check in enumerate((_empty, _found, _changed, _among, _kept, _alike, _refused, _same)):
        at = folder / f"{name}{i}"
        at.mkdir(parents=True)
        check(kind, at, name)


def vectors(n: int, seed: int = 0, size: int = SIZE) -> Any:
    """Vectors (n, size) of length 1 in all directions."""
    drawn = Rng(seed).normal(n, size).numpy()
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def _keys(n: int) -> Keys:
    """Keys that need all 63 bits, and the smallest ones."""
    return np.array([2**63 - 1 - i if i % 2 else i for i in range(n)], np.int64)


def _expected(index: Nearest, keys: Keys, rows: Any, name: str, among: Keys | None = None) -> None:
    """Searching gives what comparing every vector gives."""
    asked = vectors(20, 1)
    there = np.arange(len(keys)) if among is None else np.flatnonzero(np.isin(keys, among))
    order = np.argsort(-(asked @ rows[there].T), axis=1, kind="stable")[:, :K]
    got, products = index.search(asked, K, among)
    require(got.shape == products.shape == (20, K) and got.dtype == np.int64, f"{name}.search gave {got.dtype} keys {got.shape} and products {products.shape}")
    right, few = keys[there][order], min(K, len(there))
    require(bool((got[:, :few] == right).all()), f"{name} found other vectors than comparing all of them does: {got[0].tolist()} for {right[0].tolist()}")
    wrong = np.abs(products[:, :few] - np.take_along_axis(asked @ rows[there].T, order, 1)).max(initial=0)
    require(wrong < 1e-5, f"{name}: its products are off by {wrong}")
    require(bool((got[:, few:] == -1).all() and np.isneginf(products[:, few:]).all()), f"{name} fills up with {got[0, few:]} and {products[0, few:]}, not -1 and -inf")


def _empty(kind: VectorIndex, at: Path, name: str) -> None:
    index = kind.open(at, SIZE)
    require(len(index) == 0, f"a new {name} has {len(index)} vectors")
    _expected(index, _keys(0), vectors(0), name)
    index.add(_keys(0), vectors(0))
    index.remove([])
    require(index.search(vectors(0), 3)[0].shape == (0, 3), f"{name}: no questions, but answers")
    index.close()


def _found(kind: VectorIndex, at: Path, name: str) -> None:
    index, keys, rows = kind.open(at, SIZE), _keys(MANY), vectors(MANY)
    for some in np.array_split(np.arange(MANY), 3):
        index.add(keys[some], rows[some])
    require(len(index) == MANY, f"{name} has {len(index)} vectors after {MANY} were added")
    _expected(index, keys, rows, name)
    index.close()


def _changed(kind: VectorIndex, at: Path, name: str) -> None:
    index, keys, rows = kind.open(at, SIZE), _keys(MANY), vectors(MANY)
    index.add(keys, rows)
    rows[:50] = vectors(50, 2)
    index.add(keys[:50], rows[:50])
    require(len(index) == MANY, f"{name}: replacing 50 of {MANY} vectors left {len(index)}")
    _expected(index, keys, rows, name)
    index.remove([*keys[40:120].tolist(), 12_345_678])
    kept = np.r_[0:40, 120:MANY]
    _expected(index, keys[kept], rows[kept], name)
    index.add(keys[60:70], rows[60:70])
    kept = np.r_[0:40, 60:70, 120:MANY]
    require(len(index) == len(kept), f"{name} has {len(index)} vectors, not {len(kept)}")
    _expected(index, keys[kept], rows[kept], name)
    index.remove(keys.tolist())
    require(len(index) == 0, f"{name}: after all were removed {len(index)} are there")
    _expected(index, keys[:0], rows[:0], name)
    index.close()


def _among(kind: VectorIndex, at: Path, name: str) -> None:
    index, keys, rows = kind.open(at, SIZE), _keys(MANY), vectors(MANY)
    index.add(keys, rows)
    for some in (keys[::3], keys[:4], keys[:0], np.r_[keys[5:9], 12_345_678], keys):
        _expected(index, keys, rows, name, some)
    index.close()


def _kept(kind: VectorIndex, at: Path, name: str) -> None:
    index, keys, rows = kind.open(at, SIZE), _keys(MANY), vectors(MANY)
    index.add(keys, rows)
    index.remove(keys[:7].tolist())
    index.save()
    index.close()
    again = kind.open(at, SIZE)
    require(len(again) == MANY - 7, f"{name} reopened has {len(again)} of {MANY - 7} vectors")
    _expected(again, keys[7:], rows[7:], name)
    again.add(keys[:3], rows[:3])
    again.save()
    again.close()
    last = kind.open(at, SIZE)
    _expected(last, np.r_[keys[:3], keys[7:]], np.concatenate([rows[:3], rows[7:]]), name)
    last.close()


def _alike(kind: VectorIndex, at: Path, name: str) -> None:
    index, row = kind.open(at, SIZE), vectors(1)
    index.add(_keys(6), np.repeat(row, 6, 0))
    keys, products = index.search(row, 4)
    require(len({*keys[0].tolist()}) == 4 and {*keys[0].tolist()} <= {*_keys(6).tolist()}, f"{name} among equal vectors found {keys[0].tolist()}")
    require(float(np.abs(products - 1).max()) < 1e-5, f"{name}: products of a vector with itself are {products[0].tolist()}")
    index.close()


def _refused(kind: VectorIndex, at: Path, name: str) -> None:
    index, keys, rows = kind.open(at, SIZE), _keys(5), vectors(5)
    index.add(keys, rows)
    broken = rows.copy()
    broken[3, 2] = np.nan
    bad: list[tuple[str, Callable[[], object]]] = [
        ("vectors of another size", lambda: index.add(keys, rows[:, :8])), ("NaN", lambda: index.add(keys, broken)), ("infinity", lambda: index.add(keys, broken * np.inf)),
        ("fewer vectors than keys", lambda: index.add(keys, rows[:4])), ("a key twice", lambda: index.add(keys[[0, 0]], rows[:2])),
        ("a negative key", lambda: index.add(np.array([-1]), rows[:1])), ("a question of another size", lambda: index.search(rows[:, :8], 1)),
        ("a question with NaN", lambda: index.search(broken, 1)), ("the nearest 0", lambda: index.search(rows, 0))]
    for said, do in bad:
        require(_refuses(do), f"{name} took {said}")
    require(len(index) == 5, f"{name} has {len(index)} of 5 vectors after what it refused")
    _expected(index, keys, rows, name)
    index.save()
    index.close()
    require(_refuses(lambda: kind.open(at, SIZE + 1)), f"{name} made for {SIZE} numbers opened for {SIZE + 1}")


def _refuses(do: Callable[[], object]) -> bool:
    try:
        do()
    except IlkError:
        return True
    return False


def _same(kind: VectorIndex, at: Path, name: str) -> None:
    found = []
    for place in ("one", "other"):
        index = kind.open(at / place, SIZE)
        index.add(_keys(MANY), vectors(MANY))
        found.append(index.search(vectors(20, 3), K))
        index.close()
    require(all(np.array_equal(a, b) for a, b in zip(*found, strict=True)), f"{name} made twice of the same gave different answers")
