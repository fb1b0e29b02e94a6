"""What merging changes in a tuned model."""
from __future__ import annotations

from typing import Any

import torch

from ilk.model import Model


def gaps(model: Model) -> tuple[float, float]:
    """The largest difference of a logit between merged and unmerged weights over the questions of the probe: merged and computed in float64, and all in float32."""
    tuned, plain = model.body.chat, model.body.merged()
    single = _gap(model, tuned.module, plain.module)
    plain.module.double().load_state_dict(dict(model.body.family.tuning.merge(tuned.module.double())))
    double = _gap(model, tuned.module, plain.module)
    tuned.module.float()
    return double, single


def _gap(model: Model, one: Any, other: Any) -> float:
    found, tokenizer = 0.0, model.body.chat.tokenizer
    with torch.no_grad():
        for asked in model.body.probe:
            ids = torch.tensor([tokenizer("".join(text for _, text in asked["after"]) + asked["answer"])["input_ids"]])
            found = max(found, float((one(input_ids=ids).logits - other(input_ids=ids).logits).abs().max()))
    return found
