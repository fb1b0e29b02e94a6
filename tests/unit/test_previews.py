"""Items that a model makes while it learns: shown, few, and without a trace in the model."""
from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
import torch

import ilk
from ilk.console import _preview
from ilk.rng import Rng
from ilk.run import Preview, Run, Steps, as_facts

TABLE = pl.DataFrame({"a": Rng(0).normal(400).tolist(), "b": (Rng(1).normal(400) * 3).tolist()})


def fitted(family: object, steps: int, watches: tuple[object, ...]) -> tuple[dict[str, torch.Tensor], list[Preview]]:
    heard: list[object] = []
    model = ilk.fit(TABLE, family, run=Run(seed=3, budget=Steps(steps), listeners=(heard.append,), watches=watches))
    return dict(model.body.state().tensors), [e for e in heard if isinstance(e, Preview)]


@pytest.mark.parametrize("family", [ilk.VAE(), ilk.MADE(width=16)], ids=["vae", "made"])
def test_a_fit_with_previews_ends_in_the_same_bytes(family: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preview, "SHARE", 1e9)
    monkeypatch.setattr(_preview, "SOON", 0.0)
    monkeypatch.setenv("ILK_PREVIEW", "0.0001")
    without, none = fitted(family, 120, ())
    shown, previews = fitted(family, 120, _preview.watches())
    assert none == [] and previews and all(torch.equal(shown[k], without[k]) for k in without)
    items = json.loads(json.dumps(as_facts(previews[-1])))
    assert items["event"] == "preview" and 1 <= len(items["items"]) <= _preview.MOST and set(items["items"][0]) == {"a", "b"}


def test_previews_keep_to_their_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("ilk.console._preview.time.monotonic", lambda: now[0])

    class Slow:
        modality = None

    watch = _preview.Previews(Slow(), lambda event: None, 1.0)

    def items(n: int) -> list[str]:
        now[0] += 0.5 * n
        watch._each = 0.5
        return ["x"] * n

    monkeypatch.setattr(watch, "_items", items)
    for _ in range(3000):
        now[0] += 0.1
        watch(ilk.run.Validated(1, 1.0, True))
    assert 0.5 < watch._spent <= _preview.SHARE * now[0]


def test_what_can_not_be_shown_yet_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_preview, "SOON", 0.0)
    told: list[object] = []
    watch = _preview.Previews(object(), told.append, 0.0)
    watch(ilk.run.Validated(1, 1.0, True))
    assert told == []
    monkeypatch.delenv("ILK_PREVIEW", raising=False)
    assert _preview.watches() == ()
