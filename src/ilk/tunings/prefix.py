"""prefix: keys and values before every text learn, in every layer; the network does not (Li & Liang 2021)."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import nn

from ..rng import Rng
from ..tuning import Tuning, freeze, named
from ._lead import begins, some_tokens, takes_lead, widened
from ._places import once

MARK = "key_values"


def _before(net: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    held = getattr(net, MARK)
    if begins(kwargs):
        text = args[0] if args else kwargs["input_ids"]
        if kwargs.get("past_key_values") is None:
            kwargs["past_key_values"] = _cache()
        for i, (keys, values) in enumerate(held):
            kwargs["past_key_values"].update(keys.expand(len(text), -1, -1, -1), values.expand(len(text), -1, -1, -1), i)
    return args, widened(kwargs, held.shape[3])


def _cache() -> Any:
    from transformers import DynamicCache

    return DynamicCache()


@dataclass(frozen=True, kw_only=True)
class Prefix(Tuning):
    """`length` keys and values a layer, which begin as those of tokens drawn from the vocabulary: at first the network answers as if it had read those. It can't be merged."""

    length: Annotated[int, Interval(ge=1, le=4096)] = 16

    def apply(self, net: nn.Module, rng: Rng) -> Mapping[str, nn.Parameter]:
        """Puts them before every text that is begun."""
        takes_lead(net)
        once(net, MARK)
        freeze(net)
        tokens = some_tokens(net, self.length, rng).to(next(net.parameters()).device)
        with torch.no_grad():
            held = net(input_ids=tokens, use_cache=True).past_key_values.layers
        both = torch.stack([torch.stack([layer.keys[0], layer.values[0]]) for layer in held])
        net.register_parameter(MARK, nn.Parameter(both))   # (layers, 2, heads, length, size)
        net.register_forward_pre_hook(_before, with_kwargs=True)
        return named(net, lambda name: name == MARK)
