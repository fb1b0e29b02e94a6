"""Case 8: the same seed gives the same bytes in any process; more threads stay within tolerance; nobody's generator is touched."""
from __future__ import annotations

import csv
import os
import random  # noqa: TID251  its state is what is watched
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

BOTH = """
import sys, ilk.cli
%s
for family, more in (("gmm", ["--components", "3", "--steps", "20"]), ("made", ["--width", "64", "--steps", "60"])):
    at = f"{sys.argv[1]}.{family}"
    assert ilk.cli.main(["fit", "a.csv", "--family", family, *more, "--seed", "5", "-o", at + ".ilk"]) == 0
    assert ilk.cli.main(["sample", at + ".ilk", "-n", "3000", "--seed", "9", "--out", at + ".csv"]) == 0
"""


def _ran(at: Path, name: str, hash_seed: str, threads: int, first: str = "") -> None:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": str(threads)}
    subprocess.run([sys.executable, "-c", BOTH % first, name], cwd=at, env=env, check=True, capture_output=True, timeout=120)


def test_processes(ilk: Any, model: Path) -> None:
    _ran(ilk.at, "one", "1", 1)
    _ran(ilk.at, "two", "77", 1, "import decimal, torch, random; random.random(); torch.rand(3)")
    _ran(ilk.at, "threads", "1", 2)
    for family in ("gmm", "made"):
        assert Path(f"one.{family}.csv").read_bytes() == Path(f"two.{family}.csv").read_bytes()
        assert Path(f"one.{family}.ilk/model.safetensors").read_bytes() == Path(f"two.{family}.ilk/model.safetensors").read_bytes()
        one, other = (list(csv.DictReader(Path(f"{n}.{family}.csv").read_text().splitlines())) for n in ("one", "threads"))
        same = [a for a, b in zip(one, other, strict=True) if a["a"] == b["a"] and a["b"] == b["b"]]
        near = [abs(float(a["c"]) - float(b["c"])) <= 1e-4 for a, b in zip(one, other, strict=True) if a in same]
        assert len(same) >= 0.999 * len(one) and sum(near) >= 0.999 * len(near)


def test_seeds_differ(ilk: Any, model: Path) -> None:
    said = {seed: ilk.ok("sample", model, "-n", "5", "--seed", seed).out for seed in (0, 1, -1, 2**70)}
    assert len(set(said.values())) == 4 and ilk.ok("sample", model, "-n", "5", "--seed", 2**70).out == said[2**70]


def test_a_prefix_is_the_same(ilk: Any, fitted: Path) -> None:
    for family in ("gmm", "made"):
        few, many = (ilk.ok("sample", fitted / f"{family}.ilk", "-n", n).out for n in (7, 5000))
        assert many.startswith(few)


def test_global_generators_are_untouched(fitted: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import numpy as np
    import rich.style  # noqa: F401  draws a number when it is imported
    import torch

    import ilk

    def states() -> tuple[Any, ...]:
        name, keys, *rest = np.random.get_state()
        return random.getstate(), str(name), bytes(keys), rest, torch.get_rng_state().tolist(), torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()

    before = states()
    data = ilk.read(str(fitted / "a.csv"))
    for family in (ilk.GMM(components=2), ilk.MADE(width=8, embed=2)):
        model = ilk.fit(data, family, budget=ilk.Steps(5))
        model.sample(5)
        model.given("a > 2").sample(5)
        model.score(data.items)
        model.evaluate(ilk.read(data.items), n=20)
        ilk.load(model.save(tmp_path / "m.ilk"))
    assert states() == before
