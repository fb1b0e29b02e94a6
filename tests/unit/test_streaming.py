"""Data that do not fit in memory: the same law from chunks, and large CSV files mapped from disk."""
import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk import dataset
from ilk.batch import Source
from ilk.dataset import Coded, split_dataset
from ilk.modalities import _reading
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


def test_a_source_that_is_not_resident_gives_the_same_items(monkeypatch):
    data = split_dataset(ilk.read(table()), ilk.Rng(0))
    whole = coded(data, ilk.MADE())
    assert whole.resident() is not None
    monkeypatch.setattr(dataset, "RESIDENT", 0)
    parts = coded(data, ilk.MADE())
    assert isinstance(parts, Source) and parts.resident() is None
    assert torch.equal(torch.cat([b.tensor for b in parts.chunks(333)]), whole.resident().tensor)
    some = torch.tensor([5, 900, 17])
    assert torch.equal(parts.take(some).tensor, whole.take(some).tensor)


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


def test_a_large_csv_is_mapped_from_disk(monkeypatch, tmp_path):
    table().write_csv(tmp_path / "big.csv")
    monkeypatch.setattr(_reading, "STREAM", 1000)
    data = ilk.read(tmp_path / "big.csv")
    assert "streamed" in data.origin.notes[0] and len(data) == 3000
    assert [c.describe() for c in data.modality.columns] == [c.describe() for c in ilk.read(table()).modality.columns]
    assert len(ilk.fit(data, ilk.GMM(components=1)).sample(5)) == 5
