"""`a + b` is one fit over both, `forget` a fit without some items, to 1e-9; what can't be meant is told."""
from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk import registry
from ilk.cli import main
from ilk.dataset import Dataset, split_dataset
from ilk.distribution import Counted
from ilk.errors import DataError, UsageError
from ilk.model import Model, load
from ilk.rng import Rng

FAMILIES = {"chow_liu": ilk.ChowLiu(), "ngram": ilk.NGram(order=4)}


def table(n: int = 400, seed: int = 1) -> pl.DataFrame:
    g = np.random.Generator(np.random.Philox(key=seed))
    k = g.integers(0, 3, n)
    city = np.where(g.random(n) < 0.2 + 0.3 * k, "北京", "Lyon")
    made = pl.DataFrame({"城市": city, "k": k, "flag": np.where(g.random(n) < 0.3 + 0.4 * (city == "Lyon"), "y", "n")})
    return made.with_columns(城市=pl.when(pl.Series(g.random(n) > 0.15)).then("城市"))


def texts(n: int = 300, seed: int = 2) -> list[str]:
    g = np.random.Generator(np.random.Philox(key=seed))
    return ["".join(g.choice(list("ab月"), g.integers(1, 9), p=[0.6, 0.3, 0.1])) for _ in range(n)] + ["ab月", "月ba"]


DATA: dict[str, Any] = {"chow_liu": table(), "ngram": texts()}


def learned(name: str, rows: list[int], like: Model | None = None) -> Model:
    """A model of exactly these items."""
    data = ilk.read(DATA[name])
    return ilk.fit(replace(data, splits={"train": torch.tensor(rows), "valid": torch.tensor([], dtype=torch.long)}), FAMILIES[name], like=like)


def items(name: str, rows: list[int]) -> Any:
    return ilk.read(DATA[name]).modality.take(ilk.read(DATA[name]).items, torch.tensor(rows))


def require_equal(one: Model, other: Model, name: str) -> None:
    every = ilk.read(DATA[name]).items
    assert float((one.score(every).nats - other.score(every).nats).abs().max()) < 1e-9
    a, b = (m.body.state() for m in (one, other))
    assert a.tensors.keys() == b.tensors.keys() and all(torch.equal(t, b.tensors[k]) for k, t in a.tensors.items()) and a.facts == b.facts
    assert one.card["items"] == other.card["items"]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_a_plus_b_is_one_fit_over_both(name: str, seed: int) -> None:
    order = Rng(seed).shuffle(len(DATA[name])).tolist()
    cut = 60 + 40 * seed
    whole = learned(name, order)
    a, b = learned(name, order[:cut], like=whole), learned(name, order[cut:], like=whole)
    require_equal(a + b, whole, name)
    require_equal(b + a, whole, name)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("seed", range(3))
def test_forgetting_is_a_fit_without(name: str, seed: int) -> None:
    order = Rng(seed).child("forget").shuffle(len(DATA[name])).tolist()
    gone = order[:5 + 70 * seed]
    whole = learned(name, order)
    left = whole.forget(items(name, gone))
    require_equal(left, learned(name, order[len(gone):], like=whole), name)
    require_equal(left + learned(name, gone, like=whole), whole, name)


def test_forgetting_in_two_steps_through_disk_is_forgetting_at_once(tmp_path: Path) -> None:
    whole = learned("chow_liu", list(range(400)))
    once = whole.forget(items("chow_liu", list(range(9))))
    whole.forget(items("chow_liu", [0, 1, 2, 3])).save(tmp_path / "m.ilk")
    twice = load(tmp_path / "m.ilk").forget(items("chow_liu", [4, 5, 6, 7, 8]))
    require_equal(once, twice, "chow_liu")
    assert twice.card["notes"].endswith("forgot 4 items; forgot 5 items")


@pytest.mark.parametrize("name", FAMILIES)
def test_what_was_never_learned_cant_be_forgotten(name: str) -> None:
    model = learned(name, list(range(100)))
    strange = {"chow_liu": pl.DataFrame({"城市": ["Lyon"] * 99, "k": [0] * 99, "flag": ["y"] * 99}), "ngram": ["ababababab月月"]}[name]
    with pytest.raises(DataError, match="never learned") as why:
        model.forget(strange)
    assert why.value.code == "NOT_LEARNED"
    with pytest.raises(DataError, match="nothing would be left"):
        model.forget(items(name, list(range(100))))


def test_numbers_of_rows_are_those_of_the_fit() -> None:
    data = split_dataset(ilk.read(DATA["chow_liu"]))
    model = ilk.fit(data, ilk.ChowLiu())
    train, test = data.index("train").tolist(), data.index("test").tolist()
    left = model.forget(train[3:9], DATA["chow_liu"])
    require_equal(left, model.forget(items("chow_liu", train[3:9])), "chow_liu")
    refused = {"forgotten already": (left, [train[4]]), "held out": (model, [test[0], train[0]]), "outside the data": (model, "3,400"),
               "can't|no number": (model, "3,x"), "or a range|nor a range": (model, "9-3")}
    for said, (one, rows) in refused.items():
        with pytest.raises((DataError, UsageError), match=said):
            one.forget(rows, DATA["chow_liu"])
    with pytest.raises(DataError, match="have changed"):
        model.forget("3", table(seed=7))


