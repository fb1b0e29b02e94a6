"""Packed items come back bit by bit, in as many bytes as the nats claim; whatever was changed is refused."""
from __future__ import annotations

import csv
import os
import subprocess
import sys
from dataclasses import replace
from functools import cache
from io import StringIO
from math import inf, log
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import ilk
from ilk.coding import DIGIT, even
from ilk.errors import DataError, ModelError, UsageError
from ilk.modalities._cells import learn
from ilk.modalities._cells_coded import _double, _ordinal, coded
from ilk.model import Model
from ilk.nets.mlp import MLP
from ilk.run import Run, Steps
from ilk.testing._coding import Told
from ilk.verbs import _pack_file, pack
from ilk.verbs._pack_coder import Push, Reader, Stack, Writer, shares
from ilk.verbs._pack_file import difference, listed, patched, unlisted
from ilk.verbs._pack_items import plain, same

torch.set_num_threads(1)
QUICK = settings(max_examples=15, phases=[Phase.explicit, Phase.generate], deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
FEW = Run(budget=Steps(60), batch=100, rate=1e-2)


def dice(key: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=key))


def table(n: int = 800, key: int = 1) -> pl.DataFrame:
    """A category that leans on a number, one that may be missing, a wide grid, days."""
    g = dice(key)
    k = g.integers(0, 4, n)
    day = [str(np.datetime64("2024-02-10") + int(d)) for d in g.integers(0, 40, n)]
    frame = pl.DataFrame({"city": np.where(g.random(n) < 0.2 + 0.2 * k, "北京", "Lyon"), "k": k, "w": np.round(g.normal(300 + 200 * k, 80)).astype(int), "day": day})
    return frame.with_columns(pl.when(pl.Series(g.random(n) > 0.2)).then("k").alias("k"))


