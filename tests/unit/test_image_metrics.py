"""The feature space: learned once, bounded, named, without a trace on global state; and what the metrics that use it refuse."""
from __future__ import annotations

from dataclasses import replace
from math import isfinite
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk import registry
from ilk.metric import Case, Metric, NotApplicable, Reading, measured
from ilk.metrics import _features
from ilk.metrics._features import Space, space_of
from ilk.metrics._kept import Kept, digest
from ilk.metrics._picture_net import Trained
from ilk.rng import Rng

torch.set_num_threads(1)
ROOT = Path(__file__).parents[2]
FEATURED = ("coverage", "density", "energy_distance", "frechet", "kid", "mmd", "nn_accuracy", "precision", "recall")
NEAR = (*(name for name in FEATURED if name != "nn_accuracy"), "near_train_share")   # of arrays and pictures alone


def noise(seed: int, n: int, *shape: int) -> Any:
    return np.random.Generator(np.random.Philox(key=seed)).integers(0, 256, (n, *shape)).astype(np.uint8)


def reading(name: str, case: Case, seed: int = 0) -> Reading | NotApplicable:
    return measured(registry.get("metrics", name)(), case, Rng(seed))


def reason(name: str, case: Case) -> str:
    found = reading(name, case)
    assert isinstance(found, NotApplicable), found
    return found.reason


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many networks were trained, from an empty store."""
    count: list[int] = []

    class Counted(Trained):
        def __init__(self, pictures: Any, classes: Any, rng: Rng) -> None:
            count.append(len(pictures))
            super().__init__(pictures, classes, rng)

    monkeypatch.setattr(_features, "Trained", Counted)
    monkeypatch.setattr(_features, "_SPACES", Kept[Space](1))
    return count


def test_kept_things_are_the_last_few() -> None:
    kept, made = Kept[str](2), []
    def make(key: str) -> str:
        return kept.get(key, lambda: made.append(key) or key * 2)  # type: ignore[func-returns-value]

    assert [make(key) for key in "abacab"] == ["aa", "bb", "aa", "cc", "aa", "bb"]
    assert made == ["a", "b", "c", "b"] and list(kept.known) == ["a", "b"]    # c pushed b out, b then c


def test_digests_tell_numbers_types_and_shapes_apart() -> None:
    x = np.arange(6)
    sides = [(x,), (x.reshape(2, 3),), (x.astype(np.int32),), (x + 1,), (x, None), (None, x), (x[:3], x[3:]), (np.zeros((0, 3)),), (np.float64(1) * np.ones(()),)]
    assert len({digest(*s) for s in sides}) == len(sides)
    assert digest(x[::-1]) == digest(x[::-1].copy())


def test_one_network_serves_all_metrics_and_one_is_kept(trained: list[int]) -> None:
    case = Case(made=noise(1, 100, 6, 6, 1), train=noise(2, 240, 6, 6, 1), test=noise(3, 100, 6, 6, 1))
    first = {name: reading(name, case) for name in FEATURED}
    threads = [Thread(target=space_of, args=(case,)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert trained == [120] and len(_features._SPACES.known) == 1
    space_of(replace(case, train=noise(4, 240, 6, 6, 1)))
    assert trained == [120, 120] and len(_features._SPACES.known) == 1
    assert {name: reading(name, case, seed=5) for name in FEATURED} == first      # trained anew, whatever the seed: the same space
    assert len(trained) == 3


def test_labels_make_another_space(trained: list[int]) -> None:
    train = noise(2, 240, 6, 6, 3)
    case = Case(None, train, train, train, train_labels=np.arange(240) % 3)
    plain, told = space_of(replace(case, train_labels=None)), space_of(case)
    assert isinstance(plain, Space) and isinstance(told, Space) and len(trained) == 2
    assert plain.classes is None and "without labels" in plain.name and told.classes is not None and told.classes.tolist() == [0, 1, 2]
    alike = space_of(replace(case, train_labels=np.zeros(240, int)))
    assert isinstance(alike, Space) and "without labels" in alike.name            # one label is none


def test_halves_do_not_meet() -> None:
    space = space_of(Case(train=np.random.RandomState(0).normal(size=(301, 2))))
    assert isinstance(space, Space) and len(space.unseen) == 151 == len(set(space.unseen.tolist()))


@pytest.mark.parametrize(("shape", "said"), [((5, 7, 1), "no resize"), ((1, 4, 3), "no resize"), ((40, 64, 3), "shrunk to 32x20"), ((9, 9, 4), "no resize")])
def test_pictures_of_any_size(shape: tuple[int, ...], said: str) -> None:
    case = Case(made=noise(1, 70, *shape), train=noise(2, 130, *shape), test=noise(3, 70, *shape))
    found = reading("frechet", case)
    assert isinstance(found, Reading) and isfinite(found.value) and said in found.convention
    assert found.parts.keys() == {"means", "covariances", "plain"}                         # 65 unseen ones: fewer than made
    for word in ("64 features", "65 training pictures", "sha256", "n=70"):
        assert word in found.convention


@pytest.mark.parametrize("name", NEAR)
def test_pictures_without_content(name: str) -> None:
    black = np.zeros((150, 6, 6, 1), np.uint8)
    found = reading(name, Case(None, black, black, black, black))
    assert isinstance(found, Reading) and isfinite(found.value) and (found.error is None or isfinite(found.error))
    assert found.value == {"frechet": 0, "energy_distance": 0, "kid": 0, "mmd": 0, "density": 30}.get(name, 1)


@pytest.mark.parametrize("name", NEAR)
def test_errors_only_where_wanted(name: str) -> None:
    g = np.random.RandomState(1)
    case = Case(None, *(g.normal(size=(n, 3)) for n in (80, 300, 80, 80)))
    full, quick = reading(name, case), reading(name, replace(case, errors=False))
    assert isinstance(full, Reading) and isinstance(quick, Reading)
    assert full.value == quick.value and full.error and quick.error is None and "real" not in quick.parts
    assert full.parts.keys() - quick.parts.keys() == ({"real"} if name in FEATURED else set())


def test_many_coordinates_become_principal_components() -> None:
    g = np.random.RandomState(2)
    train = g.normal(size=(400, 90)) * np.linspace(1, 9, 90) + 1e6
    space = space_of(Case(train=train))
    assert isinstance(space, Space) and "64 principal components of 90" in space.name
    axes = space.vectors(train[:200])
    assert axes.shape == (200, 64) and axes.std(0)[0] > axes.std(0)[-1] > 0 and np.abs(axes.mean(0)).max() < 1


def test_global_randomness_is_left_alone() -> None:
    before = torch.get_rng_state()
    space_of(Case(train=noise(7, 120, 4, 4, 1)))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", NEAR)
def test_refusals(name: str) -> None:
    x = np.random.RandomState(0).normal(size=(200, 3))
    case = Case(None, x, x, x, x)
    assert "train" in reason(name, replace(case, train=None))
    assert "shape" in reason(name, replace(case, made=x[:, :2]))
    assert "empty" in reason(name, replace(case, made=x[:0]))
    assert "arrays" in reason(name, replace(case, made=pl.DataFrame({"x": [1]})))
    if name in FEATURED:
        assert "at least 100" in reason(name, replace(case, train=x[:99]))


def test_too_few_items() -> None:
    x = np.random.RandomState(0).normal(size=(200, 3))
    case = Case(made=x, train=x, test=x)
    assert "too few" in reason("frechet", replace(case, made=x[:3])) and "neighbours" in reason("recall", replace(case, test=x[:5]))
    assert "two items" in reason("energy_distance", replace(case, made=x[:1])) and "two texts" in reason("self_bleu", Case(made=["a"], test=["b", "c"]))


def test_label_accuracy_needs_labels() -> None:
    train = noise(2, 150, 6, 6, 1)
    case = Case(None, train, train)
    assert "no labels" in reason("label_accuracy", case) and "no labels" in reason("label_accuracy", Case(made=train, train=train))
    assert "pictures" in reason("label_accuracy", Case(made=np.zeros((9, 2)), train=np.zeros((9, 2))))
    assert "only one" in reason("label_accuracy", replace(case, train_labels=np.zeros(150, int), made_labels=np.zeros(150, int)))


def test_perplexity_of_a_model_that_is_sure_of_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    model = ilk.fit(["ab", "ba"] * 20, ilk.NGram(order=2))
    assert "no characters" in reason("perplexity", Case(model=model, test=[""]))
    import ilk.metrics.bits_per_character as module

    monkeypatch.setattr(module.BitsPerCharacter, "measure", lambda *_: Reading(float("inf"), None, 1))
    assert "impossible" in reason("perplexity", Case(model=model, test=["ab"]))


def test_short_and_empty_texts() -> None:
    found = reading("self_bleu", Case(made=["", "a", "a b", ""], test=["", ""]))
    assert isinstance(found, Reading) and 0 <= found.value <= 1 and found.parts["test"] == 0 and found.n == 2


def test_tables_are_none_of_their_business() -> None:
    frame = pl.DataFrame({"x": np.arange(300.0) % 17, "y": np.arange(300.0) % 5})
    found = ilk.evaluate(ilk.fit(frame, ilk.GMM(components=1)), ilk.read(frame))
    assert {*NEAR, "label_accuracy", "perplexity", "self_bleu"} <= set(found.skipped)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_says_of_every_metric_what_the_code_says(language: str) -> None:
    lines = (ROOT / "docs" / language / "metrics.md").read_text(encoding="utf-8").splitlines()
    said = {row[0].strip("`"): row for row in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("| `"))}
    assert list(said) == list(registry._built_in("metrics"))
    for name, (_, kinds, better, span, needs, *_) in said.items():
        metric: Metric = registry.get("metrics", name)()
        assert (better, span, needs) == (metric.better, f"{metric.low:g}..{metric.high:g}", ", ".join(metric.needs)), name
        assert not metric.modalities or kinds == ", ".join(metric.modalities), name
