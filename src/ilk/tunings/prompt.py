"""prompt: a few vectors before the embeddings of every text learn, the network does not (Lester et al. 2021)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ..rng import Rng
from ..tuning import Tuning, freeze, named
from ._lead import begins, some_tokens, takes_lead, widened
from ._places import once

MARK = "soft_prompt"


def _before(net: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    vectors, first = getattr(net, MARK), begins(kwargs)
    if first:
        ids = args[0] if args else kwargs.pop("input_ids", None)
        text = kwargs["inputs_embeds"] if ids is None else net.get_input_embeddings()(ids)
        place, kept = torch.arange(len(vectors) + text.shape[1], device=text.device)[None], kwargs.get("logits_to_keep")
        kwargs = widened(kwargs, len(vectors)) | {"inputs_embeds": torch.cat([vectors.expand(len(text), -1, -1).to(text), text], 1), "position_ids": place}
        return (), kwargs | ({"logits_to_keep": kept + len(vectors)} if isinstance(kept, Tensor) else {})
    return args, widened(kwargs, len(vectors))


def _after(net: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> Any:
    whole = kwargs.get("inputs_embeds")
    if whole is not None and out.logits.shape[1] == whole.shape[1]:   # all places, not only those that were asked for
        out.logits = out.logits[:, len(getattr(net, MARK)):]
    return out


@dataclass(frozen=True, kw_only=True)
class SoftPrompt(Tuning):
    """`length` vectors, which begin as the embeddings of tokens drawn from the vocabulary: at first the network answers as if it had read those. It can't be merged."""

    length: Annotated[int, Interval(ge=1, le=4096)] = 16

    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """Puts the vectors before every text that is begun."""
        takes_lead(net)
        once(net, MARK)
        freeze(net)
        tokens = some_tokens(net, self.length, rng)[0]
        net.register_parameter(MARK, nn.Parameter(net.get_input_embeddings().weight.detach()[tokens].clone()))  # type: ignore[operator]
        net.register_forward_pre_hook(_before, with_kwargs=True)
        net.register_forward_hook(_after, with_kwargs=True)
        return named(net, lambda name: name == MARK)