def texts(n: int = 600, key: int = 2) -> list[str]:
    g = dice(key)
    words = ["the", "boat", "月", "row", "stream", "明月"]
    return [" ".join(words[i] for i in g.integers(0, 6, g.integers(0, 7)) // g.integers(1, 3)) for _ in range(n)]


def pictures(n: int = 600, key: int = 3) -> Any:
    g = dice(key)
    return g.binomial(5, np.where(g.random((n, 1, 1)) < 0.5, 0.2, 0.7) * np.ones((4, 4))).astype(np.uint8)


def numbers(n: int = 800, key: int = 10) -> pl.DataFrame:
    g = dice(key)
    a = np.round(g.gamma(2, 40, n)).astype(int)
    return pl.DataFrame({"a": a, "b": np.round(a / 2 + g.normal(0, 8, n)).astype(int)})


FAMILIES: dict[str, tuple[Any, Any]] = {
    "copula": (numbers, ilk.Copula()), "gmm numbers": (numbers, ilk.GMM(components=4)),
    "made": (table, ilk.MADE(width=32, orders=1)), "made orders": (table, ilk.MADE(width=32, orders=3)), "made array": (pictures, ilk.MADE(width=32, orders=2)),
    "chow_liu": (table, ilk.ChowLiu()), "circuit": (table, ilk.Circuit(hidden=4, rounds=10)), "mixture": (table, ilk.Mixture(components=3, rounds=10)),
    "mixture of circuits": (table, ilk.Mixture(components=2, each=ilk.Circuit(hidden=2, rounds=3), rounds=2)),
    "gmm": (table, ilk.GMM(components=3)), "gmm tied": (table, ilk.GMM(components=3, covariance="tied")), "gmm array": (pictures, ilk.GMM(components=3)),
    "ngram": (texts, ilk.NGram(order=4)), "hmm": (texts, ilk.HMM(states=3, rounds=5)), "rnn": (texts, ilk.RNN(layers=1, width=16, crop=8)),
    "transformer": (texts, ilk.Transformer(layers=1, heads=2, width=16, context=6, ngrams=20)), "wavenet": (pictures, ilk.WaveNet(layers=3, width=8, skip=8)),
    "pixelcnn": (pictures, ilk.PixelCNN(layers=2, width=8)),
    "pixelcnn logistic": (pictures, ilk.PixelCNN(layers=2, width=8, output="logistic", parts=2))}
BACK: dict[str, tuple[Any, Any]] = {
    "vae": (pictures, ilk.VAE(codes=2, net=MLP(width=32), likelihood="logistic", draws=1)),
    "vae categorical": (pictures, ilk.VAE(codes=2, net=MLP(width=32), likelihood="categorical", draws=1)),
    "vae logistics": (pictures, ilk.VAE(codes=2, net=MLP(width=32), likelihood="logistics", draws=1)),
    "vae bits": (lambda: (pictures() > 2).astype(np.uint8), ilk.VAE(codes=2, net=MLP(width=32), draws=1)),
    "hierarchical_vae": (pictures, ilk.HierarchicalVAE(codes=2, width=12, draws=1))}


@cache
def model_of(name: str) -> Model:
    data, family = {**FAMILIES, **BACK}[name]
    return ilk.fit(data(), family, run=FEW)


@pytest.mark.parametrize("name", FAMILIES)
def test_size_is_what_the_nats_claim(name: str) -> None:
    """Within 1 % and the words that a coder ends with; numbers filled up by noise have a bound only, which is no more than is needed."""
    model, items = model_of(name), FAMILIES[name][0]()[:400]
    packed = ilk.pack(model, items)
    bound = packed.sort != "exact"
    assert packed.strange == 0 and abs(packed.payload - packed.claimed) <= (0.02 if bound else 0.01) * packed.claimed + 24, packed
    assert bool(same(items, ilk.unpack(model, packed.data).items).all())


@pytest.mark.parametrize("name", [n if n != "hierarchical_vae" else pytest.param(n, marks=pytest.mark.slow) for n in BACK])
def test_bits_back_are_the_bound(name: str) -> None:
    """Within 3 % of the bound by one draw of codes; what the first item borrows is all that is lost."""
    model, items = model_of(name), np.concatenate([BACK[name][0]() for _ in range(2)])
    packed = ilk.pack(model, items)
    assert packed.sort == "bound" and packed.payload <= 1.03 * packed.claimed + 48, packed
    assert np.array_equal(ilk.unpack(model, packed.data).items, items)


def test_bits_back_need_the_bits() -> None:
    """Were codes said without being lent, it would cost what the prior takes, ten bits a code."""
    model, items = model_of("vae"), pictures()
    lost = len(items) * model.body.codes * 10 / 8   # type: ignore[attr-defined]
    packed = ilk.pack(model, items)
    assert lost > 0.3 * packed.claimed and packed.payload < packed.claimed + 0.1 * lost


def test_order_and_repetition() -> None:
    """A table is a sequence of rows: its order counts, and equal rows stay apart."""
    model, items = model_of("mixture"), table()[[3, 3, 3, 700, 1, 3]]
    assert ilk.unpack(model, ilk.pack(model, items).data).items.equals(items)


CELLS = st.fixed_dictionaries({"city": st.sampled_from(["北京", "Lyon", "Paris", ""]), "k": st.one_of(st.none(), st.integers(-3, 5)),
                               "w": st.integers(-10**9, 10**9) | st.integers(200, 400), "day": st.sampled_from(["2024-02-29", "1999-12-31", "2024-03-02"])})


@given(st.lists(CELLS, min_size=1, max_size=12))
@QUICK
def test_any_table(rows: list[dict[str, Any]]) -> None:
    """Values never seen stand aside, numbers out of range are said by tails."""
    for name in ("mixture", "made orders", "gmm"):
        model = model_of(name)
        items = pl.DataFrame(rows, schema={"city": pl.String, "k": pl.Int64, "w": pl.Int64, "day": pl.String})
        packed = ilk.pack(model, items)
        assert ilk.unpack(model, packed.data).items.equals(items)
        assert packed.strange == sum(row["city"] not in ("北京", "Lyon") for row in rows)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]) | st.sampled_from("the boat月"), max_size=30), min_size=1, max_size=8))
