"""What merging changes in a tuned model."""
from __future__ import annotations

import torch

from ilk.model import Model


def gap(model: Model) -> float:
    """The largest difference of a logit between merged and unmerged weights, over the questions of the probe, computed in float64: in float32 thirty layers round by more."""
    plain, found = model.body.merged(), 0.0
    tuned = model.body.chat
    for net in (tuned.module, plain.module):
        net.double()
    with torch.no_grad():
        for one in model.body.probe:
            ids = torch.tensor([tuned.tokenizer("".join(text for _, text in one["after"]) + one["answer"])["input_ids"]])
            found = max(found, float((tuned.module(input_ids=ids).logits - plain.module(input_ids=ids).logits).abs().max()))
    tuned.module.float()
    return found
