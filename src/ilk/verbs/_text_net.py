"""Text models whose network is in this process, as tuning needs them: to tokens, and the nats of tokens."""
from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ilk.batch import Batch
from ilk.chat import Turn
from ilk.errors import DataError, UsageError
from ilk.model import Model


class Decoded:
    """A causal decoder of transformers with its tokenizer and template."""

    def __init__(self, decoder: Any, low: bool = False) -> None:
        self.decoder, self.net, self.low = decoder, cast(nn.Module, decoder.module), low
        self.name, self.window, self.tokenizer = str(decoder.name), decoder.window, decoder.tokenizer
        self.keeps = "logits_to_keep" in signature(self.net.forward).parameters

    def plain(self, text: str) -> list[int]:
        """Tokens of what somebody said, whatever it looks like."""
        return list(self.tokenizer(text, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"])

    def marks(self, text: str) -> list[int]:
        """Tokens of a piece of the template."""
        return list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def around(self) -> tuple[list[int], list[int]]:
        """What begins a text and what ends it."""
        start, end = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if start is None and end is None:
            raise UsageError(f"{self.name} has no token for where a text begins or ends", code="TEMPLATE", param="model")
        return [end if start is None else start], [] if end is None else [end]

    def pieces(self, turns: Sequence[Turn]) -> list[tuple[str, str]] | None:
        """The rendered conversation: what stands `before` an answer, what is `said`, and its `end`. None for a model without a template."""
        if not self.tokenizer.chat_template:
            return None
        if marked := [m for m in self.tokenizer.all_special_tokens if any(m in t.text for t in turns)]:
            raise DataError(f"an example holds {marked[0]!r}, a mark of the model's own", code="MARKS", remedy="leave such examples out")
        found, done = list[tuple[str, str]](), 0
        for k, turn in enumerate(turns):
            if turn.role != "assistant":
                continue
            if k == 0:
                raise DataError("a conversation begins with what the assistant says", code="TURNS", remedy="let the user begin")
            before, whole = self.decoder.written(turns[:k]), self._rendered(turns[:k + 1])
            said = next((s for s in (turn.text, turn.text.strip()) if whole.startswith(before + s)), None)
            if said is None:
                raise UsageError(f"the template of {self.name} writes an answer otherwise than after its generation prompt, so it can't be told which tokens are learned",
                                 code="TEMPLATE", param="model", remedy="another template")
            end = whole[len(before) + len(said):].rstrip() or str(self.tokenizer.eos_token)
            found += [(before[done:], "before"), (said, "said"), (end, "end")]
            done = len(before) + len(said) + len(end)
        return found

    def _rendered(self, turns: Sequence[Turn]) -> str:
        said = [{"role": t.role, "content": t.text} for t in turns]
        return str(self.tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=False))

    def nats(self, tokens: Tensor, learned: Tensor, item: Tensor) -> Tensor:
        """-log p of the learned tokens of each row, summed, (B,). Rows are filled up behind, where nothing sees it; `item` numbers the texts of a row."""
        targets = tokens[:, 1:].masked_fill(~learned[:, 1:], -100)
        kept = (targets >= 0).any(0).nonzero()[:, 0]
        more: dict[str, Any] = {"logits_to_keep": kept} if self.keeps else {}
        with torch.autocast(tokens.device.type, torch.bfloat16) if self.low else nullcontext():
            logits = self.net(input_ids=tokens[:, :-1], use_cache=False, **self._apart(item[:, :-1]), **more).logits
        logits = (logits if self.keeps else logits[:, kept]).float()
        return cross_entropy(logits.transpose(1, 2), targets[:, kept], reduction="none").sum(1)

    def _apart(self, item: Tensor) -> dict[str, Tensor]:
        """A mask that keeps the texts of a row apart, and each one's own positions; nothing where every row is one text."""
        if not bool((item > 0).any()):
            return {}
        place = torch.arange(item.shape[1], device=item.device)
        seen = (item[:, :, None] == item[:, None]) & (place[:, None] >= place)
        start = torch.where(item != item.roll(1, 1), place, 0).cummax(1).values
        kind = torch.bfloat16 if self.low else next(self.net.parameters()).dtype
        return {"attention_mask": torch.zeros(seen.shape, dtype=kind, device=item.device).masked_fill_(~seen, torch.finfo(kind).min)[:, None], "position_ids": place - start}


class Own:
    """A transformer that ilk fitted, over the tokens of its own coding. It has no template."""

    def __init__(self, model: Model) -> None:
        self.model, self.body = model, cast(Any, model.body)
        self.net: nn.Module = self.body
        self.name, self.window = repr(model), int(self.body.family.context)

    def plain(self, text: str) -> list[int]:
        """Tokens by the model's codec."""
        from ilk.rng import Rng

        coded: Batch = self.model.codec.encode([text], Rng(0)) if text else Batch(Batch(torch.zeros(0, dtype=torch.long)), length=torch.tensor([0]))
        found: list[int] = coded.elements.tensor.tolist()
        return found

    marks = plain

    def around(self) -> tuple[list[int], list[int]]:
        """One token is both the end and the beginning."""
        return [self.body.size], [self.body.size]

    def pieces(self, turns: Sequence[Turn]) -> None:
        """It has none."""
        if len(turns) != 2:
            raise DataError("this model has no template, so it learns texts and pairs, not conversations", code="TEMPLATE", remedy="texts, or questions with answers")

    def nats(self, tokens: Tensor, learned: Tensor, item: Tensor) -> Tensor:
        """-log p of the learned tokens of each row, summed, (B,)."""
        found: Tensor = self.body.nats(tokens[:, :-1], tokens[:, 1:].masked_fill(~learned[:, 1:], -1), {})
        return found.sum(1)
