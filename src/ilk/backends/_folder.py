"""Folders of transformers, opened without running anything that they hold: safetensors only, no code from afar."""
from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from ..catalogue import cache
from ..errors import ModelError, UsageError
from ..files import not_written
from ..store import parse_json
from ._decoder import Decoder
from ._encoder import Encoder

Precision = Literal["float32", "bfloat16", "float16"]
ANSWERS, ENCODES = ("ForCausalLM", "LMHeadModel"), ("Model", "ForMaskedLM", "ForPreTraining")


def transformers() -> Any:
    """The library; UsageError where it is missing."""
    try:
        import transformers as library
    except ImportError:
        raise UsageError("models of transformers need the library transformers, which is not installed", code="MISSING_EXTRA", param="model",
                         remedy='pip install "ilk[hf]"') from None
    library.logging.set_verbosity_error()
    library.logging.disable_progress_bar()
    return library


def opened(name: str, folder: Path, precision: Precision = "float32", device: str = "cpu", window: int | None = None) -> Decoder | Encoder:
    """The model in a folder, under a name; ModelError for what is none, or not one that writes or embeds texts."""
    library, kind = transformers(), _kind(folder)
    if kind.endswith(ANSWERS):
        tokenizer, module = _loaded(library, library.AutoModelForCausalLM, folder, precision, device)
        most = getattr(module.config.get_text_config(), "max_position_embeddings", None)
        return Decoder(name, module, tokenizer, min((m for m in (window, most) if m is not None), default=None))
    if kind.endswith(ENCODES):
        tokenizer, module = _loaded(library, library.AutoModel, folder, precision, device)
        said = _json(folder / "sentence_bert_config.json").get("max_seq_length")
        pooling = _json(folder / "1_Pooling" / "config.json")
        most = min(m for m in (window, said, tokenizer.model_max_length, getattr(module.config, "max_position_embeddings", None)) if m)
        return Encoder(name, module, tokenizer, most, bool(pooling.get("pooling_mode_cls_token")))
    raise ModelError(f"{folder} holds a {kind}, which neither goes on with texts nor embeds them", code="ARCHITECTURE", remedy="a decoder or an encoder of texts")


def _kind(folder: Path) -> str:
    if not (folder / "config.json").is_file():
        raise ModelError(f"{folder} is no model folder of transformers: it has no config.json", code="MODEL_DAMAGED")
    said = _json(folder / "config.json")
    kinds = said.get("architectures")
    if not isinstance(kinds, list) or not kinds or not isinstance(kinds[0], str):
        raise ModelError(f"{folder / 'config.json'} does not say its architecture", code="MODEL_DAMAGED")
    if not any(folder.glob("*.safetensors")):
        raise ModelError(f"{folder} has no weights in safetensors", code="UNTRUSTED_FORMAT", remedy="ilk reads no pickles (.bin, .pt): convert it where it was made")
    return str(kinds[0])


def _json(at: Path) -> dict[str, Any]:
    if not at.is_file():
        return {}
    found = parse_json(at.read_bytes(), str(at))
    if not isinstance(found, dict):
        raise ModelError(f"{at} is not an object", code="MODEL_DAMAGED")
    return found


def _loaded(library: Any, kind: Any, folder: Path, precision: Precision, device: str, file: str | None = None) -> tuple[Any, Any]:
    import torch

    named = {} if file is None else {"gguf_file": file}
    weights = {} if file else {"use_safetensors": True}
    try:
        tokenizer = library.AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True, **named)
        module, told = kind.from_pretrained(folder, dtype=getattr(torch, precision), trust_remote_code=False, local_files_only=True, output_loading_info=True,
                                            **weights, **named)
        module = module.to(device).eval()
    except MemoryError:
        raise
    except Exception as why:  # the library raises what its parts raise: whatever a damaged folder sets off
        raise ModelError(f"{folder} can't be opened: {type(why).__name__}: {' '.join(str(why).split())}"[:400], code="MODEL_DAMAGED",
                         remedy="fetch it again, or see whether transformers is new enough for it") from None
    if absent := [k for k in told["missing_keys"] if not k.startswith(("pooler.", "cls."))]:
        raise ModelError(f"{folder} lacks weights: {sorted(absent)[0]} and {len(absent) - 1} more", code="MODEL_DAMAGED", remedy="fetch it again")
    return tokenizer, module


def dequantised(file: Path) -> Path:
    """A GGUF file as a folder of transformers in float32, made once and kept in the cache, under the digest of the file."""
    with open(file, "rb") as data:
        mark = hashlib.file_digest(data, "sha256").hexdigest()
    to = cache() / "dequantised" / mark
    if (to / "config.json").is_file():
        return to
    library = transformers()
    try:
        import gguf  # noqa: F401  # transformers reads the file with it
    except ImportError:
        raise UsageError("a GGUF file is read with the library gguf, which is not installed", code="MISSING_EXTRA", param="model",
                         remedy='pip install "ilk[hf]"') from None
    tokenizer, module = _loaded(library, library.AutoModelForCausalLM, file.parent, "float32", "cpu", file.name)
    module.hf_quantizer = None   # plain numbers from here on
    if hasattr(module.config, "quantization_config"):
        del module.config.quantization_config
    return _kept(to, tokenizer, module)


def _kept(to: Path, tokenizer: Any, module: Any) -> Path:
    """A model saved as a whole or not at all."""
    try:
        to.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=to.parent, prefix=f".{to.name[:8]}."))
        try:
            module.save_pretrained(part)
            tokenizer.save_pretrained(part)
            if not json.loads((part / "config.json").read_text(encoding="utf-8")).get("architectures"):
                raise ModelError(f"{to} was kept without its architecture", code="MODEL_DAMAGED")
            with suppress(OSError):   # another process was faster: its folder is the same
                os.replace(part, to)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    except OSError as why:
        raise not_written(to, why) from None
    return to
