"""Things with a planted fault, and things without: data, records of fits, figures, installations. `make()` gives the thing.

FAULTY names the fault that was planted. TRUE says which faults the things of CLEAN truly have, which in real data can't always be none.
The cases below LATER were written when the rules were done, and looked at once before anything was changed: 58 of 58 faults were named, and 2 of 34 things
without had an alarm. One alarm was right (a text of three sentences again and again); the other led to the rule by which classes that overlap have no wrong labels.
"""
from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import torch

from ilk.dataset import Dataset, Labels
from ilk.fault import Figure, Figures, Installation, Record
from ilk.verbs.read import read

Make = Callable[[], Any]
WORDS = str.split("the river bends behind an old mill where children used to swim every summer until a storm took down its wooden bridge and people from both villages "
         "began walking along another path past quiet orchards stone walls empty barns white horses late apples cold wells narrow gates broken carts")


@cache
def named(name: str) -> Dataset[Any]:
    """A data set of the catalogue, read once."""
    return read(name)


def rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def people(n: int, seed: int) -> pl.DataFrame:
    """A table with numbers of several laws, categories, dates and a class that hangs on some of them."""
    r = rng(seed)
    age = r.integers(18, 90, n)
    income = np.round(np.exp(r.normal(10, 0.6, n)) + 100 * age, 2)
    city = r.choice(["Lyon", "Graz", "Porto", "Turku", "Bergen"], n, p=[0.35, 0.25, 0.2, 0.12, 0.08])
    height = np.round(r.normal(170, 9, n), 1)
    risk = 1 / (1 + np.exp(-(age - 60) / 10 - (city == "Graz")))
    since = np.datetime64("2019-01-01") + r.integers(0, 1800, n).astype("timedelta64[D]")
    return pl.DataFrame({"age": age, "income": income, "city": city, "height": height, "since": [str(d) for d in since], "smoker": r.random(n) < 0.3,
                         "ill": np.where(r.random(n) < risk, "yes", "no")})


def sentences(n: int, seed: int, words: int = 14) -> list[str]:
    """Texts of random words."""
    r = rng(seed)
    return [" ".join(r.choice(WORDS, r.integers(words - 6, words + 6))).capitalize() + "." for _ in range(n)]


def poems(n: int, seed: int = 0) -> list[str]:
    """Tang quatrains, each once."""
    found = list(dict.fromkeys(named("tang").items))
    return [found[i] for i in rng(seed).permutation(len(found))[:n]]


def prose(n: int, seed: int = 0) -> list[str]:
    """Paragraphs of English, each once, none too short."""
    found = [t for t in dict.fromkeys(named("topics").items) if len(t) > 80]
    return [found[i] for i in rng(seed).permutation(len(found))[:n]]


