"""Data that do not fit in memory: the same law from chunks, and large CSV files mapped from disk."""
import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk import dataset
from ilk.batch import Batch, Source, mapped
from ilk.dataset import Coded, split_dataset
from ilk.modalities import _reading, _rows
from ilk.run import Run
from ilk.verbs.fit import route

torch.set_num_threads(1)


def table(n: int = 3000) -> pl.DataFrame:
    g = np.random.Generator(np.random.Philox(key=3))
    x = g.normal(size=n)
    return pl.DataFrame({"x": x, "k": np.round(3 * x + g.normal(size=n)).astype(int), "c": np.where(g.random(n) < 0.3, "a", "b")})


def coded(data, family, **options) -> Coded:
    codec, lift = route(data, family, ilk.Rng(0))
    return Coded(data, "train", codec, lift, ilk.Rng(1), **options)


def test_codes_that_do_not_fit_are_mapped_from_disk(monkeypatch):
    data = split_dataset(ilk.read(table()), ilk.Rng(0))
    whole = coded(data, ilk.MADE()).resident()
    monkeypatch.setattr(dataset, "RESIDENT", 0)
    monkeypatch.setattr(dataset, "PIECE", 333)
    source = coded(data, ilk.MADE())
    assert isinstance(source, Source) and torch.equal(source.resident().tensor, whole.tensor)
    assert torch.equal(torch.cat([b.tensor for b in source.chunks(100)]), whole.tensor)


def test_any_batch_can_be_mapped(tmp_path):
    length = torch.tensor([2, 0, 3])
    deep = Batch({"a": Batch(torch.arange(3.0), torch.tensor([True, False, True])), "b": Batch(Batch(torch.arange(5)), length=length)})
    found = mapped((deep.cut(i, i + 1) for i in range(3)), tmp_path)
    assert torch.equal(found.parts["b"].elements.tensor, torch.arange(5)) and torch.equal(found.parts["b"].lengths, length)
    assert torch.equal(found.parts["a"].seen, deep.parts["a"].seen) and found.take(torch.tensor([2])).parts["b"].elements.tensor.tolist() == [2, 3, 4]


@pytest.mark.parametrize("family", [ilk.GMM(components=2), ilk.MADE(width=16)])
def test_fitting_from_chunks_is_as_good(monkeypatch, family):
    data = split_dataset(ilk.read(table()), ilk.Rng(0))
    run = Run(budget=ilk.Steps(60))
    near = ilk.fit(data, family, run=run).score(data).mean
    monkeypatch.setattr(dataset, "RESIDENT", 0)
    assert abs(ilk.fit(data, family, run=run).score(data).mean - near) < 0.05


def test_gmm_over_chunks_equals_the_whole(monkeypatch):
    frame = pl.DataFrame({"x": table()["x"], "y": table()["x"] * 2 + 1.7})
    data = split_dataset(ilk.read(frame), ilk.Rng(0))
    family = ilk.GMM(components=3)
    models = []
    for chunk in (1 << 16, 500):
        monkeypatch.setattr("ilk.families.gmm.CHUNK", chunk)
        monkeypatch.setattr(dataset, "RESIDENT", (1 << 40) if chunk > 500 else 0)
        models.append(ilk.fit(data, family, run=Run(budget=ilk.Steps(10))))
    assert torch.allclose(models[0].score(data).nats, models[1].score(data).nats, atol=1e-9)


def test_a_large_file_stays_on_disk(monkeypatch, tmp_path):
    frame = table().with_columns(c=pl.when(pl.col("x") < 1.5).then("c"))
    frame.write_csv(tmp_path / "big.csv")
    frame.write_parquet(tmp_path / "big.parquet")
    small = ilk.read(tmp_path / "big.csv")
    monkeypatch.setattr(_reading, "STREAM", 1000)
    monkeypatch.setattr(_rows, "STRETCH", 700)
    for name in ("big.csv", "big.parquet"):
        data = ilk.read(tmp_path / name)
        assert isinstance(data.items, _rows.Rows) and len(data) == 3000
        assert [c.describe() for c in data.modality.columns] == [c.describe() for c in small.modality.columns]
        assert all(torch.equal(data.index(s), small.index(s)) for s in ("train", "valid", "test"))
        assert data.test.equals(small.test) and data.modality.take(data.items, torch.tensor([2999, 5, 1500])).equals(small.items[[2999, 5, 1500]])
        family = ilk.GMM(components=2)
        assert ilk.fit(data, family).score(data).mean == pytest.approx(ilk.fit(small, family).score(small).mean, abs=1e-9)
