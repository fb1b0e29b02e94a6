"""`ilk audit`, `ilk publish` and the quick look of every fit: what they say and write, what they refuse, that they fail closed."""
from __future__ import annotations

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import ilk
from ilk.attack import Finding
from ilk.cli import main
from ilk.dataset import split_dataset
from ilk.errors import PolicyError, UsageError
from ilk.pages.words import EN
from ilk.pages.words_audit import FIGURES, LACKS, TABLE
from ilk.run import Run
from ilk.verbs import _quick
from ilk.verbs._audit_page import write_audit
from ilk.verbs.audit import Audit
from ilk.verbs.publish import checked, publish


def people(seed: int, n: int = 600) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    old = rng.uniform(size=n) < 0.3
    return pl.DataFrame({"age": np.round(np.where(old, 70, 30) + 5 * rng.standard_normal(n), 2), "pay": np.round(np.where(old, 20, 40) + 9 * rng.standard_normal(n), 2),
                         "pet": np.where((rng.uniform(size=n) < 0.8) == old, "cat", "dog")})


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    at = tmp_path_factory.mktemp("audit")
    people(1).write_csv(at / "people.csv")
    people(2, 200).write_csv(at / "new.csv")
    data = ilk.read(at / "people.csv")
    ilk.fit(data, ilk.GMM(components=2)).save(at / "fair.ilk")
    ilk.fit(data, ilk.GMM(components=120, ridge=1e-4)).save(at / "leaky.ilk")
    split_dataset(data).train.write_csv(at / "copy.csv")
    return at


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_audit(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    code, told = answer(capsys, "audit", "fair.ilk", "--against", "new.csv", "--page", "a.html")
    assert code == 0 and told["verdict"] == "no sign of a leak" and not told["unmeasured"] and told["page"] == "a.html"
    assert {f["name"] for f in told["findings"]} >= {"nearest_record", "unauthentic", "membership", "near_duplicates", "rare_rows", "attribute_inference"}
    assert all(f["low"] <= f["value"] <= f["high"] and f["reads"] in Path("a.html").read_text() for f in told["findings"])
    code, leaky = answer(capsys, "audit", "leaky.ilk", "--against", "new.csv", "--shadows", "4")
    assert code == 0 and leaky["verdict"] == "leaks" and {"membership", "likelihood_ratio"} <= set(leaky["flagged"])
    code, copied = answer(capsys, "audit", "fair.ilk", "--against", "new.csv", "--made", "copy.csv")
    assert "near_duplicates" in copied["flagged"] and "membership" not in copied["flagged"]
    assert answer(capsys, "audit", "fair.ilk", "--shadows", "2")[0] == 2 and answer(capsys, "audit", "fair.ilk", "--secrets", "new.csv")[0] == 2
    assert answer(capsys, "audit", "fair.ilk", "--against", "copy.csv")[0] == 3   # training items for held-out ones


def test_planted(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    codes = pl.DataFrame({"note": [f"the code is {i:03d}" for i in range(0, 1000, 7)]})
    codes.head(1).write_csv("secret.csv", include_header=False)
    codes.tail(-1).write_csv("others.csv", include_header=False)
    Path("notes.txt").write_text("".join(f"a plain line {i % 9}\n" for i in range(200)) + 12 * "the code is 000\n")
    Path("secret.txt").write_text(Path("secret.csv").read_text())
    Path("others.txt").write_text(Path("others.csv").read_text())
    assert main(["fit", "notes.txt", "--family", "ngram", "--per", "line", "--out", "notes.ilk"]) == 0
    _, told = answer(capsys, "audit", "notes.ilk", "--secrets", "secret.txt", "--alternatives", "others.txt")
    (found,) = [f for f in told["findings"] if f["name"] == "exposure"]
    assert found["flagged"] and found["value"] == pytest.approx(np.log2(143)) and found["null"] == pytest.approx(1.4427, abs=1e-4)


def test_what_is_not_measured_is_not_safe(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    people(1).write_csv("people.csv")
    assert main(["fit", "people.csv", "--family", "gmm", "--components", "2"]) == 0 and "audit: not measured" in capsys.readouterr().out
    Path("people.csv").unlink()
    for more in ((), ("--against", home / "new.csv")):
        code, told = answer(capsys, "audit", "people.ilk", *more)
        assert code == 0 and told["verdict"] == "not shown to be safe" and not told["findings"] and len(told["unmeasured"]) >= 6
        code, refused = answer(capsys, "publish", "people.ilk", "--out", "public", *more)
        assert code == 6 and refused["error"]["code"] == "AUDIT" and "membership is not measured" in refused["error"]["message"] and not Path("public").exists()


def test_other_data_than_the_card_names() -> None:
    told = ilk.audit(ilk.fit(people(1), ilk.GMM(components=2)), people(2))
    assert "training items" in told.unmeasured and told.verdict == "not shown to be safe"


def test_a_model_without_a_likelihood_is_not_shown_to_be_safe() -> None:
    rows = people(1, 900)
    told = ilk.audit(ilk.fit(rows, ilk.GAN(), budget=ilk.Steps(3)), rows, n=300)
    assert told.unmeasured == {"membership": "no likelihood"} and told.verdict != "no sign of a leak"
    code = ilk.fit(rows.select("age", "pay"), ilk.Autoencoder(), budget=ilk.Steps(3))
    assert "nearest_record" in ilk.audit(code, rows.select("age", "pay")).unmeasured


def test_same_seed_same_audit_and_other_kinds_of_data() -> None:
    x = np.random.default_rng(0).integers(0, 256, size=(300, 4, 4, 1)).astype(np.uint8)
    model = ilk.fit(x, ilk.VAE(), budget=ilk.Steps(5))
    assert ilk.audit(model, x, n=100, seed=3) == ilk.audit(model, x, n=100, seed=3) != ilk.audit(model, x, n=100, seed=4)
    texts = [" ".join(f"line {i} says {i * i % 97}" for i in range(200 * k, 200 * k + 200)) for k in range(30)]   # few long ones are cut in pieces
    told = ilk.audit(ilk.fit(texts, ilk.NGram(order=3)), texts, n=20)
    with pytest.raises(UsageError, match="shadow models are fitted on halves"):
        ilk.audit(ilk.fit(texts, ilk.NGram(order=3)), texts, n=20, shadows=4)
    assert told["membership"].n > 20 and told["verbatim"].value > 0


def test_publish(home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(home)
    code, told = answer(capsys, "publish", "fair.ilk", "--out", "public", "--against", "new.csv")
    assert code == 0 and told["files"] == ["audit.html", "audit.json", "card.md", "ilk.json", "model.safetensors", "report.html"]
    assert ilk.load("public").sample(5).equals(ilk.load("fair.ilk").sample(5)) and "no sign of a leak" in Path("public/card.md").read_text()
    assert json.loads(Path("public/audit.json").read_text())["verdict"] == told["verdict"]
    code, refused = answer(capsys, "publish", "leaky.ilk", "--out", "no", "--against", "new.csv")
    said = refused["error"]["message"]
    assert code == 6 and not Path("no").exists() and all(name in said for name in ilk.audit(ilk.load("leaky.ilk"), _against(home)).flagged)
    Path("lax.json").write_text(json.dumps({f.name: 10 for f in ilk.audit(ilk.load("leaky.ilk"), _against(home)).findings}))
    assert answer(capsys, "publish", "leaky.ilk", "--out", "yes", "--against", "new.csv", "--policy", "lax.json")[0] == 0
    Path("strict.json").write_text('{"nearest_record": 0.1}')
    assert answer(capsys, "publish", "fair.ilk", "--out", "no", "--against", "new.csv", "--policy", "strict.json")[0] == 6
    for bad in ('{"membershp": 0.6}', '{"membership": true}', '{"accept": ["all"]}', "[]", "{", '{"membership": "x"}'):
        Path("bad.json").write_text(bad)
        assert answer(capsys, "publish", "fair.ilk", "--out", "no", "--policy", "bad.json")[0] == 2
    assert answer(capsys, "publish", "fair.ilk", "--out", "new.csv")[0] == 2 and not Path("no").exists()


def _against(home: Path) -> Any:
    own = split_dataset(ilk.read(home / "people.csv"))
    return replace(own, items=pl.concat([own.items, people(2, 200)]), splits={**own.splits, "test": torch.arange(len(own), len(own) + 200)})


def test_a_policy_may_accept_what_is_not_measured() -> None:
    rows = people(1, 900)
    model = ilk.fit(rows, ilk.GAN(), budget=ilk.Steps(3))
    with pytest.raises(PolicyError, match=r"membership is not measured \(no likelihood\)"):
        publish(model, "nowhere", rows, n=300)
    assert checked({"accept": ["membership"], "membership": 0.6}) == {"accept": ["membership"], "membership": 0.6}
    with pytest.raises(UsageError, match="did you mean membership"):
        checked({"membersip": 1.0})


def test_the_report_that_is_published_shows_no_real_item(home: Path, tmp_path: Path) -> None:
    page = publish(ilk.load(home / "fair.ilk"), tmp_path / "public", _against(home)).folder / "report.html"
    said = page.read_text()
    assert EN["items_alone"] in said and not any(EN[key] in said for key in ("nearest", "items", "real_items", "figures"))


def test_pages_in_both_languages(tmp_path: Path) -> None:
    some = (Finding("membership", 0.7, 0.6, 0.8, 0.5, 0.55, 100, "says <b>"), Finding("unauthentic", 0.5, 0.4, 0.7, 0.5, 0.6, 90, "so"),
            Finding("exposure", 1, 0, 2, 1.44, 4, 9, "bits"))
    assert [(f.flagged, f.open) for f in some] == [(True, False), (False, True), (False, False)]
    for language in ("en", "zh"):
        write_audit(Audit(some, {"rare_rows": "no training items, no held-out items", "verbatim": "of another reason"}), tmp_path / "a.html", "m<1>", language)
        page = (tmp_path / "a.html").read_text()
        assert "<b>" not in page and "m&lt;1&gt;" in page and "of another reason" in page and {"en": "Leaks: membership", "zh": "有泄露：membership"}[language] in page
        assert ("没有训练条目，没有留出条目" in page) == (language == "zh") and "<script" not in page
    with pytest.raises(UsageError, match="no pages in"):
        write_audit(Audit((), {}), tmp_path / "b.html", "m", "de")
    assert all(all(both) for both in (*TABLE.values(), *FIGURES.values())) and all(LACKS.values())


def test_the_quick_look_is_the_same_every_time_and_costs_little() -> None:
    """Sizes come from counts: the same card for the same seed. Its share of a fit's seconds, the best of five, is far below 15 %."""
    data = split_dataset(ilk.read(np.random.default_rng(0).standard_normal((2500, 6))))
    model, start = ilk.fit(data, ilk.GMM(components=100, ridge=1e-3), seed=1), time.monotonic()
    again = ilk.fit(data, ilk.GMM(components=100, ridge=1e-3), seed=1)
    spent = time.monotonic() - start
    kept = {k: v for k, v in model.card.items() if k != "seconds"}
    assert kept == {k: v for k, v in again.card.items() if k != "seconds"} and model.card["audit"].startswith("LEAKS at a quick look: membership 0.")
    assert model.card["audit_figures"]["flagged"] and "membership" in model.card["audit_figures"]
    looks = []
    for _ in range(5):
        start = time.monotonic()
        _quick.quick(model, data, Run(seed=1))
        looks.append(time.monotonic() - start)
    assert min(looks) <= 0.15 * spent


def test_the_quick_look_says_why_it_did_not() -> None:
    few = ilk.fit(people(1, 100), ilk.GMM(components=1))
    assert few.card["audit"] == "not measured: too few items, or too short a fit, for a quick look" and "audit_figures" not in few.card
    train = replace(ilk.read(people(1, 100)), splits={"train": torch.arange(90), "valid": torch.arange(90, 100)})
    assert ilk.fit(train, ilk.GMM(components=1)).card["audit"] == "not measured: no held-out items"


def test_sums_of_models_say_nothing_of_their_parts() -> None:
    rows = pl.concat([people(s).select("pet") for s in range(3)])
    one = ilk.fit(rows, ilk.ChowLiu())
    assert "audit" in one.card and "audit" not in (one + ilk.fit(rows, like=one)).card