def pictures(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Digits as bytes of 16 x 16 pixels, and which they are."""
    data = named("digits")
    at = rng(seed).permutation(len(data))[:n]
    x = np.kron(data.items[at].astype(np.float64) / 16, np.ones((1, 2, 2)))
    return np.round(255 * x).astype(np.uint8), data.labels.codes.numpy()[at]   # type: ignore[union-attr]


def halves(frame: pl.DataFrame, train: np.ndarray, test: np.ndarray) -> Dataset[Any]:
    data = read(frame)
    return replace(data, splits={"train": torch.from_numpy(train), "test": torch.from_numpy(test)})


def parted(data: Dataset[Any], train: Any, test: Any) -> Dataset[Any]:
    return replace(data, splits={"train": torch.as_tensor(train), "test": torch.as_tensor(test)})


def put(frame: pl.DataFrame, column: str, at: Any, value: Any) -> pl.DataFrame:
    """The frame with other cells at some places."""
    cells = frame[column].to_list()
    for i in np.atleast_1d(at).tolist():
        cells[i] = value(cells[i]) if callable(value) else value
    return frame.with_columns(pl.Series(column, cells, strict=False))


def flipped(codes: np.ndarray, share: float, classes: int, seed: int) -> np.ndarray:
    r = rng(seed)
    wrong = r.random(len(codes)) < share
    return np.where(wrong, (codes + r.integers(1, classes, len(codes))) % classes, codes)


# ---- data

def leaked_rows(n: int, share: float, seed: int) -> Dataset[Any]:
    frame = people(n, seed)
    k = int(share * n / 5)
    whole = pl.concat([frame, frame[:k]])
    return halves(whole, np.arange(int(0.8 * n)), np.arange(int(0.8 * n), n + k))


def leaked_texts(seed: int) -> Dataset[Any]:
    found = prose(400, seed)
    near = [t.upper().replace(",", "") for t in found[:12]]
    return parted(read(found + near), np.arange(320), np.arange(320, 412))


def leaked_pictures(seed: int) -> Dataset[Any]:
    x, y = pictures(700, seed)
    near = np.clip(x[:15].astype(int) + rng(seed).integers(-2, 3, x[:15].shape), 0, 255).astype(np.uint8)
    return parted(read(np.concatenate([x, near])), np.arange(560), np.arange(560, 715))


def with_labels(x: np.ndarray, y: np.ndarray) -> Dataset[Any]:
    return replace(read(x), labels=Labels(torch.from_numpy(y.astype(np.int64)), tuple(range(int(y.max()) + 1))))


def noisy_table(name: str, share: float, seed: int) -> Dataset[Any]:
    frame = named(name).items
    names = frame[frame.columns[-1]].unique().sort().to_list()
    codes = frame[frame.columns[-1]].replace_strict(names, list(range(len(names))), return_dtype=pl.Int64).to_numpy()
    return read(frame.with_columns(pl.Series(frame.columns[-1], [names[i] for i in flipped(codes, share, len(names), seed)])))


def noisy_digits(n: int, share: float, seed: int) -> Dataset[Any]:
    x, y = pictures(n, seed)
    return with_labels(x, flipped(y, share, 10, seed))


def doubled(seed: int) -> Dataset[Any]:
    frame = people(300, seed)
    return read(pl.concat([frame, frame[:20]])[rng(seed).permutation(320)])


def told_target(n: int, seed: int) -> Dataset[Any]:
    frame = people(n, seed)
    paid = np.where(frame["ill"].to_numpy() == "yes", rng(seed).gamma(2, 300, n) + 1, 0.0).round(2)
    return read(frame.insert_column(3, pl.Series("refund", paid)))


def mojibake(texts: list[str], n: int) -> list[str]:
    bad = [t.replace("'", "’").replace("e", "é", 3).encode().decode("cp1252", "replace") for t in texts[:n]]
    return bad + texts[n:]


def by_time(seed: int) -> Dataset[Any]:
    frame = people(1000, seed).sort("since")
    return halves(frame, np.arange(800), np.arange(800, 1000))


def by_label(seed: int) -> Dataset[Any]:
    x, y = pictures(600, seed)
    order = y.argsort(kind="stable")
    return parted(with_labels(x[order], y[order]), np.arange(480), np.arange(480, 600))


def blanks(n: int, many: int, value: int, seed: int) -> Dataset[Any]:
    x, _ = pictures(n, seed)
    x[rng(seed + 1).permutation(n)[:many]] = value
    return read(x)


def inverted(n: int, many: int, seed: int) -> Dataset[Any]:
    x, _ = pictures(n, seed)
    at = rng(seed + 1).permutation(n)[:many]
    x[at] = 255 - x[at]
    return read(x)


def ranges(n: int, many: int, seed: int) -> Dataset[Any]:
    x = pictures(n, seed)[0].astype(np.float32)
    at = rng(seed + 1).permutation(n)[:many]
    x[at] /= 255
    return read(x)


def few_of_one(seed: int) -> Dataset[Any]:
    frame = people(400, seed)
    return read(put(frame, "ill", [3, 50, 200], "unsure"))


# ---- records

def fit(n: int = 40, seed: int = 0, noise: float = 0.01, rate: float = 1e-3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Steps and the training and held-out losses of a fit that went well."""
    r = rng(seed)
    steps = np.arange(1, n + 1) * 50
    fall = np.exp(-np.arange(n) / (n / 8))
    own = 1.2 + 3 * fall + noise * r.normal(size=n)
    seen = 1.35 + 2.9 * fall + noise * r.normal(size=n)
    return steps, own, seen


def told(steps: Any, own: Any = None, seen: Any = None, *, what: str = "vae", extra: Any = None, facts: Any = None, notes: tuple[str, ...] = ()) -> Record:
    """The events of a fit."""
    events: list[dict[str, Any]] = [{"event": "began", "what": what, "total": int(steps[-1])}]
    for i, step in enumerate(steps):
        if own is not None:
            also = {} if extra is None else {k: float(v[i]) for k, v in extra.items()}
            events.append({"event": "progress", "step": int(step), "fraction": i / len(steps), "loss": float(own[i]), **also})
        if seen is not None:
            events.append({"event": "validated", "step": int(step), "loss": float(seen[i]), "best": False})
    events += [{"event": "noted", "text": text} for text in notes]
    return Record([*events, {"event": "ended", "what": what, "steps": int(steps[-1]), "seconds": 9.0}], facts or {})


def well(n: int = 40, seed: int = 0, noise: float = 0.01) -> Record:
    return told(*fit(n, seed, noise))


def broken(at: int, seed: int) -> Record:
    steps, own, seen = fit(40, seed)
    own[at:], seen[at:] = math.nan, math.nan
    return told(steps, own, seen)


def jumped(at: int, to: float, seed: int) -> Record:
    steps, own, seen = fit(40, seed)
    own[at:] += to
    seen[at:] += to
    return told(steps, own, seen)


def by_heart(turn: int, slope: float, seed: int) -> Record:
    steps, own, seen = fit(40, seed)
    late = np.clip(np.arange(40) - turn, 0, None)
    return told(steps, own - 0.02 * late, seen + slope * late)


def unfinished(seed: int, power: float = 1.0) -> Record:
    steps = np.arange(1, 31) * 20
    line = 5 - 3 * (np.arange(30) / 30) ** power
    return told(steps, line + 0.02 * rng(seed).normal(size=30), line + 0.1 + 0.02 * rng(seed + 1).normal(size=30))


def leaping(seed: int, size: float) -> Record:
    r = rng(seed)
    steps = np.arange(1, 61) * 10
    own = 3 + size * r.normal(size=60)
    return told(steps, own, own[::1] + 0.3 * size * r.normal(size=60))


def still(seed: int, rate: float) -> Record:
    steps = np.arange(1, 41) * 100
    line = 7.2 - 0.001 * np.arange(40)
    return told(steps, line + 1e-4 * rng(seed).normal(size=40), line + 0.01, facts={"rate": rate})


def huge(first: float, seed: int) -> Record:
    steps, own, seen = fit(30, seed)
    own[0], own[1], seen[0] = first, first / 40, first / 2
    return told(steps, own, seen)


def game(loss: float, seed: int) -> Record:
    r = rng(seed)
    steps = np.arange(1, 31) * 100
    return told(steps, loss * (1 + 0.1 * r.random(30)), what="critic")


# ---- figures

def figures(seed: int = 0, n: int = 2000, **facts: Any) -> Figures:
    """Figures of a good model."""
    r = rng(seed)
    return Figures([Figure("nats", -3.2 + 0.01 * r.normal(), 0.02, n, -5.1, None, "higher", "nats an item, exact; counting measure"),
                    Figure("energy_distance", 0.05, 0.01, n, 0.6, 0.03, "lower", "root of the energy distance"),
                    Figure("c2st", 0.58, 0.012, n, 0.98, 0.5, "lower", "AUC of HistGradientBoosting"),
                    Figure("coverage", 0.93, 0.01, n, 0.3, 0.95, "higher", "5 neighbours")], {"test": n, "made": n, "kind": "table", **facts})


def one(name: str, value: float, se: float | None = 0.01, n: int | None = 5000, convention: str = "", better: str = "lower", floor: float | None = None,
        ceiling: float | None = None) -> Figure:
    return Figure(name, value, se, n, floor, ceiling, better, convention)


def beside(figure: Figure, **facts: Any) -> Figures:
    """A figure among those of a good model."""
    good = figures()
    return Figures([*good.figures, figure], {**good.facts, **facts})


def two(conventions: tuple[str, str], values: tuple[float, float] = (-3.2, -2.9), se: float | None = 0.02, seeds: int = 3, name: str = "nats") -> Figures:
    return Figures([Figure(name, v, se, 3000, None, None, "higher", c, m) for v, c, m in zip(values, conventions, ("flow", "vae"), strict=True)], {"seeds": seeds})


# ---- installations

def machine(versions: Any = None, **facts: Any) -> Installation:
    """A machine that is well."""
    known = {"torch": "2.13.0+cpu", "numpy": "2.2.1", "polars": "1.38.0", "torchvision": None, "torchaudio": None, "gguf": None, **(versions or {})}
    base = {"python": "3.12.4", "system": "Linux", "cores": 8, "needs": {"torch": "2.6", "numpy": "2.0", "polars": "1.30"}, "gpu": "", "threads": {"OMP_NUM_THREADS": "4"},
            "memory": 12 << 30, "disk": {"/home/me": 90 << 30}, "cache": "/home/me/.cache/ilk", "cache_writable": True, "encodings": {"file names": "utf-8", "files": "UTF-8"},
            "files": ["data.csv", "train.py"], "modules": ["train.py"]}
    return Installation(known, {**base, **facts})


FAULTY: list[tuple[str, Make]] = [
    ("split_leakage", lambda: leaked_rows(600, 0.3, 1)),
    ("split_leakage", lambda: leaked_texts(2)),
    ("split_leakage", lambda: leaked_pictures(3)),
    ("duplicates", lambda: doubled(4)),
    ("duplicates", lambda: read(prose(300, 5) + prose(300, 5)[:15])),
    ("leaking_target", lambda: told_target(500, 6)),
    ("label_noise", lambda: noisy_digits(900, 0.1, 7)),
    ("label_noise", lambda: noisy_table("breast_cancer", 0.12, 8)),
    ("label_noise", lambda: noisy_table("wine", 0.12, 9)),
    ("mis_encoded", lambda: read(mojibake(prose(200, 10), 20))),
    ("mis_encoded", lambda: read(put(people(200, 11), "city", range(0, 200, 9), "Besançon".encode().decode("latin-1")))),
    ("mis_encoded", lambda: read([t.replace("風", "\ufffd") for t in poems(500, 12)])),
    ("numbers_as_text", lambda: read(people(150, 13).with_columns(pl.Series("income", [f"{v:,.2f}" for v in people(150, 13)["income"]])))),
    ("numbers_as_text", lambda: read(people(90, 14).with_columns(pl.Series("height", [f"{v} cm" for v in people(90, 14)["height"]])))),
    ("numbers_as_text", lambda: read(people(90, 15).with_columns(pl.Series("height", [str(v).replace(".", ",") for v in people(90, 15)["height"]])))),
    ("sentinels", lambda: read(put(people(300, 16), "height", range(0, 300, 17), -999.0))),
    ("sentinels", lambda: read(put(people(300, 17), "city", range(0, 300, 13), "unknown"))),
    ("sentinels", lambda: read(put(people(500, 18), "age", range(0, 500, 40), 9999))),
    ("constant_column", lambda: read(people(80, 19).with_columns(pl.lit("v2").alias("version")))),
    ("identifier_column", lambda: read(people(200, 20).with_columns(pl.Series("record", 1000 + rng(20).permutation(200))))),
    ("identifier_column", lambda: read(people(120, 21).with_columns(pl.Series("customer_id", rng(21).permutation(10**6)[:120])))),
    ("dates_as_text", lambda: read(people(150, 22).with_columns(pl.Series("since", [f"{d[5:7]}/{d[8:]}/{d[:4]}" for d in people(150, 22)["since"]])))),
    ("mixed_units", lambda: read(put(people(300, 23), "height", range(0, 300, 21), lambda v: v / 100))),
    ("mixed_units", lambda: read(put(people(400, 24), "income", range(0, 400, 31), lambda v: v / 1000))),
    ("outliers", lambda: read(put(people(300, 25), "height", [77], 1712.0))),
    ("rare_class", lambda: few_of_one(26)),
    ("too_few_items", lambda: read(people(30, 27))),
    ("too_few_items", lambda: read(sentences(20, 28))),
    ("shifted_split", lambda: by_time(29)),
    ("shifted_split", lambda: by_label(30)),
    ("blank_pictures", lambda: blanks(500, 9, 0, 31)),
    ("inverted_pictures", lambda: inverted(500, 40, 32)),
    ("mixed_ranges", lambda: ranges(400, 50, 33)),
    ("near_empty_texts", lambda: read([*prose(300, 34), *["", "-", ".", "a", "?"]])),
    ("boilerplate", lambda: read([f"{t}\n\nAll rights reserved. Subscribe to our newsletter." if i % 2 else t for i, t in enumerate(prose(200, 35))])),
    ("control_characters", lambda: read([t.replace(". ", ".\x0b\x00 ", 1) if i % 10 == 0 else t for i, t in enumerate(prose(200, 36))])),
    ("mixed_scripts", lambda: read([*prose(200, 37), "Вдруг на дороге показался всадник.", "Ночь была тёмная, и ветер стих.", "За рекой горел костёр."])),
    ("mixed_scripts", lambda: read([t.replace("a", "\u0430", 2) if i % 12 == 0 else t for i, t in enumerate(sentences(300, 38))])),
    ("diverged", lambda: broken(25, 40)),
    ("diverged", lambda: jumped(30, 60.0, 41)),
    ("over_fitting", lambda: by_heart(15, 0.06, 42)),
    ("over_fitting", lambda: told(np.arange(1, 21) * 100, None, 2 + np.exp(-np.arange(20) / 2) + 0.03 * np.clip(np.arange(20) - 8, 0, None))),
    ("not_converged", lambda: unfinished(43)),
    ("not_converged", lambda: told(np.arange(1, 13) * 25, None, 60 - 2.5 * np.arange(12))),
    ("rate_too_high", lambda: leaping(44, 1.0)),
    ("rate_too_low", lambda: still(45, 1e-7)),
    ("bad_scaling", lambda: huge(2e5, 46)),
    ("no_validation", lambda: told(*fit(40, 47)[:2])),
    ("vanishing_gradient", lambda: told(*fit(40, 48), extra={"grad_norm": 0.3 * np.exp(-np.arange(40) / 2)})),
    ("collapse", lambda: told(*fit(40, 49), extra={"kl": 3 * np.exp(-np.arange(40) / 3)})),
    ("collapse", lambda: told(*fit(40, 50), what="critic", notes=("mode collapse: nothing is made like 40% of the training items; more steps may help",))),
    ("critic_wins", lambda: game(0.002, 51)),
    ("too_few_samples", lambda: figures(1, 20)),
    ("frechet_rank", lambda: beside(one("frechet", 3.0, 0.1, 1500, "squared Frechet distance, in 2048 features of Inception"))),
    ("no_standard_error", lambda: Figures([one("recall", 0.8, None), one("precision", 0.7, None)])),
    ("wrong_tokeniser", lambda: beside(one("bleu", 21.0, 0.4, 900, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp", "higher"), script="HAN")),
    ("biased_estimate", lambda: beside(one("inception_score", 4.0, 0.1, 800, "by the classes of digits", "higher"))),
    ("below_floor", lambda: beside(one("energy_distance", 0.9, 0.02, 2000, "", "lower", 0.5, 0.04))),
    ("above_ceiling", lambda: beside(one("precision", 0.99, 0.004, 3000, "", "higher", 0.2, 0.9))),
    ("unlike_likelihoods", lambda: two(("nats an item, exact; counting measure", "nats an item, bound; Lebesgue in the units of age"))),
    ("one_seed", lambda: two(("nats an item, exact",) * 2, seeds=1)),
    ("few_made_items", lambda: figures(2, 3000, made=200)),
    ("unused_gpu", lambda: machine({"torch": "2.9.0+cu128"})),
    ("unused_gpu", lambda: machine({"torch": "2.9.0+cpu"}, gpu="NVIDIA L4")),
    ("torch_mismatch", lambda: machine({"torch": "2.6.0", "torchvision": "0.19.1"})),
    ("old_version", lambda: machine({"polars": "0.20.31"})),
    ("missing_extra", lambda: machine(files=["model.gguf"])),
    ("too_many_threads", lambda: machine(threads={"OMP_NUM_THREADS": "64"})),
    ("little_room", lambda: machine(disk={"/home/me": 200 << 20})),
    ("read_only_cache", lambda: machine(cache_writable=False)),
    ("not_utf8", lambda: machine(encodings={"file names": "utf-8", "files": "ANSI_X3.4-1968"})),
    ("shadowed_package", lambda: machine(modules=["train.py", "random.py"])),
]

HEALTHY: list[tuple[str, tuple[str, ...], Make]] = [
    ("iris", (), lambda: named("iris")),
    ("wine", (), lambda: named("wine")),
    ("breast_cancer", (), lambda: named("breast_cancer")),
    ("diabetes", (), lambda: named("diabetes")),
    ("digits", (), lambda: named("digits")),
    ("adult: 99999 is where gains were cut off", ("sentinels",), lambda: named("adult")),
    ("mushrooms", (), lambda: named("mushrooms")),
    ("nltcs", (), lambda: named("nltcs")),
    ("dna: the same stretches from several genes", ("duplicates",), lambda: named("dna")),
    ("tang: 377 quatrains stand twice in the collection", ("duplicates",), lambda: named("tang")),
    ("tang, each once", (), lambda: read(poems(3000, 1))),
    ("topics, long ones, each once", (), lambda: read(prose(600, 2))),
    ("shakespeare", (), lambda: named("shakespeare")),
    ("emoji: 5 flags", ("rare_class",), lambda: named("emoji")),
    ("people", (), lambda: read(people(800, 3))),
    ("people, divided at random", (), lambda: halves(people(800, 4), *np.split(rng(4).permutation(800), [640]))),
    ("digits as pictures, divided at random", (), lambda: parted(with_labels(*pictures(800, 5)), np.arange(640), np.arange(640, 800))),
    ("sentences", (), lambda: read(sentences(400, 6))),
    ("normal numbers", (), lambda: read(rng(7).normal(size=(500, 5)))),
    ("long tails", (), lambda: read(pl.DataFrame({"a": rng(8).pareto(1.5, 800), "b": rng(9).standard_t(2, 800), "c": np.exp(rng(10).normal(0, 2, 800))}))),
    ("two heaps far apart", (), lambda: read(np.concatenate([rng(11).normal(0, 1, (300, 2)), rng(12).normal(30, 1, (300, 2))]))),
    ("a risk, by chance", (), lambda: read(people(2000, 13).select("age", "income", "city", "ill"))),
    ("a fit that went well", (), lambda: well(40, 14)),
    ("a noisy fit that went well", (), lambda: well(60, 15, 0.08)),
    ("a fit of few looks", (), lambda: told(np.arange(1, 6) * 100, None, np.array([3.0, 2.2, 2.05, 2.01, 2.0]))),
    ("a game that goes well", (), lambda: game(1.2, 16)),
    ("a fit that levels off and wobbles", (), lambda: told(np.arange(1, 31) * 50, None, 2 + np.exp(-np.arange(30) / 3) + 0.01 * rng(17).normal(size=30))),
    ("figures of a good model", (), lambda: figures(18)),
    ("figures of many items", (), lambda: figures(19, 20000)),
    ("two models on one measure", (), lambda: two(("nats an item, exact; counting measure",) * 2)),
    ("Chinese by character", (), lambda: beside(one("self_bleu", 0.3, 0.01, 200, "BLEU-4 by character of each of 200 texts against the others", "real"), script="HAN")),
    ("a machine", (), lambda: machine()),
    ("a machine with a GPU", (), lambda: machine({"torch": "2.9.1+cu128", "torchvision": "0.24.1"}, gpu="NVIDIA L4")),
    ("a laptop", (), lambda: machine({"torch": "2.13.0"}, system="Darwin", threads={}, cores=8)),
]


# ---- LATER: written when the rules were done

def three(seeds: int) -> Figures:
    return Figures([Figure("c2st", v, 0.01, 900, model=m, better="lower") for v, m in ((0.7, "gmm"), (0.68, "flow"), (0.66, "made"))], {"seeds": seeds})


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun")


def rows_told(lines: list[dict[str, Any]]) -> Record:
    """A log of somebody else's loop, a line of JSON an epoch."""
    import json
    from pathlib import Path
    from tempfile import TemporaryDirectory

    from ilk.verbs._checkup import record_of

    with TemporaryDirectory() as folder:
        at = Path(folder) / "log.jsonl"
        at.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
        return record_of(at)


def jittered(seed: int) -> Dataset[Any]:
    frame = named("breast_cancer").items
    near = frame[:30].with_columns(pl.col(pl.Float64) * (1 + 1e-5))
    return halves(pl.concat([frame, near]), np.arange(450), np.arange(450, 599))


def coded(seed: int) -> Dataset[Any]:
    frame = named("wine").items
    r = rng(seed)
    batch = [f"{'xyz'[int(str(g)[-1])]}{r.integers(1, 6)}" for g in frame["grower"]]
    return read(frame.insert_column(2, pl.Series("batch", batch)))


def colours(n: int, many: int, seed: int) -> Dataset[Any]:
    x = named("emoji").items[rng(seed).permutation(1377)[:n]].copy()
    x[:many] = 255
    return read(x)


def scarce(seed: int) -> Dataset[Any]:
    x, y = pictures(900, seed)
    kept = np.flatnonzero((y != 9) | (np.cumsum(y == 9) <= 4))
    return with_labels(x[kept], y[kept])


def old(seed: int) -> Dataset[Any]:
    frame = people(1200, seed)
    order = np.argsort(frame["age"].to_numpy() + rng(seed).normal(0, 12, 1200), kind="stable")
    return halves(frame, order[:900], order[900:])


def epochs(own: Any, seen: Any = None, extra: Any = None) -> Record:
    beside = {**({} if seen is None else {"val_loss": seen}), **(extra or {})}
    return rows_told([{"epoch": i, "train_loss": float(v), **{k: float(w[i]) for k, w in beside.items()}} for i, v in enumerate(own)])


FAULTY += [
    ("split_leakage", lambda: jittered(60)),
    ("split_leakage", lambda: parted(read([*poems(600, 61), *[re.sub("[，。]", " ", t) for t in poems(600, 61)[:25]]]), np.arange(500), np.arange(500, 625))),
    ("duplicates", lambda: read(np.concatenate([pictures(300, 62)[0], pictures(300, 62)[0][:18]]))),
    ("leaking_target", lambda: coded(63)),
    ("label_noise", lambda: noisy_table("iris", 0.15, 64)),
    ("label_noise", lambda: noisy_digits(1500, 0.06, 65)),
    ("mis_encoded", lambda: read([t.encode("gb18030").decode("latin-1") if i % 8 == 0 else t for i, t in enumerate(poems(400, 66))])),
    ("mis_encoded", lambda: read(people(100, 67).rename({"city": "résidence".encode().decode("cp1252"), "income": "âge net".encode().decode("cp1252")}))),
    ("numbers_as_text", lambda: read(people(200, 68).with_columns(pl.Series("income", [f"€ {v:,.2f}".translate({44: ".", 46: ","}) for v in people(200, 68)["income"]])))),
    ("numbers_as_text", lambda: read(people(150, 69).with_columns(pl.Series("share", [f"{v:.1f}%" for v in rng(69).uniform(0, 100, 150)])))),
    ("sentinels", lambda: read(put(people(400, 70), "age", range(0, 400, 50), -1))),
    ("sentinels", lambda: read(put(people(400, 71), "city", range(0, 400, 30), "N.A."))),
    ("constant_column", lambda: read(people(60, 72).with_columns(pl.lit(3.5).alias("gain")))),
    ("identifier_column", lambda: read(people(150, 73).with_columns(pl.Series("session", [rng(73 + i).bytes(8).hex() for i in range(150)])))),
    ("dates_as_text", lambda: read(people(150, 74).with_columns(pl.Series("since", [f"{1 + i % 28} {MONTHS[i % 6]} 20{10 + i % 13}" for i in range(150)])))),
    ("mixed_units", lambda: read(put(pl.DataFrame({"weight": rng(75).normal(72, 8, 500).round(1)}), "weight", range(0, 500, 12), lambda v: 1000 * v))),
    ("outliers", lambda: read(put(people(250, 76), "age", [12], 531))),
    ("outliers", lambda: read(np.where(np.arange(600)[:, None] == 55, 40.0, rng(77).normal(size=(600, 3))))),
    ("rare_class", lambda: scarce(78)),
    ("too_few_items", lambda: read(rng(79).normal(size=(25, 3)))),
    ("shifted_split", lambda: old(80)),
    ("shifted_split", lambda: parted(read(prose(300, 81) + poems(60, 81)), np.arange(300), np.arange(300, 360))),
    ("blank_pictures", lambda: colours(300, 4, 82)),
    ("inverted_pictures", lambda: inverted(300, 5, 83)),
    ("mixed_ranges", lambda: ranges(200, 170, 84)),
    ("near_empty_texts", lambda: read([*poems(400, 85), "。", "無", "……", "，"])),
    ("boilerplate", lambda: read([f"本詩由古籍網站整理提供\n{t}" if i % 3 else t for i, t in enumerate(poems(200, 86))])),
    ("control_characters", lambda: read(put(people(200, 87), "city", [4, 9], "Lyon\u200b"))),
    ("mixed_scripts", lambda: read([*sentences(200, 88), *["こんにちは、ここは静かな町です。", "橋の下に古い水車がある。", "冬の朝はとても寒い。", "道は丘の上まで続く。"]])),
    ("diverged", lambda: epochs([2.0, 1.6, 1.4, 1.3, math.inf, math.inf])),
    ("diverged", lambda: epochs([0.9, 0.7, 0.6, 0.55, 0.5, 0.52, 14.0, 15.0, 15.5, 15.1], [0.9, 0.8, 0.7, 0.6, 0.6, 0.6, 14.0, 15.0, 15.0, 15.0])),
    ("over_fitting", lambda: epochs(np.exp(-np.arange(20) / 6), 0.5 + 0.5 * np.exp(-np.arange(20) / 2) + 0.015 * np.clip(np.arange(20) - 5, 0, None))),
    ("not_converged", lambda: epochs(4 - 0.1 * np.arange(20), 4.1 - 0.1 * np.arange(20))),
    ("rate_too_high", lambda: epochs(2 + 0.9 * (-1.0) ** np.arange(30) + 0.1 * rng(90).normal(size=30), 2 + 0.8 * (-1.0) ** np.arange(30))),
    ("rate_too_low", lambda: epochs(2.302 - 1e-4 * np.arange(50), 2.303 - 1e-4 * np.arange(50))),
    ("bad_scaling", lambda: epochs([4.1e7, 2.2e5, 900.0, 40.0, 12.0, 9.0, 8.0, 7.5, 7.3, 7.2], [1.1e7, 2e5, 800.0, 40.0, 13.0, 9.4, 8.2, 7.7, 7.5, 7.4])),
    ("no_validation", lambda: epochs(1 + np.exp(-np.arange(25) / 4))),
    ("vanishing_gradient", lambda: epochs(2 + 0 * np.arange(20), 2 + 0 * np.arange(20), {"grad_norm": np.full(20, 3e-8)})),
    ("collapse", lambda: told(*fit(40, 91), what="vqvae", notes=("code perplexity 3.1 of 512",))),
    ("critic_wins", lambda: epochs(3 + 0.1 * np.arange(20), None, {"d_loss": 0.6 * np.exp(-np.arange(20) / 2), "g_loss": 5.0 + np.arange(20)})),
    ("too_few_samples", lambda: beside(one("c2st", 0.6, 0.09, 40, "AUC", "lower"))),
    ("frechet_rank", lambda: beside(one("FID", 31.0, None, 1000, "torch-fidelity"))),
    ("no_standard_error", lambda: two(("nats an item, exact",) * 2, se=None)),
    ("wrong_tokeniser", lambda: beside(one("rouge_l", 0.4, 0.01, 500, "words split at whitespace", "higher"), script="HAN")),
    ("biased_estimate", lambda: beside(one("fid", 20.0, 0.5, 4200, "in 2048 features", "lower"))),
    ("below_floor", lambda: beside(one("nats", -9.0, 0.05, 800, "nats an item", "higher", -7.5))),
    ("above_ceiling", lambda: beside(one("energy_distance", 0.001, 0.001, 3000, "", "lower", 0.6, 0.05))),
    ("unlike_likelihoods", lambda: two(("bits a dimension, exact", "nats an item, exact"), name="nll")),
    ("one_seed", lambda: three(1)),
    ("few_made_items", lambda: figures(92, 1000, made=50)),
    ("unused_gpu", lambda: machine({"torch": "2.13.0"}, cuda_build=True)),
    ("torch_mismatch", lambda: machine({"torch": "2.7.1", "torchaudio": "2.5.0"})),
    ("old_version", lambda: machine(python="3.9.18")),
    ("old_version", lambda: machine({"numpy": None})),
    ("too_many_threads", lambda: machine(threads={"MKL_NUM_THREADS": "auto"})),
    ("little_room", lambda: machine(memory=300 << 20)),
    ("not_utf8", lambda: machine(encodings={"file names": "utf-8", "files": "cp1252"})),
    ("shadowed_package", lambda: machine(modules=["notebooks.py", "torch"])),
]

SIGNS = ("👍🏽", "😂", "👩‍🚀", "❤️")
FRENCH = ["« L'été à la mer » : où étaient-ils allés ? À Nîmes, bien sûr, près du château où naquit Émile.",
          "Forêts, îles et rivières ; le bœuf broutait l'herbe drue près de l'église.",
          "Çà et là, des ânes gris — dociles — tiraient des charrettes pleines de maïs."]
CODE = "def f(x):\n\tif x:\n\t\treturn [i ** 2 for i in range(x)]  # squares\n\treturn None\n"

HEALTHY += [
    ("breast_cancer, divided at random", (), lambda: parted(named("breast_cancer"), *(rng(100).permutation(569)[a:b] for a, b in ((0, 450), (450, 569))))),
    ("mnist", (), lambda: with_labels(named("mnist").items[:700], named("mnist").labels.codes[:700].numpy())),   # type: ignore[union-attr]
    ("plants", (), lambda: named("plants")),
    ("topics: 359 headings and notes stand again and again", ("duplicates",), lambda: named("topics")),
    ("emoji pictures", (), lambda: read(named("emoji").items[:400])),
    ("two languages, half each", (), lambda: read([*prose(200, 101), *poems(200, 101)])),
    ("French: three sentences stand again and again", ("boilerplate",), lambda: read([f"{FRENCH[i % 3]} {s}" for i, s in enumerate(sentences(200, 102))])),
    ("texts divided at random", (), lambda: parted(read(prose(500, 103)), np.arange(400), np.arange(400, 500))),
    ("poems divided at random", (), lambda: parted(read(poems(900, 104)), np.arange(700), np.arange(700, 900))),
    ("programs", (), lambda: read([CODE.replace("squares", s).replace("f(", f"f{i}(") for i, s in enumerate(sentences(300, 105))])),
    ("chat with signs", (), lambda: read([f"{s} {SIGNS[i % 4]}" for i, s in enumerate(sentences(300, 106))])),
    ("formulas", (), lambda: read([f"{s} where α = {i} and Δx → 0, σ² > β" for i, s in enumerate(sentences(200, 107))])),
    ("ages to 99, per cents, temperatures", (), lambda: read(pl.DataFrame({"age": rng(108).integers(0, 100, 900), "share": rng(109).integers(0, 101, 900),
                                                                        "celsius": rng(110).normal(3, 6, 900).round(0), "celsius_10": rng(111).normal(3, 6, 900).round(1)}))),
    ("codes, sizes and ordinals", (), lambda: read(people(400, 112).with_columns(
        pl.Series("post", [f"{v:05d}" for v in rng(112).integers(1000, 1100, 400)]), pl.Series("size", rng(113).choice(["S", "M", "L", "XL"], 400)),
        pl.Series("place", [f"{v}th" for v in rng(114).integers(4, 20, 400)])))),
    ("prices and counts", (), lambda: read(pl.DataFrame({"price": np.exp(rng(115).normal(3, 1.2, 1500)).round(2), "sold": rng(116).poisson(2, 1500),
                                                         "stock": rng(117).geometric(0.02, 1500)}))),
    ("two kinds of one thing", (), lambda: read(pl.DataFrame({"mass": np.concatenate([rng(118).normal(4, 0.6, 300), rng(119).normal(31, 4, 300)]).round(2),
                                                           "kind": ["cat"] * 300 + ["dog"] * 300, "age": rng(120).integers(0, 15, 600)}))),
    ("classes that overlap", (), lambda: with_labels(np.concatenate([rng(121).normal(0, 1, (400, 3)), rng(122).normal(1, 1, (400, 3))]), np.repeat([0, 1], 400))),
    ("three overlapping classes", (), lambda: with_labels(np.concatenate([rng(123 + k).normal(1.2 * k, 1, (300, 4)) for k in range(3)]), np.repeat([0, 1, 2], 300))),
    ("a table with gaps", (), lambda: read(put(people(500, 126), "income", range(0, 500, 4), None))),
    ("light and dark pictures", (), lambda: read(np.clip(rng(127).normal(128, 40, (300, 12, 12)) + rng(128).normal(0, 50, (300, 1, 1)), 0, 255).astype(np.uint8))),
    ("log densities below 0", (), lambda: told(np.arange(1, 41) * 50, 5 - 300 * (1 - np.exp(-np.arange(40) / 4)) + rng(129).normal(size=40),
                                            8 - 295 * (1 - np.exp(-np.arange(40) / 4)) + rng(130).normal(size=40))),
    ("a slow but settled fit", (), lambda: epochs(1 + 2 * np.exp(-np.arange(60) / 12), 1.1 + 2 * np.exp(-np.arange(60) / 12))),
    ("a fit in two stages", (), lambda: Record([*well(30, 131).events, *well(30, 132).events])),
    ("a Wasserstein game", (), lambda: told(np.arange(1, 31) * 100, -4 + 3 * np.exp(-np.arange(30) / 5) + 0.2 * rng(133).normal(size=30), what="critic")),
    ("held-out loss that levels off", (), lambda: epochs(0.5 + np.exp(-np.arange(30) / 6), 0.8 + 0.7 * np.exp(-np.arange(30) / 5) + 0.01 * rng(134).normal(size=30))),
    ("a short fit of EM", (), lambda: told(np.arange(1, 16), np.array([9, 6, 4.5, 4.1, 4.0, *[3.98 - 0.002 * i for i in range(10)]]),
                                           np.array([9.1, 6.2, 4.7, 4.3, 4.2, *[4.19] * 10]), what="em")),
    ("a good fit with norms", (), lambda: told(*fit(40, 135), extra={"grad_norm": 0.5 + 0.1 * np.exp(-np.arange(40)), "kl": 5 + np.arange(40) / 10})),
    ("distinct_n has no error", (), lambda: beside(one("distinct_n", 0.6, None, 400, "distinct-2 by word over 9000 tokens", "real"), script="LATIN")),
    ("as good as real within its error", (), lambda: beside(one("precision", 0.92, 0.02, 2000, "", "higher", 0.3, 0.91))),
    ("a Frechet distance of many items", (), lambda: beside(one("frechet", 0.8, 0.05, 10000, "in 64 features", "lower", 9.0, 0.3))),
    ("three models, three seeds", (), lambda: three(3)),
    ("English BLEU", (), lambda: beside(one("bleu", 31.0, 0.4, 900, "nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp", "higher"), script="LATIN")),
    ("a workstation", (), lambda: machine({"torch": "2.6.0+cu124", "torchvision": "0.21.0", "torchaudio": "2.6.0"}, gpu="NVIDIA RTX A4000", cores=32,
                                          threads={"OMP_NUM_THREADS": "16"})),
    ("a small server", (), lambda: machine(cores=1, threads={"OMP_NUM_THREADS": "1"}, memory=3 << 30, files=["a.parquet"], modules=["utils.py", "model.py", "test_model.py"])),
]

CLEAN: list[tuple[str, Make]] = [(label, make) for label, _, make in HEALTHY]
TRUE: dict[str, tuple[str, ...]] = {label: known for label, known, _ in HEALTHY}