@QUICK
def test_any_text(items: list[str]) -> None:
    """Characters never seen have a law too: nothing stands aside."""
    packed = ilk.pack(model_of("ngram"), items)
    assert ilk.unpack(model_of("ngram"), packed.data).items == items and packed.strange == 0


@given(st.lists(st.lists(st.integers(0, 255), min_size=16, max_size=16), min_size=1, max_size=6))
@QUICK
def test_any_array(values: list[list[int]]) -> None:
    """Levels that the model has no place for stand aside."""
    items = np.array(values, dtype=np.uint8).reshape(-1, 4, 4)
    for name in ("pixelcnn", "vae", "gmm array"):
        packed = ilk.pack(model_of(name), items)
        assert np.array_equal(ilk.unpack(model_of(name), packed.data).items, items)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=64), min_size=1, max_size=30))
@QUICK
def test_any_float(values: list[float]) -> None:
    """A continuous number is one of the float64 of its cell."""
    g = dice(9)
    model = _reals()
    items = pl.DataFrame({"paid": [*values, *g.exponential(1.0, 5).tolist(), 0.0]}).with_columns(f=pl.lit("y"))
    assert ilk.unpack(model, ilk.pack(model, items).data).items["paid"].to_list() == items["paid"].to_list()


@cache
def _reals() -> Model:
    g = dice(4)
    frame = pl.DataFrame({"paid": np.where(g.random(400) < 0.6, 0.0, g.exponential(1.0, 400)), "f": np.where(g.random(400) < 0.5, "y", "n")})
    return ilk.fit(frame, ilk.ChowLiu())


def test_columns_without_a_law_stand_aside() -> None:
    """Identifiers are no part of the model."""
    frame = table(300).with_columns(id=pl.Series([f"user-{i:04d}" for i in dice(7).permutation(300)]))
    model = ilk.fit(frame, ilk.ChowLiu())
    packed = ilk.pack(model, frame)
    assert packed.aside > 100 and ilk.unpack(model, packed.data).items.equals(frame)


# laws and coders

@pytest.mark.parametrize("grid", [True, False])
def test_numbers_cost_their_density(grid: bool) -> None:
    """On a grid, what is said of a number given its cell is -log density: spikes, stretches and tails."""
    g = dice(5)
    values = np.concatenate([np.round(g.gamma(2, 40, 3000)), np.zeros(200)]) if grid else g.normal(0, 1, 3000)
    cells = learn(values, grid, [], (None, None), 0.0)
    tried = torch.from_numpy(np.concatenate([values[::7], values.max() + np.array([1.0, 2, 50, 700, 1e6])]))
    told = Told()
    coded(cells, told, cells.code(tried), tried)
    assert torch.equal(coded(cells, told, cells.code(tried), None), tried)
    if grid:
        assert told.nats == pytest.approx(-float(cells.log_density(tried).sum()), rel=1e-9)


@given(st.lists(st.integers(1, 2**62), min_size=1, max_size=8), st.integers(0, 2**62))
@QUICK
def test_even_numbers(sizes: list[int], at: int) -> None:
    """Whole numbers below a size cost its logarithm."""
    size = torch.tensor(sizes)
    truth, told = at % size, Told()
    assert torch.equal(even(told, size, truth), truth) and torch.equal(even(told, size, None), truth)
    assert told.nats == pytest.approx(sum(map(log, sizes)), rel=1e-4, abs=1e-9) and DIGIT == 256


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=20))
@QUICK
def test_floats_in_order(values: list[float]) -> None:
    x = torch.tensor(sorted(values), dtype=torch.float64)
    assert torch.equal(_double(_ordinal(x)), x) and _ordinal(x).tolist() == sorted(_ordinal(x).tolist())


