"""Exporting to GGUF: tensors, sizes and tokenizers read back, llama.cpp's own tokens and laws where it is installed, refusals."""
from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Literal
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from gguf import GGUFReader, TokenType
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers
from torch import Tensor

import ilk
from ilk.cli import main
from ilk.dataset import Dataset
from ilk.errors import ResourceError, UsageError
from ilk.exporters.gguf import GGUF
from ilk.exporters.transformers import Transformers
from ilk.families.transformer import Transformer
from ilk.modalities.text import Text
from ilk.model import Model
from ilk.rng import Rng
from ilk.run import Run, Steps
from ilk.verbs.export import export

torch.set_num_threads(1)
Tokens = Literal["characters", "bytes", "bpe"]
TOKENS: tuple[Tokens, ...] = ("characters", "bytes", "bpe")
SIZE, HEADS, KV, WIDTH = 8, 4, 2, 32
VERSES = ("月落乌啼霜满天", "江枫渔火对愁眠", "姑苏城外寒山寺", "夜半钟声到客船")
LINES = [f"the {i} apples,  it's {VERSES[i % 4]}，é\n\n c" for i in range(40)]
SEEN = ["the 7 apples", " it's  a\n\n c", "月落乌啼", "江枫，the é", "s"]
UNSEEN = ["Q", "aQe", "月龘 Wa"]


def fitted(tokens: Tokens = "characters", tie: bool = True, texts: list[str] = LINES) -> Model:
    """A model whose every weight matters."""
    recipe = Transformer(layers=2, heads=HEADS, kv_heads=KV, width=WIDTH, context=48, tie=tie)
    model = ilk.fit(Dataset(Text(tokens=tokens, vocabulary=300), texts), recipe, run=Run(budget=Steps(1)))
    with torch.no_grad():
        for i, p in enumerate(model.body.parameters()):
            p.add_(0.2 * Rng(1).child("shake", i).normal(p.numel(), 1).reshape(p.shape).float())
    return model


def written(model: Model, folder: Path) -> GGUFReader:
    (path,) = export(model, "gguf", folder / "out").files
    assert path == folder / "out" / "model.gguf" and [p.name for p in path.parent.iterdir()] == ["model.gguf"]
    return GGUFReader(path)


def said(reader: GGUFReader, name: str) -> Any:
    return reader.fields[name].contents()


def ids(model: Model, text: str) -> list[int]:
    found: list[int] = model.codec.encode([text], Rng(0)).elements.tensor.tolist()
    return found


def law(model: Model, tokens: list[int]) -> Tensor:
    """Log law after every beginning, by one pass over the whole."""
    b: Any = model.body
    inputs = torch.tensor([[b.size, *tokens]])
    with torch.no_grad():
        return b.net.logits(b.net(b.net.embedded(inputs), b._mask(inputs, torch.float32)))[0].log_softmax(1)


