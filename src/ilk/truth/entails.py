"""A model of entailment from a transformers folder: whether one text follows from another."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ilk.errors import ModelError, UsageError

from ._arrays import Numbers

BATCH = 16


@dataclass(frozen=True)
class Entailment:
    """A folder of a sequence classifier whose labels name entailment, neutral and contradiction (or entailment and its absence). Read offline, from safetensors, without code."""

    at: str | Path

    @cached_property
    def _parts(self) -> tuple[Any, Any, list[int | None]]:
        if find_spec("transformers") is None:
            raise UsageError("entailment needs transformers, which is not installed", code="EXTRA", remedy='pip install "ilk[hf]"')
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        if not (Path(self.at) / "config.json").is_file():
            raise ModelError(f"{self.at} is no folder of a transformers model", code="NOT_FOUND", remedy="a folder with config.json and model.safetensors")
        try:
            reader = AutoTokenizer.from_pretrained(self.at, local_files_only=True, trust_remote_code=False)
            net = AutoModelForSequenceClassification.from_pretrained(self.at, local_files_only=True, trust_remote_code=False, use_safetensors=True)
        except (OSError, ValueError, KeyError) as why:
            raise ModelError(f"{self.at} can't be opened: {str(why).splitlines()[0][:200]}", code="MODEL") from None
        return reader, net.eval(), _places(net.config.id2label)

    def entails(self, pairs: Sequence[tuple[str, str]]) -> Numbers:
        """Chances of entailment, neither, and contradiction, (n, 3). UsageError for a pair that is longer than the model can read."""
        reader, net, places = self._parts
        rows = []
        for i in range(0, len(pairs), BATCH):
            some = pairs[i:i + BATCH]
            read = reader([a for a, _ in some], [b for _, b in some], padding=True, return_tensors="pt")
            if (length := read["input_ids"].shape[1]) > (most := getattr(net.config, "max_position_embeddings", length)):
                raise UsageError(f"a pair of texts has {length} tokens, and the model reads {most}", code="CONTEXT", remedy="shorter spans")
            with torch.inference_mode():
                rows.append(net(**read).logits.double().softmax(1).numpy())
        chances = np.concatenate(rows) if rows else np.zeros((0, 3))
        return np.stack([chances[:, p] if p is not None else np.zeros(len(chances)) for p in places], 1)


def _places(labels: dict[int, str]) -> list[int | None]:
    """Which outputs are entailment, neither (or not entailed), and contradiction; ModelError where no label names entailment."""
    told = {i: name.lower() for i, name in labels.items()}

    def where(*begins: str) -> int | None:
        return next((i for i, name in told.items() if name.startswith(begins)), None)

    found = [where("entail"), where("neutral", "not_entail", "not entail", "non_entail"), where("contra")]
    if found[0] is None:
        raise ModelError(f"its labels are {', '.join(labels.values())[:200]}", code="LABELS", remedy="a model with a label named entailment")
    return found
