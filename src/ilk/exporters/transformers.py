"""Folders that the `transformers` library opens: a transformer of texts as a Llama model with its tokenizer."""
from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from torch import Tensor

from .. import recipe
from ..errors import IlkError, ModelError, UsageError
from ..exporter import Exporter
from ..families.transformer import Transformed, Transformer
from ..families.tuned import Adapted
from ..lift import Same
from ..modalities._pieces import BPE
from ..modalities._tokens import Bytes, Characters
from ..modality import Codec
from ..model import Model
from ..nets._decoder import EPS, THETA, Layer, Shape
from ..rng import Rng
from ..store import State, parse_json, read_folder, tensors_from_bytes, tensors_to_bytes, write_folder
from . import _tuned

END, UNSEEN = "<|end|>", "<|unseen|>"
FILES = ("config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Transformers(Exporter):
    """A `transformer` of texts as a Llama folder, the token that ends a text also beginning it; or the base of a tuned model with merged weights."""

    def refuses(self, model: Model) -> str | None:
        """Anything but a transformer of texts that a Llama can be, and tuned models that can't be merged."""
        body = model.body
        if isinstance(body, Adapted):
            return _tuned.refuses(model)
        if not isinstance(body, Transformed) or not isinstance(model.codec, BPE | Bytes | Characters):
            return "writes transformers of texts only"
        if body.family.ngrams:
            return "can't write embeddings of n-grams: a Llama has none (fit with ngrams=0)"
        if body.beside is not None:
            return "can't write a model that is told a context: a Llama has no place for it"
        return "can't write what is given: export the model without it" if model.givens else None

    def write(self, model: Model, to: Path) -> list[Path]:
        """config.json, model.safetensors and the tokenizer's files; returns them."""
        if why := self.refuses(model):
            raise UsageError(f"transformers {why}", code="EXPORT")
        if to.exists() and not (to / "config.json").exists() and (not to.is_dir() or any(to.iterdir())):
            raise UsageError(f"{to} is there already and is no exported model", remedy="choose another name", code="OUT", param="out")
        if isinstance(model.body, Adapted):
            return _tuned.folder(model, to)
        body: Transformed = model.body  # type: ignore[assignment]
        shape = body.net.shape
        texts = {"config.json": _json({**config(shape, body.family.context), "ilk": _facts(model)}),
                 "generation_config.json": _json({"bos_token_id": shape.tokens - 1, "eos_token_id": shape.tokens - 1, "pad_token_id": shape.tokens - 1}),
                 "tokenizer.json": tokenizer(model.codec).to_str(pretty=True),
                 "tokenizer_config.json": _json({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END, "pad_token": END,
                                                 "model_max_length": body.family.context, "clean_up_tokenization_spaces": False})}
        files = {name: text.encode("utf-8", "backslashreplace") for name, text in texts.items()}
        write_folder(to, {**files, "model.safetensors": tensors_to_bytes(named(body))})
        return [to / name for name in FILES]

    def address(self, to: Path) -> str:
        """Where what was written answers."""
        return f"hf:{to}"

    def read(self, at: Path) -> Model:
        """The model of a folder that `write` made from a model fitted here; ModelError for any other."""
        files = read_folder(at, FILES)
        facts = parse_json(files["config.json"], "config.json").get("ilk")
        try:
            modality = recipe.from_facts("modalities", facts["modality"])
            codec = {c.__name__: c for c in modality.codecs()}[facts["codec"]["name"]].restored(modality, State(facts=facts["codec"]["facts"]))
            family: Transformer = recipe.from_facts("families", facts["family"])
            body: Transformed = family.build(codec.space, Rng(0))  # type: ignore[assignment]
            body.restore(State(unnamed(tensors_from_bytes(files["model.safetensors"]), body.net.shape)))
        except (IlkError, KeyError, TypeError, AttributeError, ValueError, RuntimeError) as why:
            raise ModelError(f"{at} is not a folder that ilk exported: {str(why)[:120]}", code="MODEL_DAMAGED", remedy="export the model again") from None
        return Model(modality, codec, Same(codec.space), body, card=dict(facts["card"]))


def _json(facts: Mapping[str, Any]) -> str:
    return json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _facts(model: Model) -> dict[str, Any]:
    """What `read` needs beside what a Llama says."""
    return {"family": recipe.facts("families", model.body.family), "modality": recipe.facts("modalities", model.modality),
            "codec": {"name": type(model.codec).__name__, "facts": dict(model.codec.state().facts)}, "card": dict(model.card)}


def config(shape: Shape, context: int) -> dict[str, Any]:
    """What `transformers` is told of the sizes."""
    return {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": shape.tokens, "hidden_size": shape.width,
            "intermediate_size": shape.hidden, "num_hidden_layers": shape.layers, "num_attention_heads": shape.heads,
            "num_key_value_heads": shape.kv_heads, "head_dim": shape.size, "hidden_act": "silu", "max_position_embeddings": context,
            "rms_norm_eps": EPS, "rope_theta": THETA, "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
            "tie_word_embeddings": shape.tie, "attention_bias": False, "mlp_bias": False, "attention_dropout": 0.0, "initializer_range": 0.02,
            "bos_token_id": shape.tokens - 1, "eos_token_id": shape.tokens - 1, "pad_token_id": shape.tokens - 1, "torch_dtype": "float32", "use_cache": True}


def named(body: Transformed) -> dict[str, Tensor]:
    """The weights under Llama's names."""
    net, shape = body.net, body.net.shape
    found = {"model.embed_tokens.weight": net.embed.weight, "model.norm.weight": net.last.weight}
    if net.head is not None:
        found["lm_head.weight"] = net.head.weight
    for i, layer in enumerate(net.layers):
        found |= {f"model.layers.{i}.{name}": tensor for name, tensor in _layer(layer, shape).items()}  # type: ignore[arg-type]
    return {name: tensor.detach().float() for name, tensor in found.items()}


def _layer(layer: Layer, shape: Shape) -> dict[str, Tensor]:
    q, k, v = layer.qkv.weight.split([n * shape.size for n in (shape.heads, shape.kv_heads, shape.kv_heads)])
    gate, up = layer.up.weight.chunk(2)
    return {"input_layernorm.weight": layer.before.weight, "post_attention_layernorm.weight": layer.between.weight,
            "self_attn.q_proj.weight": q, "self_attn.k_proj.weight": k, "self_attn.v_proj.weight": v, "self_attn.o_proj.weight": layer.out.weight,
            "mlp.gate_proj.weight": gate, "mlp.up_proj.weight": up, "mlp.down_proj.weight": layer.down.weight}


def unnamed(tensors: Mapping[str, Tensor], shape: Shape) -> dict[str, Tensor]:
    """The weights under our names; KeyError where one is missing."""
    found = {"net.embed.weight": tensors["model.embed_tokens.weight"], "net.last.weight": tensors["model.norm.weight"]}
    if not shape.tie:
        found["net.head.weight"] = tensors["lm_head.weight"]
    for i in range(shape.layers):
        theirs = {name: tensors[f"model.layers.{i}.{name}.weight"] for name in (
            "input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
            "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")}
        ours = {"before": theirs["input_layernorm"], "between": theirs["post_attention_layernorm"], "out": theirs["self_attn.o_proj"],
                "qkv": torch.cat([theirs[f"self_attn.{x}_proj"] for x in "qkv"]), "up": torch.cat([theirs["mlp.gate_proj"], theirs["mlp.up_proj"]]),
                "down": theirs["mlp.down_proj"]}
        found |= {f"net.layers.{i}.{name}.weight": tensor for name, tensor in ours.items()}
    return found


def tokenizer(codec: Codec[Any]) -> Tokenizer:
    """The codec as the `tokenizers` library has it, the end being one token more, which also begins every text."""
    if isinstance(codec, BPE):
        made = Tokenizer.from_str(codec.tokenizer.to_str())
    elif isinstance(codec, Characters):
        letters = {c: i for i, c in enumerate(codec.alphabet)}
        made = Tokenizer(models.WordLevel({**letters, UNSEEN: len(letters)}, unk_token=UNSEEN))
        made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
        made.decoder = decoders.Fuse()
    else:
        made = Tokenizer(models.BPE(vocab=_byte_letters(), merges=[]))
        made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False), decoders.ByteLevel()
    made.add_special_tokens([AddedToken(END, special=True, normalized=False)])
    made.post_processor = processors.TemplateProcessing(single=f"{END} $A", special_tokens=[(END, made.token_to_id(END))])
    return made


def _byte_letters() -> dict[str, int]:
    """The letter that stands for each byte: its own where it can be seen, else one from 256 on."""
    seen = [b for b in range(256) if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174]
    hidden = [b for b in range(256) if b not in seen]
    return {**{chr(b): b for b in seen}, **{chr(256 + i): b for i, b in enumerate(hidden)}}