@pytest.mark.parametrize("tie", [True, False])
def test_sizes_and_tensors_are_ours(tmp_path: Path, tie: bool) -> None:
    model = fitted(tie=tie)
    reader, shape = written(model, tmp_path), model.body.net.shape  # type: ignore[attr-defined]
    sizes = {"context_length": 48, "embedding_length": WIDTH, "block_count": 2, "feed_forward_length": shape.hidden, "attention.head_count": HEADS,
             "attention.head_count_kv": KV, "rope.dimension_count": SIZE, "rope.freq_base": 10_000.0, "vocab_size": shape.tokens,
             "attention.layer_norm_rms_epsilon": float(np.float32(1e-5))}
    assert said(reader, "general.architecture") == "llama" and {name: said(reader, f"llama.{name}") for name in sizes} == sizes
    tensors: dict[str, Any] = {t.name: t.data for t in reader.tensors}
    assert ("output.weight" in tensors) != tie and len(tensors) == 2 + 9 * 2 + (not tie) and all(t.dtype == np.float32 for t in tensors.values())
    net: Any = model.body.net
    assert np.array_equal(tensors["token_embd.weight"], net.embed.weight.detach()) and np.array_equal(tensors["output_norm.weight"], net.last.weight.detach())
    assert tie or np.array_equal(tensors["output.weight"], net.head.weight.detach())
    for i, layer in enumerate(net.layers):
        q, k, v = np.split(layer.qkv.weight.detach().numpy(), [WIDTH, WIDTH + KV * SIZE])
        gate, up = np.split(layer.up.weight.detach().numpy(), 2)
        same = {"attn_norm": layer.before.weight.detach(), "ffn_norm": layer.between.weight.detach(), "attn_v": v, "attn_output": layer.out.weight.detach(),
                "ffn_gate": gate, "ffn_up": up, "ffn_down": layer.down.weight.detach()}
        assert all(np.array_equal(tensors[f"blk.{i}.{name}.weight"], want) for name, want in same.items())
        for name, ours in (("attn_q", q), ("attn_k", k)):
            theirs = tensors[f"blk.{i}.{name}.weight"]
            for row in range(len(ours)):  # number j of a head is turned with number j + size/2 of ours, and with its neighbour there
                head, j = divmod(row, SIZE)
                assert np.array_equal(theirs[head * SIZE + 2 * (j % (SIZE // 2)) + j // (SIZE // 2)], ours[row])


def rebuilt(reader: GGUFReader) -> Tokenizer:
    """The tokenizer that the fields of the file describe, of the `tokenizers` library."""
    tokens = said(reader, "tokenizer.ggml.tokens")
    if said(reader, "tokenizer.ggml.model") == "t5":
        made = Tokenizer(models.Unigram([(t, -1.0) for t in tokens], said(reader, "tokenizer.ggml.unknown_token_id"), False))
        made.normalizer = normalizers.Replace(" ", "\u2581")
        return made
    places = {t: i for i, t in enumerate(tokens)}
    pairs = [tuple(pair.split(" ")) for pair in said(reader, "tokenizer.ggml.merges")]
    made = Tokenizer(models.BPE(places, [(a, b) for a, b in pairs if a + b in places]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    return made


@pytest.mark.parametrize("tokens", TOKENS)
def test_the_tokenizer_is_ours(tmp_path: Path, tokens: Tokens) -> None:
    model = fitted(tokens)
    reader, end = written(model, tmp_path), model.body.size  # type: ignore[attr-defined]
    made = rebuilt(reader)
    assert [made.encode(text).ids for text in SEEN + UNSEEN] == [ids(model, text) for text in SEEN + UNSEEN]
    assert [said(reader, f"tokenizer.ggml.{name}_token_id") for name in ("bos", "eos", "padding")] == [end] * 3
    assert said(reader, "tokenizer.ggml.add_bos_token") and not said(reader, "tokenizer.ggml.add_eos_token")
    kinds = said(reader, "tokenizer.ggml.token_type")
    assert len(kinds) == end + 1 and kinds[end] == TokenType.CONTROL and (kinds[end - 1] == TokenType.UNKNOWN) == (tokens == "characters")
    if tokens == "characters":
        assert not said(reader, "tokenizer.ggml.add_space_prefix") and not said(reader, "tokenizer.ggml.remove_extra_whitespaces")
    else:
        assert said(reader, "tokenizer.ggml.pre") == "gpt-2" and len(said(reader, "tokenizer.ggml.merges")) == {"bytes": 1, "bpe": 44}[tokens]


@pytest.mark.parametrize("tie", [True, False])
@pytest.mark.parametrize("tokens", TOKENS)
def test_llama_cpp_says_the_same(tmp_path: Path, tokens: Tokens, tie: bool) -> None:
    """Texts go over as texts, so equal laws mean equal tokens too."""
    peer = pytest.importorskip("xllamacpp")
    model = fitted(tokens, tie)
    end: int = model.body.size  # type: ignore[attr-defined]
    params = peer.CommonParams()
    params.model.path = str(export(model, "gguf", tmp_path / "out").files[0])
    params.n_ctx, params.n_parallel, params.warmup, params.port, params.verbosity = 64, 1, False, 0, -1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.cache_type_k = params.cache_type_v = peer.ggml_type.GGML_TYPE_F32
    params.flash_attn_type = peer.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    server = peer.Server(params)

    def asked(prompt: str, n: int, bias: list[Any]) -> Any:
        said = {"prompt": prompt, "n_predict": n, "temperature": 0, "return_tokens": True, "n_probs": end + 1, "ignore_eos": True, "logit_bias": bias}
        return json.load(urlopen(f"{server.listening_address}/completion", json.dumps(said).encode(), timeout=60))

    for text in SEEN + UNSEEN:
        (first,) = asked(text, 1, [[ids(model, "a")[0], 1000]])["completion_probabilities"]  # a whole character: halves are not told
        told = torch.full((end + 1,), torch.nan)
        told[[x["id"] for x in first["top_logprobs"]]] = torch.tensor([x["logprob"] for x in first["top_logprobs"]])
        assert float((told - law(model, ids(model, text))[-1])[:end].abs().max()) < 1e-4
    for text in SEEN[:3]:
        mine: list[int] = []
        while len(mine) < 33:
            mine.append(int(law(model, ids(model, text) + mine)[-1, :end].argmax()))
        assert asked(text, 33, [])["tokens"] == mine


@pytest.mark.parametrize("tokens", TOKENS)
def test_transformers_reads_it(tmp_path: Path, tokens: Tokens) -> None:
    peer = pytest.importorskip("transformers")
    pytest.importorskip("accelerate")
    model = fitted(tokens)
    export(model, "gguf", tmp_path / "out")
    theirs = peer.AutoModelForCausalLM.from_pretrained(tmp_path / "out", gguf_file="model.gguf")
    found = ids(model, "the 7 月")
    with torch.no_grad():
        logits = theirs(torch.tensor([[model.body.size, *found]])).logits[0]  # type: ignore[attr-defined]
    assert float((logits.log_softmax(1) - law(model, found)).abs().max()) < 1e-4


def test_what_a_llama_can_not_be_is_refused(tmp_path: Path) -> None:
    ngrams = ilk.fit(LINES, Transformer(layers=1, heads=2, width=16, context=16, ngrams=10), run=Run(budget=Steps(1)))
    gmm = ilk.fit(np.arange(12.0).reshape(6, 2), ilk.GMM(components=1))
    for model in (ngrams, gmm, fitted().given("the")):
        why = GGUF().refuses(model)
        assert why is not None and why == Transformers().refuses(model)
        with pytest.raises(UsageError, match="gguf"):
            GGUF().write(model, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("odd", "said"), [("\0", r"U\+0000"), ("\u2581", r"U\+2581")])
def test_an_alphabet_that_llama_cpp_can_not_spell_is_refused(tmp_path: Path, odd: str, said: str) -> None:
    texts = [line + odd for line in LINES]
    with pytest.raises(UsageError, match=f"{said}.*bytes.*--to transformers"):
        export(fitted(texts=texts), "gguf", tmp_path / "out")
    model = fitted("bytes", texts=texts)
    assert rebuilt(written(model, tmp_path)).encode(odd).ids == ids(model, odd)


def test_without_the_library_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(UsageError, match="pip install gguf"):
        export(fitted(), "gguf", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_it_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    model = fitted()
    (tmp_path / "out").mkdir()
    export(model, "gguf", tmp_path / "out")
    with pytest.raises(UsageError, match="there already"):
        export(model, "gguf", tmp_path / "out")
    (tmp_path / "file").touch()
    for to in (tmp_path / "out", tmp_path / "file" / "below"):
        with pytest.raises(ResourceError):
            GGUF().write(model, to)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "out"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    fitted().save("poems.ilk")
    assert main(["export", "poems.ilk", "--to", "gguf", "--out", "poems", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["files"] == [str(Path("poems", "model.gguf"))]
    assert (tmp_path / "poems" / "model.gguf").read_bytes()[:4] == b"GGUF"
    assert main(["list", "exporters", "--json"]) == 0
    assert {"gguf", "transformers"} <= {e["name"] for e in json.loads(capsys.readouterr().out)["exporters"]}
