"""Tuned models in other forms: merged, in GGUF, for peft, in 8 bits; and the commands."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ilk
from ilk.backend import fresh
from ilk.chat import Turn
from ilk.cli import main
from ilk.errors import UsageError
from ilk.model import Model
from ilk.run import Run, Steps
from ilk.verbs.drift import drift, rounded
from ilk.verbs.export import export
from ilk.verbs.tune import tune

from .test_tune import PAIRS, tiny

KIN = [ilk.LoRA(rank=2), ilk.RsLoRA(rank=3), ilk.DoRA(rank=2)]
WORDS = torch.tensor([[1, 40, 70, 99, 30, 2, 45]])


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny(tmp_path_factory.mktemp("forms"))


def tuned(base: str, tuning: Any) -> Model:
    return tune(base, PAIRS, tuning, run=Run(budget=Steps(8), rate=2e-2, precision="float32"))


@pytest.fixture(scope="module")
def lora(base: str) -> Model:
    return tuned(base, KIN[0])


def test_the_merged_folder_is_the_tuned_model(tmp_path: Path, lora: Model) -> None:
    found = export(lora, "transformers", tmp_path / "out")
    assert found.drift is not None and found.drift.largest is not None and found.drift.largest <= 1e-5 and found.drift.greedy == 1
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in found.files}
    plain = fresh(f"hf:{tmp_path / 'out'}")
    with torch.no_grad():
        assert float((plain.module(WORDS).logits - lora.body.chat.module(WORDS).logits).abs().max()) <= 1e-5
    assert ilk.open(f"hf:{tmp_path / 'out'}").given("What is 3?").sample(1, seed=3)


def test_what_can_not_be_merged_is_not_exported(tmp_path: Path, base: str) -> None:
    model = tuned(base, ilk.Adapter(size=2))
    for to in ("transformers", "gguf", "peft"):
        with pytest.raises(UsageError) as refused:
            export(model, to, tmp_path / "out")
        assert refused.value.code == "EXPORT" and not (tmp_path / "out").exists()


def test_llama_cpp_answers_as_the_tuned_model(tmp_path: Path, lora: Model) -> None:
    pytest.importorskip("xllamacpp")
    found = export(lora, "gguf", tmp_path / "out")
    assert found.drift is not None and found.drift.largest is not None and found.drift.largest < 2e-3 and found.drift.greedy == 1
    served, turns = fresh(f"gguf:{tmp_path / 'out' / 'model.gguf'}"), [Turn.of("user", "What is so?")]
    ours = [t.nats for t in lora.body.chat.weigh("It is of course", turns)]
    assert [t.nats for t in served.weigh("It is of course", turns)] == pytest.approx(ours, abs=2e-3)


def test_the_tokenizer_is_that_of_the_file_that_the_base_came_from(tmp_path: Path, lora: Model) -> None:
    gguf = pytest.importorskip("gguf")
    (first,) = export(lora, "gguf", tmp_path / "one").files
    from ilk.exporters._tuned import vocabulary
    from ilk.families.tuned import Tuned

    said = gguf.GGUFWriter(str(tmp_path / "two.gguf"), "llama")
    family = Tuned(address=f"hf:{first}", tuning=lora.body.family.tuning)
    vocabulary(said, Model(lora.modality, lora.codec, lora.lift, family.build(lora.lift.space, ilk.Rng(0))), None, gguf)
    said.write_header_to_file()
    said.write_kv_data_to_file()
    said.close()
    one, two = ({f.name: f.contents() for f in gguf.GGUFReader(p).fields.values() if f.name.startswith("tokenizer.")} for p in (first, tmp_path / "two.gguf"))
    assert one == two and len(one["tokenizer.ggml.tokens"]) == len(lora.body.chat.tokenizer) and "tokenizer.chat_template" in one


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
@pytest.mark.parametrize("tuning", [KIN[0], KIN[2], pytest.param(KIN[1], marks=pytest.mark.slow)], ids=["lora", "dora", "rslora"])
def test_peft_opens_what_was_learned(tmp_path: Path, base: str, tuning: Any) -> None:
    peft = pytest.importorskip("peft")
    model = tuned(base, tuning)
    export(model, "peft", tmp_path / "out")
    theirs = peft.PeftModel.from_pretrained(fresh(base).module, tmp_path / "out").eval()
    with torch.no_grad():
        ours = model.body.chat.module(WORDS).logits
        torch.testing.assert_close(theirs(WORDS).logits, ours, atol=1e-5, rtol=0)
        assert float((fresh(base).module(WORDS).logits - ours).abs().max()) > 1e-2


def test_the_drift_of_8_bits_is_that_of_an_independent_rounding(lora: Model) -> None:
    found = drift(rounded(lora.body.merged()), lora.body.probe)
    plain = lora.body.merged()
    module, tokenizer = plain.module, plain.tokenizer
    for name, p in module.named_parameters():
        if p.ndim == 2 and "embed" not in name:
            w = p.detach().numpy().astype(np.float64)
            step = np.abs(w).max(1, keepdims=True) / 127
            p.data = torch.from_numpy((np.rint(w / step) * step).astype(np.float32))
    apart = []
    for one in lora.body.probe:
        text = tokenizer.apply_chat_template([{"role": r, "content": t} for r, t in one["after"]], tokenize=False, add_generation_prompt=True)
        known, ids = (tokenizer(t, add_special_tokens=False)["input_ids"] for t in (text, one["answer"]))
        with torch.no_grad():
            law = module(torch.tensor([[*known, *ids]])).logits[0].double().log_softmax(-1)
        apart += [abs(float(law[len(known) + i - 1, t]) - n) for i, (t, n) in enumerate(zip(ids, one["nats"], strict=True))]
    assert found.largest == pytest.approx(max(apart), abs=1e-5) and found.mean == pytest.approx(sum(apart) / len(apart), abs=1e-5)
    assert found.largest > 1e-4


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    code = main([*map(str, words), "--json"])
    said = capsys.readouterr()
    return code, json.loads(said.out), said.err


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], base: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pairs.csv").write_text("term,gloss\n" + "".join(f"{p['prompt']},{p['answer']}\n" for p in PAIRS), encoding="utf-8")
    code, said, err = answer(capsys, "tune", base, "pairs.csv", "--columns", "term,gloss", "--tuning", "rslora", "--rank", 3, "--steps", 6, "--micro", 2, "--rate", 0.01)
    assert code == 0 and said["tuning"] == "rslora" and said["steps"] == 6 and said["before"] > said["after"] and "⟦It is" in said["shown"][0] and "⟦It is" in err
    made = ilk.load("pairs.ilk")
    assert made.body.family.tuning == ilk.RsLoRA(rank=3) and said["learned"] == sum(t.numel() for t in made.body.state().tensors.values())
    assert not Path("pairs.ilk.ckpt").exists()
    code, found, _ = answer(capsys, "export", "pairs.ilk", "--to", "transformers", "--out", "out")
    assert code == 0 and found["drift"]["largest"] <= 1e-5
    code, found, _ = answer(capsys, "drift", "pairs.ilk", "--served", "hf:out")
    assert code == 0 and found["greedy"] == 1 and found["largest"] <= 1e-5
    assert answer(capsys, "drift", "pairs.ilk", "--int8")[1]["largest"] > 1e-5
    assert answer(capsys, "drift", "pairs.ilk", "--served", "local:pairs.ilk")[1]["largest"] == 0
    assert main(["tune", base, "pairs.csv", "--columns", "term,gloss", "--steps", "2", "--out", "two.ilk"]) == 0
    assert "held out:" in capsys.readouterr().out


@pytest.mark.parametrize(("words", "code"), [(("--tuning", "lorra"), "UNKNOWN_TUNINGS"), (("--rank", "0"), "OPTION"), (("--columns", "a"), "COLUMNS"), 
                                             (("--length", "1"), "OPTION"),
                                             (("--length", "4096"), "CONTEXT"), (("--length", "4"), "TOO_LONG"), (("--targets", "("), "TARGETS"), (("--batch", "0"), "USAGE")])
def test_commands_refuse_by_name(tmp_path: Path, capsys: pytest.CaptureFixture[str], base: str, words: tuple[str, ...], code: str) -> None:
    (tmp_path / "pairs.csv").write_text("prompt,answer\n" + "".join(f"{p['prompt']},{p['answer']}\n" for p in PAIRS), encoding="utf-8")
    number, said, _ = answer(capsys, "tune", base, tmp_path / "pairs.csv", "--steps", 1, "--out", tmp_path / "x.ilk", *words)
    assert number in (2, 3) and said["error"]["code"] == code and not (tmp_path / "x.ilk").exists()