def test_models_that_differ_dont_add_up() -> None:
    a = ilk.fit(table(), ilk.ChowLiu())
    others = {"smoothing": ilk.fit(table(), ilk.ChowLiu(smoothing=2.0)),
              "column `城市`": ilk.fit(table().with_columns(pl.col("城市").fill_null("Roma")), ilk.ChowLiu()),
              "column `k`": ilk.fit(table().with_columns(pl.col("k") + 1), ilk.ChowLiu()),
              "givens": a.given("k == 1")}
    for place, other in others.items():
        for one, two in ((a, other), (other, a)):
            with pytest.raises(UsageError, match=place) as why:
                one + two
            assert why.value.code == "DIFFERENT"


@pytest.mark.parametrize(("family", "data"), [(ilk.GMM(components=2), table()), (ilk.MADE(width=8), table())])
def test_families_without_counts_say_so(family: Any, data: Any) -> None:
    model = ilk.fit(data, family, budget=ilk.Steps(2))
    for attempt in (lambda: model + model, lambda: model.forget(data[:3])):
        with pytest.raises(UsageError, match="not the counts of its items") as why:
            attempt()
        assert why.value.code == "CAPABILITY" and "fit" in str(why.value.remedy)


def test_the_law_of_free_texts_is_no_count() -> None:
    g = np.random.Generator(np.random.Philox(key=3))
    notes = [" ".join(g.choice(["the", "cat", "sat", "on", "a", "mat", "today", "again"], 9)) for _ in range(200)]
    data = ilk.read(pl.DataFrame({"note": notes, "k": [i % 3 for i in range(200)]}))
    assert {c.kind for c in data.modality.columns} == {"text", "number"}
    with pytest.raises(UsageError, match="`note`"):
        ilk.fit(data, ilk.ChowLiu()).forget(pl.DataFrame({"note": notes[:1], "k": [0]}))


def test_every_family_of_counts_is_one_that_learns_from_sums() -> None:
    found = [n for n in registry.names("families") if issubclass(registry.get("families", n).distribution, Counted)]
    assert set(FAMILIES) <= set(found)


# the command


def run(capture: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capture.readouterr()
    code = main([str(w) for w in words])
    return code, *capture.readouterr()


def test_the_command_forgets_rows_of_a_file_and_by_number(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    table().write_csv("people.csv")
    assert run(capsys, "fit", "people.csv", "--family", "chow_liu")[0] == 0
    model, data = load("people.ilk"), split_dataset(ilk.read("people.csv"))
    gone = data.index("train").tolist()[:3]
    data.items[gone].write_csv("gone.csv")
    data.items[gone].write_parquet("gone.parquet")
    code, out, _ = run(capsys, "forget", "people.ilk", "--rows", ",".join(map(str, gone)), "-o", "a.ilk")
    assert code == 0 and "forgot 3 of 320" in out
    told = json.loads(run(capsys, "forget", "people.ilk", "--rows", "gone.csv", "-o", "b.ilk", "--json")[1])
    assert told == {"model": "b.ilk", "forgot": 3, "items": 317}
    assert run(capsys, "forget", "people.ilk", "--rows", "gone.parquet")[0] == 0
    want = model.forget(data.items[gone])
    for at in ("a.ilk", "b.ilk", "people.ilk"):
        require_equal(load(at), want, "chow_liu")


@pytest.mark.parametrize(("words", "exit", "code"), [
    (("--rows", "nobody.csv"), 3, "NOT_FOUND"), (("--rows", "wrong.csv"), 3, "COLUMN"), (("--rows", "strange.csv"), 3, "DATA_[A-Z]+"),
    (("--rows", "many.csv"), 3, "NOT_LEARNED"), ((), 2, "ROWS"), (("--rows", "99999"), 3, "NOT_LEARNED"), (("--rows", "3", "--data", "other.csv"), 3, "DATA_CHANGED"),
    (("--rows", "3", "--data", "nobody.csv"), 3, "NOT_FOUND"),
    (("--rows", "7-3"), 2, "ROWS"), (("--rows", "3;4", "--data", "people.csv"), 2, "ROWS"), (("--rows", "0-99999999999"), 2, "ROWS")])
def test_the_command_refuses(words: tuple[str, ...], exit: int, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import re

    monkeypatch.chdir(tmp_path)
    table().write_csv("people.csv")
    table(seed=9).write_csv("other.csv")
    table().select("k").write_csv("wrong.csv")
    table()[:1].with_columns(flag=pl.lit("maybe")).write_csv("strange.csv")
    pl.concat([table()[:1]] * 300).write_csv("many.csv")
    assert run(capsys, "fit", "people.csv", "--family", "chow_liu")[0] == 0
    before = {p.name: p.read_bytes() for p in Path("people.ilk").iterdir()}
    found, out, error = run(capsys, "forget", "people.ilk", *words)
    assert found == exit and out == "" and re.match(rf"ilk: error\[({code})\]: ", error) and error.count("\n") == 1, error
    assert {p.name: p.read_bytes() for p in Path("people.ilk").iterdir()} == before


def test_a_dataset_keeps_its_own_division() -> None:
    """`like` codes by the other model, and leaves the division of the data alone."""
    first = ilk.fit(table(), ilk.ChowLiu())
    second = ilk.fit(table(200, seed=5), like=first)
    data = split_dataset(ilk.read(table(200, seed=5), first.modality))
    assert isinstance(data, Dataset) and second.card["items"] == len(data.index("train")) and second.codec is first.codec
    assert (first + second).card["items"] == first.card["items"] + second.card["items"]
