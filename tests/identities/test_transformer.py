"""Laws of the transformer: causality, the cache against the whole pass, total mass, windows of long items, Llama's own arithmetic."""
from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ilk
from ilk.batch import Batch, Memory, ragged
from ilk.decoding.top_k import TopK
from ilk.errors import ModelError, UsageError
from ilk.exporters.transformers import Transformers
from ilk.families._sequence_rows import Line, law_rows, training_rows
from ilk.families.transformer import Transformed, Transformer
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.space import Discrete, Many, Maybe, Reals, Space

torch.set_num_threads(1)


def body(size: int = 5, at_most: int = 60, about: dict[str, Space] | None = None, seed: int = 0, **options: Any) -> Transformed:
    """Weights large enough that every part of the network shows."""
    recipe = Transformer(**{"layers": 2, "heads": 4, "kv_heads": 2, "width": 32, "context": 16, "ngrams": 40, **options})
    made = recipe.build(Many(Discrete(size), at_most), Rng(seed), about)
    with torch.no_grad():
        for i, p in enumerate(made.parameters()):
            p.add_(0.3 * Rng(seed).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return made


def items(size: int, lengths: list[int], seed: int = 1) -> Batch:
    x = Rng(seed).child("items").integers(sum(lengths), size)
    return Batch(Batch(x), length=torch.tensor(lengths))


def law_of(b: Transformed, tokens: Tensor) -> Tensor:
    """Log laws after every beginning of one short item, by one pass over the whole."""
    inputs = torch.cat([torch.tensor([b.size]), tokens])[None]
    from ilk.nets._decoder import gram_places

    with torch.no_grad():
        before = gram_places(inputs, b.net.shape) if b.family.ngrams else None
        return b.net.logits(b.net(b.net.embedded(inputs, before), b._mask(inputs, torch.float32)))[0].double().log_softmax(1)


def test_no_token_sees_a_later_one() -> None:
    b, x = body(), items(5, [15]).elements.tensor
    whole = law_of(b, x)
    for t in range(15):
        y = x.clone()
        y[t] = (y[t] + 1) % 5
        other = law_of(b, y)
        assert torch.equal(other[:t + 1], whole[:t + 1])
        assert float((other[t + 1:] - whole[t + 1:]).abs().max()) > 1e-3


def test_mass_is_the_product_of_the_laws_of_one_pass() -> None:
    b, x = body(), items(5, [0, 3, 15, 7])
    for i, length in enumerate(x.lengths.tolist()):
        tokens = x.take(torch.tensor([i])).elements.tensor
        law = law_of(b, tokens)
        want = law[torch.arange(length + 1), torch.cat([tokens, torch.tensor([5])])].sum()
        assert float(b.log_prob(x)[i]) == pytest.approx(float(want), abs=1e-5)


@pytest.mark.parametrize("context", [2, 3, 5, 8])
def test_all_items_together_have_mass_one(context: int) -> None:
    b = body(size=3, at_most=6, context=context)
    every = [s for n in range(7) for s in product(range(3), repeat=n)]
    batch = Batch(Batch(torch.tensor([t for s in every for t in s])), length=torch.tensor([len(s) for s in every]))
    assert float(b.log_prob(batch).exp().sum()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("context", [4, 7, 16])
@pytest.mark.parametrize("ngrams", [0, 40])
def test_steps_are_the_law_that_scores_beyond_the_window(context: int, ngrams: int) -> None:
    """Prompts of several lengths whose windows start anew at different steps, one of them ended, picked and cut on the way."""
    b = body(context=context, ngrams=ngrams, at_most=59)
    x = items(5, [59] * 4)
    padded = x.padded(0)
    starts = torch.tensor([0, 3, 9, 20])
    cache = b.begin(ragged(padded, starts))
    total, token = [torch.zeros(4).double()], None
    for t in range(39):
        if t == 11:
            cache = cache.pick(torch.tensor([0, 1, 2, 3]))
        law = b.step(cache, token).double().log_softmax(1)
        token = padded[torch.arange(4), starts + t]
        total.append(law[torch.arange(4), token])
    want = [b.log_prob_from(ragged(padded, starts + 39), int(s), end=False)[i] for i, s in enumerate(starts)]
    assert torch.allclose(torch.stack(total).sum(0), torch.stack(want), atol=2e-4)
    again = b.step(cache.cut(21), None)
    assert torch.allclose(again, b.step(b.begin(ragged(padded, torch.minimum(starts + 38, torch.tensor(21)))), None), atol=1e-4)


def test_the_window_is_what_the_page_says() -> None:
    """Token t of a long item depends on the tokens from the start of its window on and on none before."""
    b = body(context=8, ngrams=0, at_most=40)
    x = items(5, [30]).elements.tensor
    for t in (0, 7, 8, 11, 12, 29):
        start = 0 if t < 8 else 4 * ((t - 8) // 4 + 1)
        sees = []
        for place in range(t):
            y = x.clone()
            y[place] = (y[place] + 1) % 5
            a, c = (b.log_prob_from(Batch(Batch(v[:t + 1]), length=torch.tensor([t + 1])), t, end=False) for v in (x, y))
            sees.append(bool((a - c).abs() > 1e-6))
        assert sees == [place + 1 >= start for place in range(t)]


def test_rows_predict_every_token_equally_often() -> None:
    batch = items(5, [0, 3, 40, 15, 16, 17, 2, 2, 100])
    line = Line.of(batch, 5)
    for rows, often in ((law_rows(line, 16, False), 1), (law_rows(line, 16, True), 1), training_rows(line, 16, False), training_rows(line, 16, True)):
        _, targets, place = rows.read(line)
        seen = torch.bincount(place[targets >= 0], minlength=len(line.tokens) - 1)
        assert seen.tolist() == [often] * (len(line.tokens) - 1)


def test_items_of_one_row_know_nothing_of_each_other() -> None:
    b, x = body(), items(5, [3, 4, 2, 15, 1])
    alone = torch.cat([b.log_prob(x.cut(i, i + 1)) for i in range(5)])
    assert torch.allclose(b.log_prob(x), alone, atol=1e-5)


def test_greedy_draws_follow_the_steps_of_scoring() -> None:
    b = body(at_most=50, context=8)
    made = b.sample(1, Rng(0), TopK(k=1))
    tokens = made.elements.tensor
    for t in range(len(tokens)):
        other = [b.log_prob_from(Batch(Batch(torch.cat([tokens[:t], torch.tensor([v])])), length=torch.tensor([t + 1])), t, end=False) for v in range(5)]
        assert int(torch.cat(other).argmax()) == int(tokens[t])


CONTEXTS: dict[str, tuple[Space, Batch]] = {
    "label": (Discrete(3), Batch(torch.tensor([0, 2]))), "vector": (Reals((4,)), Batch(torch.tensor([[0.0, 1, 2, 3], [3, 2, 1, 0]]))),
    "picture": (Reals((2, 9, 5)), Batch(torch.arange(180.0).reshape(2, 2, 9, 5) / 90)), "number": (Reals(), Batch(torch.tensor([0.1, 2.0]))),
    "text": (Many(Discrete(4), 6), Batch(Batch(torch.tensor([1, 2, 3])), length=torch.tensor([3, 0]))),
    "maybe": (Maybe(Discrete(3)), Batch(torch.tensor([2, 7]), torch.tensor([True, False]))), "record": (Discrete((2, 3), (2,)), Batch(torch.tensor([[0, 1], [1, 2]])))}


@pytest.mark.parametrize("name", CONTEXTS)
def test_each_kind_of_context_changes_the_law_and_the_cache_knows_it(name: str) -> None:
    space, known = CONTEXTS[name]
    assert Transformer().refuses_context({name: space}) is None
    b = body(about={name: space}, context=6)
    x = items(5, [20, 20])
    y = Batch(x.elements, length=x.lengths, context={name: known})
    swapped = Batch(x.elements, length=x.lengths, context={name: known.take(torch.tensor([1, 0]))})
    nats = b.log_prob(y)
    assert float((nats - b.log_prob(swapped)).abs().min()) > 1e-3
    tokens, total, token = x.padded(0), torch.zeros(2).double(), None
    cache = b.begin(Batch(Batch(tokens[:, :0].flatten()), length=torch.zeros(2, dtype=torch.long), context={name: known}))
    for t in range(21):
        law = b.step(cache, token).double().log_softmax(1)
        token = tokens[:, t] if t < 20 else torch.tensor([5, 5])
        total += law[torch.arange(2), token]
    assert torch.allclose(total, nats, atol=2e-4)


def test_contexts_that_have_no_form_are_refused() -> None:
    why = Transformer().refuses_context({"boxes": Many(Reals((4,)), 3)})
    assert why is not None and "boxes" in why


def test_it_learns_a_grammar() -> None:
    """Items repeat their first half: beyond the first token all is certain."""
    half = Rng(0).integers(600, 4)
    x = half[:, None].repeat(1, 4)
    data = Memory(ragged(x, torch.full((600,), 4)))
    b = Transformer(layers=1, heads=2, width=32, context=16).build(Many(Discrete(4), 8), Rng(0))
    b.fit(data, Run(seed=0, budget=Steps(150), batch=24, rate=1e-2))
    entropy = -float((torch.bincount(half).double() / 600).log()[half].mean())
    assert -float(b.log_prob(data.batch).mean()) < entropy + 0.05


def test_a_recipe_whose_heads_do_not_fit_is_refused() -> None:
    for recipe in (Transformer(width=30, heads=4), Transformer(heads=4, kv_heads=3)):
        with pytest.raises(UsageError, match="multiple"):
            recipe.build(Many(Discrete(3), 4), Rng(0))


# Llama's arithmetic, written anew in numpy from its definition.


def llama(weights: dict[str, np.ndarray[Any, Any]], config: dict[str, Any], ids: list[int]) -> np.ndarray[Any, Any]:
    heads, kv, d = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]

    def norm(x: np.ndarray[Any, Any], w: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.asarray(x / np.sqrt((x**2).mean(-1, keepdims=True) + config["rms_norm_eps"]) * w)

    def rotate(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        out = x.copy()
        for t in range(x.shape[1]):
            for j in range(d // 2):
                a = t / config["rope_theta"] ** (2 * j / d)
                one, two = x[:, t, j], x[:, t, j + d // 2]
                out[:, t, j], out[:, t, j + d // 2] = one * np.cos(a) - two * np.sin(a), two * np.cos(a) + one * np.sin(a)
        return out

    h = weights["model.embed_tokens.weight"][ids]
    for i in range(config["num_hidden_layers"]):
        w = {k.removeprefix(f"model.layers.{i}.").removesuffix(".weight"): v for k, v in weights.items() if k.startswith(f"model.layers.{i}.")}
        x = norm(h, w["input_layernorm"])
        q, k, v = ((x @ w[f"self_attn.{n}_proj"].T).reshape(len(ids), -1, d).transpose(1, 0, 2) for n in "qkv")
        q, k = rotate(q), rotate(k)
        met = []
        for head in range(heads):
            at = head // (heads // kv)
            scores = q[head] @ k[at].T / np.sqrt(d) + np.triu(np.full((len(ids), len(ids)), -np.inf), 1)
            share = np.exp(scores - scores.max(1, keepdims=True))
            met.append(share / share.sum(1, keepdims=True) @ v[at])
        h = h + np.concatenate(met, 1) @ w["self_attn.o_proj"].T
        x = norm(h, w["post_attention_layernorm"])
        gate = x @ w["mlp.gate_proj"].T
        h = h + (gate / (1 + np.exp(-gate)) * (x @ w["mlp.up_proj"].T)) @ w["mlp.down_proj"].T
    head_weight = weights["model.embed_tokens.weight" if config["tie_word_embeddings"] else "lm_head.weight"]
    return np.asarray(norm(h, weights["model.norm.weight"]) @ head_weight.T)


def exported(folder: Path, **options: Any) -> tuple[ilk.Model, Path]:
    texts = [f"the {i} apples, 月 é\n" for i in range(40)]
    recipe = replace(Transformer(layers=2, heads=4, kv_heads=2, width=32, context=24), **options)
    model = ilk.fit(texts, recipe, run=Run(budget=Steps(20)))
    Transformers().write(model, folder / "llama")
    return model, folder / "llama"


@pytest.mark.parametrize("tie", [True, False])
def test_an_exported_folder_is_a_llama(tmp_path: Path, tie: bool) -> None:
    from safetensors.numpy import load_file

    model, at = exported(tmp_path, tie=tie)
    config, weights = json.loads((at / "config.json").read_text(encoding="utf-8")), load_file(at / "model.safetensors")
    assert config["architectures"] == ["LlamaForCausalLM"] and ("lm_head.weight" in weights) != tie
    assert weights["model.layers.1.self_attn.k_proj.weight"].shape == (16, 32) and weights["model.embed_tokens.weight"].shape == (config["vocab_size"], 32)
    ids = model.codec.encode(["the 7 apples"], Rng(0)).elements.tensor
    found = llama({k: v.astype(np.float64) for k, v in weights.items()}, config, [config["bos_token_id"], *ids.tolist()])
    want = law_of(model.body, ids)  # type: ignore[arg-type]
    assert np.abs(torch.from_numpy(found).log_softmax(1).numpy() - want.numpy()).max() < 1e-5
    again = Transformers().read(at)
    assert torch.equal(again.score(["the 7 apples", "x"]).nats, model.score(["the 7 apples", "x"]).nats)
    assert again.sample(3) == model.sample(3)


def test_an_exported_folder_opens_in_transformers(tmp_path: Path) -> None:
    peer = pytest.importorskip("transformers")
    model, at = exported(tmp_path)
    theirs, tokens = peer.AutoModelForCausalLM.from_pretrained(at), peer.AutoTokenizer.from_pretrained(at)
    ids = model.codec.encode(["the 7 apples"], Rng(0)).elements.tensor
    assert tokens("the 7 apples")["input_ids"][1:] == ids.tolist()
    with torch.no_grad():
        found = theirs(torch.tensor([tokens("the 7 apples")["input_ids"]])).logits[0].double().log_softmax(1)
    assert torch.allclose(found, law_of(model.body, ids), atol=1e-5)  # type: ignore[arg-type]


def test_the_exported_tokenizer_is_the_codec(tmp_path: Path) -> None:
    from tokenizers import Tokenizer

    from ilk.exporters.transformers import tokenizer

    for tokens in ("characters", "bytes", "bpe"):
        data = ilk.Text(tokens=tokens, vocabulary=300).read([f"the {i} apples, 月 é\n" for i in range(40)], ilk.Limits())
        codec = data.modality.codecs()[0].learned(data.modality, data.items)
        made = Tokenizer.from_str(tokenizer(codec).to_str())
        for text in ("the 7 apples, 月 é\n", "Zebra"):
            want = codec.encode([text], Rng(0)).elements.tensor.tolist()
            assert made.encode(text).ids == [codec.space.of.each[0], *want]  # type: ignore[union-attr]
        assert made.decode(made.encode("the 7 月 é").ids) == "the 7 月 é"


def test_what_a_llama_can_not_be_is_refused(tmp_path: Path) -> None:
    texts = [f"the {i} apples" for i in range(40)]
    run = Run(budget=Steps(2))
    small = Transformer(layers=1, heads=2, width=16, context=16)
    with pytest.raises(UsageError, match="n-grams"):
        Transformers().write(ilk.fit(texts, replace(small, ngrams=10), run=run), tmp_path / "a")
    with pytest.raises(UsageError, match="transformers of texts only"):
        Transformers().write(ilk.fit(texts, ilk.NGram(order=2)), tmp_path / "b")
    model = ilk.fit(texts, small, run=run)
    with pytest.raises(UsageError, match="given"):
        Transformers().write(model.given("the"), tmp_path / "c")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "mine.txt").write_text("precious")
    with pytest.raises(UsageError, match="there already"):
        Transformers().write(model, tmp_path / "d")
    (at,) = {p.parent for p in Transformers().write(model, tmp_path / "e")}
    (at / "config.json").write_text("{}")
    with pytest.raises(ModelError):
        Transformers().read(at)