@given(st.integers(1, 60), st.integers(1, 300), st.integers(0, 10**6))
@QUICK
def test_coders(n: int, k: int, key: int) -> None:
    """Any laws, impossible values too, through the queue and the stack; a stack is as it was once all is pushed back."""
    g = dice(key)
    laws = [torch.from_numpy(np.where(g.random((n, k)) < 0.3, -inf, g.normal(0, 5, (n, k)))) for _ in range(3)]
    said = [torch.from_numpy(g.integers(0, k, n)) for _ in laws]
    writer = Writer()
    for law, x in zip(laws, said, strict=True):
        writer(law, x)
    reader = Reader(writer.words(), [])
    assert all(torch.equal(reader(law, None), x) for law, x in zip(laws, said, strict=True))
    bottom = g.integers(0, 2**32, 4000, dtype=np.uint32)
    stack = Stack(bottom)
    popped = [stack(law, None) for law in laws]
    push = Push(stack)
    for law, x in zip(laws, popped, strict=True):
        push(law, x)
    push.done()
    assert np.array_equal(stack.words(), bottom)


def test_laws_without_a_value() -> None:
    """Where nothing is possible, all is equally likely; NaN is nothing."""
    law = torch.tensor([[-inf, -inf], [float("nan"), 0.0], [0.0, -inf]], dtype=torch.float64)
    assert shares(law).tolist() == [[1.0, 1.0], [1.0, 1.0], [1.0, 0.0]]


@given(*(st.lists(st.sampled_from(["a", "b,", "12", "12.0", "\n", "\r\n", '"', " ", "月", "\t"]), max_size=60) for _ in range(2)))
@QUICK
def test_differences(one: list[str], other: list[str]) -> None:
    """What turns the one into the other does so."""
    a, b = "".join(one).encode(), "".join(other).encode()
    change = difference(a, b)
    assert change is None or patched(a, change) == b


@given(st.lists(st.binary(max_size=20), max_size=6))
@QUICK
def test_lists_of_bytes(pieces: list[bytes]) -> None:
    assert unlisted(listed(pieces)) == pieces


# files

def crlf(frame: pl.DataFrame) -> bytes:
    """As others write it: quoted, two-byte ends of lines, and numbers with a useless digit."""
    out = StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\r\n")
    writer.writerow(frame.columns)
    writer.writerows([["NA" if c is None else f"{c}.0" if isinstance(c, int) else c for c in row] for row in frame.rows()])
    return out.getvalue().encode()


def test_a_file_comes_back_to_the_byte_in_another_process(tmp_path: Path) -> None:
    """By the command, from the saved model; a file written otherwise than here too, for little."""
    model = ilk.fit(table(), ilk.MADE(width=32), run=FEW)
    model.save(tmp_path / "m.ilk")
    (tmp_path / "own.csv").write_bytes(table(400, 11).write_csv().encode())
    (tmp_path / "other.csv").write_bytes(crlf(table(400, 12)))
    env = {**os.environ, "OMP_NUM_THREADS": "2", "PYTHONPATH": os.pathsep.join(sys.path)}
    for name in ("own", "other"):
        packed = pack.pack(ilk.load(tmp_path / "m.ilk"), tmp_path / f"{name}.csv")
        packed.save(tmp_path / f"{name}.ilkpack")
        words = [sys.executable, "-m", "ilk", "unpack", "m.ilk", f"{name}.ilkpack", "-o", f"{name}.back"]
        done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0 and "the identical file" in done.stdout, done.stderr
        assert (tmp_path / f"{name}.back").read_bytes() == (tmp_path / f"{name}.csv").read_bytes()
        assert packed.exact and packed.difference <= (0 if name == "own" else 0.6 * packed.payload) and len(packed.data) < packed.xz + 200


def test_a_text_file(tmp_path: Path) -> None:
    """Blank lines, blanks at ends, another end of lines: the items leave them out, the file has them."""
    at = tmp_path / "t.txt"
    at.write_bytes("\n\n".join(texts(200, 21)).replace("boat\n", "boat \r\n").encode())
    model = ilk.fit(texts(), ilk.NGram(order=3))
    packed = pack.pack(replace(model, modality=replace(model.modality, per="line")), at)
    assert packed.exact
    back = pack.unpack(replace(model, modality=replace(model.modality, per="line")), packed.data)
    assert back.file == at.read_bytes()


