"""A decoder of transformers that answers turns, goes on with texts, weighs them and counts their tokens."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ..chat import Delta, Token, Tool, Turn, Want
from ..errors import UsageError
from ._loop import Laws, answer, ending, weighed
from ._masks import masks, vocabulary
from ._stream import Writer
from ._turns import around, functions, messages, spans, whole, without_tools
from ._window import least, room

CHUNK = 512   # tokens read at once
# Marks that end a turn in the templates in use, where a model has them as a token: some models name only one of their own as the end.
ENDS = ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", "<|end_of_text|>", "<|end|>", "<end_of_turn>", "</s>", "<|return|>")


@dataclass(frozen=True, eq=False)
class Decoder:
    """`module` is the network and `tokenizer` its tokenizer, both as transformers has them; `window` tokens at most are read and made."""

    name: str
    module: torch.nn.Module
    tokenizer: Any
    window: int | None
    ends: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ends", _ends(self.module, self.tokenizer))

    @cached_property
    def _vocabulary(self) -> Any:
        return vocabulary(self.tokenizer, self.size, self.ends)

    @property
    def size(self) -> int:
        """How many tokens the network has a weight for: sometimes more than there are."""
        return int(self.module.get_output_embeddings().weight.shape[0])   # type: ignore[operator]

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The next turn, by the model's own template."""
        without_tools(self.name, want.tools)
        return self._said(self._read(turns), want)

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        """More of a text. One that is empty begins as the model's texts do."""
        return self._said(self._begun(text), want)

    def _said(self, ids: list[int], want: Want) -> Iterator[Delta]:
        most = least(want.most, room(self.name, self.window, len(ids)))
        return answer(self, ids, want, None if want.shape is None else masks(want.shape, self._vocabulary), most)

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]:
        """The tokens of the text, read by themselves, each given all before it. With nothing before, the first is weighed after the token that begins texts."""
        known = self._begun(after) if isinstance(after, str) else self._read(after)
        ids = self._plain(text)
        room(self.name, self.window, len(known) + len(ids) - 1)
        laws, writer, told = self._each([*known, *ids][:None if ended else -1], len(known) - 1), Writer(self.text), list[Token]()
        for token, law in zip(ids, laws, strict=False):   # in this order, so that the law of the end is left
            nats = weighed(law, token, 0, writer).nats
            told.append(Token("".join(d.text for d in writer.add(token)), nats))
        return (*told, ending(next(laws), self.ends)) if ended else tuple(told)

    def written(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> str:
        """The turns as the model's own template writes them, up to where its answer begins."""
        found = whole(self.name, self.tokenizer.chat_template, turns, lambda said, begins: self._rendered(said, tools, begins))
        if tools and found == self._rendered(messages(turns), (), True):
            raise UsageError(f"the template of {self.name} knows no tools", code="TOOLS", param="tools", remedy="take a model that was taught to call tools")
        return found

    def _rendered(self, said: list[dict[str, Any]], tools: Sequence[Tool], begins: bool) -> str:
        from jinja2 import TemplateError

        try:
            return str(self.tokenizer.apply_chat_template(said, tools=functions(tools), add_generation_prompt=begins, tokenize=False))
        except (TemplateError, TypeError, ValueError) as why:
            raise UsageError(f"the template of {self.name} refuses these turns: {why}"[:300], code="TEMPLATE", param="turns",
                             remedy="most take a system turn first, then user and assistant in turns") from None

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._plain(text))

    def _read(self, turns: Sequence[Turn]) -> list[int]:
        """Rendered turns as tokens; what a turn says is never a mark of the template."""
        written = self.written(turns)
        marks = self.tokenizer.all_special_tokens
        if any(mark in p for p in (t.text for t in turns) for mark in marks):
            return [i for text, own in spans(written, turns) for i in self._ids(text, own)]
        return self._ids(written, False)

    def _ids(self, text: str, plain: bool) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=plain, verbose=False)["input_ids"])

    def _plain(self, text: str) -> list[int]:
        return self._ids(text, True)

    def _begun(self, text: str) -> list[int]:
        """A bare text with what the tokenizer puts before texts; at least one token."""
        start = self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id
        ids = [*around(self.tokenizer)[0], *self._plain(text)]
        if not ids and start is None:
            raise UsageError(f"{self.name} can't begin with nothing: it has no token for the beginning", code="EMPTY", param="text", remedy="give it some text")
        return ids or [start]

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as text, marks left out."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False))

    def laws(self, ids: Sequence[int]) -> Laws:
        """Log weights after the tokens, then after each one that is sent."""
        with torch.inference_mode():
            cache, rows = self._go(ids)
        while True:
            token = yield rows[-1].float()
            with torch.inference_mode():
                cache, rows = self._go([token], cache)

    def _each(self, ids: Sequence[int], first: int) -> Iterator[Tensor]:
        """The law after each token from the one numbered `first` on."""
        cache = None
        for at in range(0, len(ids), CHUNK):
            with torch.inference_mode():
                cache, rows = self._step(ids[at:at + CHUNK], cache)
            yield from rows[max(0, first - at):].float()

    def _go(self, ids: Sequence[int], cache: Any = None) -> tuple[Any, Tensor]:
        rows = torch.zeros(0)
        for at in range(0, len(ids), CHUNK):
            cache, rows = self._step(ids[at:at + CHUNK], cache)
        return cache, rows

    def _step(self, ids: Sequence[int], cache: Any) -> tuple[Any, Tensor]:
        """Reads some tokens after those in the cache; log weights after each, tokens that there are not at -inf."""
        at = next(self.module.parameters()).device
        out = self.module(input_ids=torch.tensor([list(ids)], device=at), past_key_values=cache, use_cache=True)
        rows: Tensor = out.logits[0].cpu()
        there = len(self.tokenizer)
        return out.past_key_values, rows if there >= rows.shape[1] else rows.index_fill(1, torch.arange(there, rows.shape[1]), -torch.inf)


def _ends(module: Any, tokenizer: Any) -> frozenset[int]:
    said = getattr(getattr(module, "generation_config", None), "eos_token_id", None)
    known = [i for mark in ENDS if (i := tokenizer.get_vocab().get(mark)) is not None and mark in tokenizer.all_special_tokens]
    return frozenset(i for i in (*(said if isinstance(said, list) else [said]), tokenizer.eos_token_id, *known) if i is not None)
