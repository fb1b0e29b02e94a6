"""Captions through codes: VQ tokens and a transformer that reads the caption first, any part of which may go untold."""
from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ilk
from ilk.batch import Batch, ragged
from ilk.captions import Captions, Vocabulary
from ilk.dataset import Labels
from ilk.errors import UsageError
from ilk.families._transformer_prefix import Prefix
from ilk.rng import Rng
from ilk.space import Discrete, Many

ABOUT = {"label": Discrete(2), "caption": Many(Discrete(4), 3)}


def test_untold_parts_are_embeddings_of_their_own() -> None:
    with Rng(0).as_global():
        prefix = Prefix(ABOUT, 8, partly=True)
    said = {"label": Batch(torch.tensor([0, 1])), "caption": Vocabulary(("a", "b", "c"), 3).batch(["a b", "c"])}
    whole, only = prefix(said), prefix({"label": said["label"]})
    assert whole.shape == (2, 4, 8) and torch.equal(whole[:, :1], only[:, :1])
    assert torch.equal(only[:, 1:], prefix({}, 2)[:, 1:]) and torch.equal(prefix({}, 2)[0], prefix.missing + prefix.place)
    kept = prefix(said, keep=torch.tensor([[True, True], [True, False]]))
    assert torch.equal(kept[0], whole[0]) and torch.equal(kept[1], only[1])
    with pytest.raises(UsageError, match="only when it is told caption"):
        Prefix(ABOUT, 8)({"label": said["label"]})


def test_laws_of_the_told_and_the_untold_sum_to_one() -> None:
    with Rng(0).as_global():
        body = ilk.Transformer(layers=1, heads=1, width=8, drop=0.2).build(Many(Discrete(2), 3, at_least=3), Rng(0), ABOUT)
    every = torch.tensor([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])
    items = ragged(every, torch.full((8,), 3))
    said = {"caption": Vocabulary(("a", "b", "c"), 3).batch(["b a"] * 8)}
    for context in ({}, said, {"label": Batch(torch.ones(8, dtype=torch.long))}):
        mass = body.log_prob(replace(items, context=context)).exp().sum()  # type: ignore[attr-defined]
        torch.testing.assert_close(mass, torch.tensor(1.0, dtype=torch.float64), atol=1e-5, rtol=0)
    assert len(body.sample(3, Rng(1))) == 3  # type: ignore[attr-defined]


def bars(n: int) -> ilk.Dataset:
    """A bright and a dim bar; label and caption say which is where, the caption by the order of its words alone."""
    rng = np.random.default_rng(0)
    left = rng.integers(0, 2, n)
    x = rng.integers(95, 106, (n, 8, 8, 1))
    for i, first in enumerate(left):
        x[i, :, 1:3], x[i, :, 5:7] = (250, 10) if first else (10, 250)
    captions = Captions.of(["bright then dim" if first else "dim then bright" for first in left])
    return replace(ilk.read(x.astype(np.uint8)), captions=captions, labels=Labels(torch.from_numpy(left), ("right", "left")))


def family(drop: float) -> ilk.Latent:
    return ilk.Latent(code=ilk.VQVAE(book=16, halvings=1), prior=ilk.Transformer(layers=2, width=32, heads=2, drop=drop))


@pytest.mark.learns
@pytest.mark.slow
def test_prompts_and_labels_alone_and_together(tmp_path: Path) -> None:
    model = ilk.fit(bars(300), family(0.1), budget=ilk.Steps(400))

    def share(*givens: object, **how: object) -> float:
        asked = model
        for given in givens:
            asked = asked.given(given)  # type: ignore[arg-type]
        x = asked.sample(64, seed=1, **how).astype(float)  # type: ignore[arg-type]
        return float((x[:, :, 1:3].mean((1, 2, 3)) > x[:, :, 5:7].mean((1, 2, 3))).mean())

    first = ilk.Prompt("bright then dim")
    assert share(first) > 0.8 and share(ilk.Prompt("dim then bright")) < 0.2
    assert share(ilk.Label("left")) > 0.8 and share(first, ilk.Label("left")) > 0.8
    assert 0.2 < share() < 0.8 and share(first, how=ilk.TopK(k=4)) > 0.8
    again = ilk.load(model.save(tmp_path / "m")).given(first)
    assert np.array_equal(again.sample(3, seed=5), model.given(first).sample(3, seed=5))


def test_without_drop_out_all_has_to_be_told() -> None:
    model = ilk.fit(bars(60), family(0.0), budget=ilk.Steps(2))
    with pytest.raises(UsageError, match="only when it is told label") as caught:
        model.given(ilk.Prompt("bright then dim")).sample(2)
    assert "drop" in (caught.value.remedy or "")
    assert len(model.given(ilk.Prompt("bright then dim")).given(ilk.Label("left")).sample(2)) == 2
