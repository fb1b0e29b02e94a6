"""Models of language small enough to make in a test: random weights, real tokenizers and templates."""
from __future__ import annotations

from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import ilk
from ilk.model import Model
from ilk.run import Run, Steps

CHATML = ("{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
          "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}")
LINES = [f"user: word {i}\nassistant: hello world {i}, please say more\n" for i in range(40)]


def tokenizer(window: int = 96) -> Any:
    """Bytes and a few merges, with the marks of ChatML."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    made.train_from_iterator(LINES, trainers.BpeTrainer(vocab_size=280, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                                        special_tokens=["<|endoftext|>", "<|im_start|>", "<|im_end|>"]))
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<|endoftext|>", eos_token="<|im_end|>", additional_special_tokens=["<|im_start|>"],
                                   model_max_length=window, clean_up_tokenization_spaces=False)
    fast.chat_template = CHATML
    return fast


def decoder(at: Path, window: int = 96) -> Path:
    """A Llama of two layers with random weights, as a folder."""
    from transformers import LlamaConfig, LlamaForCausalLM

    known = tokenizer(window)
    with ilk.Rng(1).as_global():
        module = LlamaForCausalLM(LlamaConfig(vocab_size=len(known), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
                                              num_key_value_heads=2, max_position_embeddings=window, bos_token_id=0, eos_token_id=2, tie_word_embeddings=False))
    module.save_pretrained(at)
    known.save_pretrained(at)
    return at


def encoder(at: Path, window: int = 24) -> Path:
    """A Bert of two layers with random weights, as a folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "the", "price", "of", "oil", "word", "and", "ending", "kind"]
    made = Tokenizer(models.WordLevel({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    with ilk.Rng(2).as_global():
        module = BertModel(BertConfig(vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, max_position_embeddings=window))
    module.save_pretrained(at)
    PreTrainedTokenizerFast(tokenizer_object=made, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]", model_max_length=window).save_pretrained(at)
    return at


def lines(at: Path, family: Any = None, tokens: Any = "characters") -> Path:
    """A model of ilk's own, of lines of two turns."""
    from ilk.modalities.text import Text
    from ilk.modality import Limits

    data = Text(tokens=tokens, vocabulary=300).read(LINES, Limits())
    return fitted(data, family).save(at)


def fitted(data: Any, family: Any = None) -> Model:
    return ilk.fit(data, family or ilk.NGram(order=5), run=Run(budget=Steps(30)))


@cache
def llama() -> Model:
    """A small transformer of bytes, which llama.cpp can run."""
    from ilk.modalities.text import Text
    from ilk.modality import Limits

    return fitted(Text(tokens="bytes").read(LINES, Limits()), ilk.Transformer(layers=1, heads=2, width=64, context=256))


def gguf(at: Path, template: str | None = CHATML) -> Path:
    """A transformer of ilk's own as a GGUF file, with a template of turns."""
    import gguf as library

    from ilk.exporters import gguf as exporter
    from ilk.exporters.transformers import config, named

    model = llama()
    body: Any = model.body
    with closing(library.GGUFWriter(str(at), "llama")) as writer:
        exporter._sizes(writer, config(body.net.shape, body.family.context))
        exporter._vocabulary(writer, model.codec, library.TokenType)
        if template:
            writer.add_chat_template(template)
        exporter._weights(writer, named(body), (body.net.shape.layers, body.net.shape.size), library)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    return at
