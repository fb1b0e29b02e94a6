"""100,000 vectors of 384 numbers: building and asking ilk's indexes `usearch` and `exact`, beside the bare library usearch with the same options, in turns."""
from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from usearch.index import Index

import ilk
from ilk.vectors import Nearest

MANY, SIZE, ASKED, K, RECALL, TIMES = 100_000, 384, 1000, 10, 0.95, 5
INSIDE, CENTRES = 32, 1000   # dimensions in which they really differ, and heaps that they lie in: as embeddings of texts do
WIDTHS = (16, 32, 64, 128, 256, 512, 1024)


def vectors(n: int) -> Any:
    """n + ASKED vectors of length 1."""
    rng = ilk.Rng(0)
    spread = rng.child("spread").normal(INSIDE, SIZE).numpy()
    heap = rng.child("heap").normal(CENTRES, INSIDE).numpy()[rng.child("which").integers(n + ASKED, CENTRES).numpy()]
    drawn = (heap + 0.6 * rng.child("in").normal(n + ASKED, INSIDE).numpy()) @ spread + 0.3 * rng.child("noise").normal(n + ASKED, SIZE).numpy()
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def seconds(do: Callable[[], object]) -> float:
    """How long it takes."""
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


def bench(many: int = MANY) -> dict[str, Any]:
    """Queries a second of ilk over those of the bare library at the least width that finds 95 % of the ten nearest; both with one thread, in batches of 1000."""
    rows = vectors(many)
    rows, asked, keys = rows[:many], rows[many:], np.arange(many, dtype=np.int64)
    with tempfile.TemporaryDirectory() as folder:
        exact = ilk.Exact().open(Path(folder) / "exact", SIZE)
        built = {"exact": seconds(lambda: exact.add(keys, rows))}
        right = exact.search(asked, K)[0]
        bare = Index(ndim=SIZE, metric="ip", dtype="f32", connectivity=16, expansion_add=128, expansion_search=64)
        built["bare"] = seconds(lambda: bare.add(keys.astype(np.uint64), rows, threads=1))
        ours = ilk.Usearch().open(Path(folder) / "usearch", SIZE)
        built["usearch"] = seconds(lambda: (ours.add(keys, rows), ours.save()))
        width, recall = _width(bare, asked, right)
        wide = _reopened(ours, Path(folder) / "usearch", width)
        turns = {"bare": lambda: bare.search(asked, K, threads=1), "usearch": lambda: wide.search(asked, K), "exact": lambda: exact.search(asked, K)}
        speed = {name: ASKED / median(times) for name, times in _in_turns(turns).items()}
        single = {"usearch": lambda: [wide.search(q[None], K) for q in asked[:200]], "exact": lambda: [exact.search(q[None], K) for q in asked[:20]]}
        alone = {"usearch": 200 / seconds(single["usearch"]), "exact": 20 / seconds(single["exact"])}
        found = _recall(wide.search(asked, K)[0], right)
        for index in (exact, wide):
            index.close()
    return {"ours": speed["usearch"], "peer": speed["bare"], "peer_name": "usearch", "unit": "questions per second", "ratio": speed["usearch"] / speed["bare"], "n": many, "size": SIZE, "k": K, "width": width, "recall": found, "recall_bare": recall,
            "build_seconds": built, "queries_per_second": speed, "one_at_a_time": alone,
            "protocol": "vectors in 1000 heaps of 32 real dimensions; one thread; batches of 1000 questions in turns, median of 5; width: the least power of two with recall@10 >= .95"}


def _width(bare: Index, asked: Any, right: Any) -> tuple[int, float]:
    """The least width of the search that is good enough, and its recall."""
    for width in WIDTHS:
        bare.expansion_search = width
        recall = _recall(np.asarray(bare.search(asked, K, threads=1).keys).astype(np.int64), right)
        if recall >= RECALL:
            break
    return width, recall


def _reopened(ours: Nearest, at: Path, width: int) -> Nearest:
    ours.close()
    return ilk.Usearch(search=width).open(at, SIZE)


def _recall(found: Any, right: Any) -> float:
    return float(np.mean([len(np.intersect1d(a, b)) / K for a, b in zip(found, right, strict=True)]))


def _in_turns(turns: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {name: [] for name in turns}
    for _ in range(TIMES):
        for name, do in turns.items():
            times[name].append(seconds(do))
    return times