def test_content_where_the_writing_costs_more(tmp_path: Path) -> None:
    """A compressed file that others wrote can't be had from its items: these come back, and it is said so."""
    model, items = model_of("pixelcnn"), pictures(50, 8)
    np.savez(tmp_path / "x.npz", something=items)
    packed = pack.pack(model, tmp_path / "x.npz")
    found = pack.unpack(model, packed.data)
    assert not packed.exact and not found.exact and np.array_equal(found.items, items) and found.file is not None


def test_other_models_and_machines_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    packed = ilk.pack(model_of("mixture"), table(50))
    with pytest.raises(ModelError, match="another model") as why:
        ilk.unpack(model_of("chow_liu"), packed.data)
    assert why.value.code == "PACK_MODEL"
    here = _pack_file.made_with()
    monkeypatch.setattr(_pack_file, "made_with", lambda: {**here, "torch": "9.9"})
    with pytest.raises(ModelError, match="torch") as why:
        ilk.unpack(model_of("mixture"), packed.data)
    assert why.value.code == "PACK_OTHER" and why.value.remedy


@pytest.mark.parametrize("name", ["mixture", "vae", "ngram"])
def test_damaged_packs_are_refused(name: str) -> None:
    """Every cut, and any byte changed; nothing but ModelError comes out."""
    model, data = model_of(name), {**FAMILIES, **BACK}[name][0]()[:40]
    whole = ilk.pack(model, data).data
    g = dice(6)
    for cut in (0, 1, 7, 8, 100, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ModelError):
            ilk.unpack(model, whole[:cut])
    for at in g.integers(0, len(whole), 60).tolist():
        hurt = bytearray(whole)
        hurt[at] ^= int(g.integers(1, 256))
        with pytest.raises(ModelError):
            ilk.unpack(model, bytes(hurt))
    with pytest.raises(ModelError):
        ilk.unpack(model, b"PK\x03\x04" + bytes(100))


@pytest.mark.parametrize("wrong", [{"items": -1}, {"items": 10**12}, {"items": 41}, {"strange": 41}, {"rows": []}, {"rows": [0]}, {"suffix": 3}, {"items": True},
                                   {"digest": "0"}, {"pack": 2}, {"with": 3}])
def test_packs_with_a_good_sum_and_bad_facts(wrong: dict[str, Any]) -> None:
    """What somebody may have written on purpose."""
    model = model_of("mixture")
    facts, parts = _pack_file.opened(ilk.pack(model, table(40)).data)
    with pytest.raises(ModelError):
        ilk.unpack(model, _pack_file.sealed({**facts, **wrong}, parts))


def test_refusals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of what is missing, with what would work."""
    cases = [(ilk.fit(pictures(), ilk.GAN(codes=2, net=MLP(width=16)), run=Run(budget=Steps(3))), pictures()), (model_of("mixture").given("k > 1"), table())]
    for model, items in cases:
        with pytest.raises(UsageError) as why:
            ilk.pack(model, items)
        assert why.value.code == "NO_PACK" and why.value.remedy
    with pytest.raises(DataError):
        ilk.pack(model_of("mixture"), tmp_path)
    with pytest.raises(DataError):
        ilk.pack(model_of("mixture"), tmp_path / "none.csv")
    monkeypatch.setitem(sys.modules, "constriction", None)
    with pytest.raises(UsageError, match="constriction") as why:
        ilk.pack(model_of("mixture"), table())
    assert why.value.code == "EXTRA"


def test_threads_and_gradients_are_as_they_were() -> None:
    before = torch.get_num_threads()
    ilk.pack(model_of("mixture"), table(20))
    assert torch.get_num_threads() == before and torch.is_grad_enabled() and plain(["a"]) == b'["a"]'
