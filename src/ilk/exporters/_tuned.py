"""Tuned models in other libraries' forms: the base with merged weights."""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from .. import registry
from ..errors import UsageError
from ..families.tuned import Adapted
from ..files import not_written
from ..model import Model
from ..tuning import Tuning

PRE = {"gpt-2": ("ByteLevel",), "smollm": ("Digits", "ByteLevel")}   # llama.cpp's names of ways to cut texts before merging


def refuses(model: Model) -> str | None:
    """What can't be merged, or has something given."""
    body = cast(Adapted, model.body)
    tuning = cast(Tuning, body.family.tuning)
    if type(tuning).merge is Tuning.merge:
        return f"can't write what {registry.name_of('tunings', tuning)} learns: it has no place in the base's own matrices"
    return "can't write what is given: export the model without it" if model.givens else None


def whole(to: Path, write: Callable[[Path], None]) -> None:
    """A folder that is written beside its place first."""
    part = to.with_name(f".{to.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write(part)
        os.replace(part, to)
    except OSError as why:
        raise not_written(to, why) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)


def folder(model: Model, to: Path) -> list[Path]:
    """The base with merged weights as transformers keeps it, in safetensors, with its tokenizer."""
    merged = cast(Adapted, model.body).merged()

    def write(part: Path) -> None:
        merged.module.save_pretrained(part)
        merged.tokenizer.save_pretrained(part)

    whole(to, write)
    return sorted(to.iterdir())


def no_llama(model: Model) -> str | None:
    """Why llama.cpp's Llama can't be this model; None if it can."""
    config = cast(Adapted, model.body).chat.module.config
    rope = (getattr(config, "rope_parameters", None) or {}).get("rope_type", "default")
    if config.model_type != "llama" or getattr(config, "attention_bias", False) or getattr(config, "mlp_bias", False) or rope != "default":
        return f"writes Llamas without biases and with plain rotary positions only, not a {config.model_type} with {rope} ones"
    return None


def sizes(config: Any) -> dict[str, Any]:
    """What llama.cpp is told of the sizes, by transformers' names."""
    theta = (getattr(config, "rope_parameters", None) or {}).get("rope_theta") or getattr(config, "rope_theta", 10_000.0)
    named = ("max_position_embeddings", "hidden_size", "num_hidden_layers", "intermediate_size", "num_attention_heads", "num_key_value_heads", "rms_norm_eps", "vocab_size")
    heads = config.hidden_size // config.num_attention_heads
    return {**{name: getattr(config, name) for name in named}, "head_dim": getattr(config, "head_dim", None) or heads, "rope_theta": theta}


def weights(module: Any) -> dict[str, Tensor]:
    """Under transformers' names; the output left out where it is tied to the embeddings."""
    tied = module.config.tie_word_embeddings
    return {name: t.detach().float() for name, t in module.state_dict().items() if not (tied and name == "lm_head.weight")}


def vocabulary(writer: Any, model: Model, merged: Any, library: Any) -> None:
    """The tokenizer: that of the GGUF file that the base came from, word for word; else written from the tokenizer itself."""
    name = cast(Adapted, model.body).family.address.partition(":")[2].partition("?")[0]
    try:
        file = registry.get("backends", "gguf")().pull(name)
    except UsageError:
        _spelled(writer, merged.tokenizer, int(merged.module.config.vocab_size), library)
        return
    for field in library.GGUFReader(file).fields.values():
        if field.name.startswith("tokenizer."):
            kinds = field.types
            writer.add_key_value(field.name, field.contents(), kinds[0], kinds[-1] if kinds[0] == library.GGUFValueType.ARRAY else None)


def _spelled(writer: Any, tokenizer: Any, size: int, library: Any) -> None:
    said = json.loads(tokenizer.backend_tokenizer.to_str())
    cutting = said["pre_tokenizer"] or {}
    kinds = tuple(p["type"] for p in cutting.get("pretokenizers", [cutting]) if "type" in p)
    pre = next((name for name, known in PRE.items() if known == kinds), None)
    if said["model"]["type"] != "BPE" or pre is None:
        raise UsageError("gguf can't write this tokenizer: it is no byte-level BPE that llama.cpp cuts texts for alike", code="EXPORT", param="to", remedy="--to transformers")
    known = {i: t for t, i in tokenizer.get_vocab().items()}
    special = {t["id"] for t in said["added_tokens"] if t["special"]}
    kind = library.TokenType
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre)
    writer.add_token_list([known.get(i, f"[PAD{i}]") for i in range(size)])
    writer.add_token_types([kind.CONTROL if i in special else kind.NORMAL if i in known else kind.UNUSED for i in range(size)])
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in said["model"]["merges"]])
    for mark, add in ((tokenizer.bos_token_id, writer.add_bos_token_id), (tokenizer.eos_token_id, writer.add_eos_token_id), (tokenizer.pad_token_id, writer.add_pad_token_id)):
        if mark is not None:
            add(mark)
    writer.add_add_bos_token(False)
    if tokenizer.chat_template:
        writer.add_chat_template(tokenizer.chat_template)
