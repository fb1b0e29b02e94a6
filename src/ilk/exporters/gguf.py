"""GGUF: one file that llama.cpp opens: a transformer of texts as a Llama with its tokenizer."""
from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from ..errors import ResourceError, UsageError
from ..exporter import Exporter
from ..families.transformer import Transformed
from ..families.tuned import Adapted
from ..files import atomic, not_written
from ..modalities._tokens import Characters
from ..modality import Codec
from ..model import Model
from . import _tuned
from .transformers import Transformers, config, named, tokenizer

NAME, SPACE = "model.gguf", "\u2581"
NEVER = "ÿ ÿ"  # llama.cpp asks for a merge: byte 255, which stands for itself, is in no text


@dataclass(frozen=True)
class GGUF(Exporter):
    """A `transformer` of texts as a Llama in float32, the token that ends a text also beginning it; or a tuned Llama with merged weights."""

    def refuses(self, model: Model) -> str | None:
        """What no Llama can be, and alphabets that llama.cpp can't spell."""
        if isinstance(model.body, Adapted):
            return _tuned.refuses(model) or _tuned.no_llama(model)
        return Transformers().refuses(model) or _unspelled(model.codec)

    def write(self, model: Model, to: Path) -> list[Path]:
        """model.gguf, beside the place first; UsageError where the library gguf is missing."""
        if why := self.refuses(model):
            raise UsageError(f"gguf {why}", code="EXPORT")
        library, part = _library(), to.with_name(f".{to.name}.part")
        try:
            with atomic(part / NAME) as file, closing(library.GGUFWriter(file.name, "llama")) as writer:
                (_tuned_model if isinstance(model.body, Adapted) else _own_model)(writer, model, library)
                writer.write_header_to_file()
                writer.write_kv_data_to_file()
                writer.write_tensors_to_file()
            os.replace(part, to)
        except OSError as error:
            raise error if isinstance(error, ResourceError) else not_written(to, error) from None
        finally:
            shutil.rmtree(part, ignore_errors=True)
        return [to / NAME]


    def address(self, to: Path) -> str:
        """Where what was written answers."""
        return f"gguf:{to / NAME}"


def _own_model(writer: Any, model: Model, library: Any) -> None:
    body = cast(Transformed, model.body)
    shape = body.net.shape
    _sizes(writer, config(shape, body.family.context))
    _vocabulary(writer, model.codec, library.TokenType)
    _weights(writer, named(body), (shape.layers, shape.size), library)


def _tuned_model(writer: Any, model: Model, library: Any) -> None:
    merged = cast(Adapted, model.body).merged()
    said = _tuned.sizes(merged.module.config)
    _sizes(writer, said)
    _tuned.vocabulary(writer, model, merged, library)
    _weights(writer, _tuned.weights(merged.module), (said["num_hidden_layers"], said["head_dim"]), library)


def _library() -> Any:
    try:
        import gguf
    except ImportError:
        raise UsageError("GGUF is written with the library gguf, which is not installed", code="EXPORT", param="to", remedy="pip install gguf") from None
    return gguf


def _unspelled(codec: Codec[Any]) -> str | None:
    """Which character of the alphabet can't be a token of its own: llama.cpp ends strings at one and has the other for spaces."""
    odd = [c for c in ("\0", SPACE) if isinstance(codec, Characters) and c in codec.alphabet]
    return f"can't write an alphabet with the character U+{ord(odd[0]):04X} (fit with tokens=\"bytes\" or \"bpe\")" if odd else None


def _sizes(writer: Any, said: dict[str, Any]) -> None:
    """What llama.cpp is told of the sizes."""
    writer.add_context_length(said["max_position_embeddings"])
    writer.add_embedding_length(said["hidden_size"])
    writer.add_block_count(said["num_hidden_layers"])
    writer.add_feed_forward_length(said["intermediate_size"])
    writer.add_head_count(said["num_attention_heads"])
    writer.add_head_count_kv(said["num_key_value_heads"])
    writer.add_rope_dimension_count(said["head_dim"])
    writer.add_rope_freq_base(said["rope_theta"])
    writer.add_layer_norm_rms_eps(said["rms_norm_eps"])
    writer.add_vocab_size(said["vocab_size"])
    writer.add_file_type(0)  # all float32


def _vocabulary(writer: Any, codec: Codec[Any], kind: Any) -> None:
    """Bytes and their merges as GPT-2 has them; characters as unigrams, the one kind of tokenizer with a token for whatever is unseen."""
    made = tokenizer(codec)
    place = made.get_vocab()
    tokens, end = sorted(place, key=place.__getitem__), len(place) - 1
    kinds = [kind.NORMAL] * end + [kind.CONTROL]
    if isinstance(codec, Characters):
        tokens, kinds[end - 1] = [SPACE if t == " " else t for t in tokens], kind.UNKNOWN
        writer.add_tokenizer_model("t5")
        writer.add_unk_token_id(end - 1)
        writer.add_add_space_prefix(False)
        writer.add_remove_extra_whitespaces(False)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges([" ".join(pair) for pair in json.loads(made.to_str())["model"]["merges"]] or [NEVER])
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(end)
    writer.add_eos_token_id(end)
    writer.add_pad_token_id(end)
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def _weights(writer: Any, tensors: Mapping[str, Tensor], sizes: tuple[int, int], library: Any) -> None:
    """Under llama.cpp's names; one tensor less where embeddings are tied. `sizes` are how many layers, and how many numbers a head."""
    names = library.get_tensor_name_map(library.MODEL_ARCH.LLAMA, sizes[0])
    for name, tensor in tensors.items():
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), _paired(name, tensor, sizes[1]).cpu().numpy())


def _paired(name: str, tensor: Tensor, size: int) -> Tensor:
    """Rows of queries and keys in llama.cpp's order: the two numbers that are turned together, half a head apart here, are neighbours there."""
    if not name.endswith(("q_proj.weight", "k_proj.weight")):
        return tensor
    return tensor.reshape(-1, 2, size // 2, tensor.shape[1]).transpose(1, 2).reshape(tensor.shape)
