"""What prompt and prefix tuning share: something learned that stands before every text a causal decoder of `transformers` reads."""
from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UsageError
from ..rng import Rng


def takes_lead(net: nn.Module) -> None:
    """UsageError for anything but a causal decoder whose embeddings can be had."""
    if not callable(getattr(net, "get_input_embeddings", None)):
        raise UsageError("only decoders of the library transformers have a place for a learned prompt", code="NO_PLACE", param="tuning", remedy="lora or adapter")


def some_tokens(net: Any, many: int, rng: Rng) -> Tensor:
    """Tokens of the vocabulary to begin with, (1, many): learning starts from the model with these before the text (Lester et al. 2021)."""
    return rng.child("tokens").integers(many, net.get_input_embeddings().num_embeddings)[None]


def begins(kwargs: dict[str, Any]) -> bool:
    """Whether nothing was read yet."""
    past = kwargs.get("past_key_values")
    return past is None or past.get_seq_length() == 0


def widened(kwargs: dict[str, Any], many: int) -> dict[str, Any]:
    """What a caller says of positions and masks, `many` places more before the text."""
    mask, place = kwargs.get("attention_mask"), kwargs.get("position_ids")
    if mask is not None:
        if mask.ndim != 2:
            raise UsageError("a learned prompt can't stand before each of several texts in one row", code="PACKING", param="pack", remedy="leave packing out")
        kwargs["attention_mask"] = torch.cat([mask.new_ones(len(mask), many), mask], 1)
    if place is not None:
        kwargs["position_ids"] = place + many
    kwargs.pop("cache_position", None)
    return kwargs
