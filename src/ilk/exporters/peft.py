"""peft: what LoRA, rsLoRA or DoRA learned, as a folder that the library peft puts onto the base."""
from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from torch import Tensor

from .. import registry
from ..errors import UsageError
from ..exporter import Exporter
from ..families.tuned import Adapted
from ..model import Model
from ..store import tensors_to_bytes
from ._tuned import whole

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
NAMES = {"lora.a": "lora_A.weight", "lora.b": "lora_B.weight", "lora.length": "lora_magnitude_vector"}


@dataclass(frozen=True)
class Peft(Exporter):
    """Only what was learned: the base stays where it is."""

    def refuses(self, model: Model) -> str | None:
        """Anything but a tuned model of LoRA's kin."""
        if not isinstance(model.body, Adapted) or not hasattr(model.body.family.tuning, "rank"):
            return "writes what lora, rslora and dora learned on a model of transformers"
        return "can't write what is given: export the model without it" if model.givens else None

    def write(self, model: Model, to: Path) -> list[Path]:
        """adapter_config.json and adapter_model.safetensors."""
        if why := self.refuses(model):
            raise UsageError(f"peft {why}", code="EXPORT")
        body = cast(Adapted, model.body)

        def write(part: Path) -> None:
            (part / CONFIG).write_text(json.dumps(_config(body), indent=1) + "\n", encoding="utf-8")
            (part / WEIGHTS).write_bytes(tensors_to_bytes(_tensors(body)))

        whole(to, write)
        return [to / CONFIG, to / WEIGHTS]


def _config(body: Adapted) -> dict[str, Any]:
    tuning: Any = body.family.tuning
    name = registry.name_of("tunings", tuning)
    hosts = sorted({n.partition(".lora.")[0] for n in body.state().tensors})
    return {"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": body.family.address.partition(":")[2], "r": tuning.rank,
            "lora_alpha": tuning.alpha, "lora_dropout": tuning.dropout, "target_modules": hosts, "bias": "none", "use_rslora": name == "rslora",
            "use_dora": name == "dora", "fan_in_fan_out": body.chat.module.config.model_type == "gpt2", "inference_mode": True}


def _tensors(body: Adapted) -> dict[str, Tensor]:
    return {f"base_model.model.{host}.{NAMES[f'lora.{kind}']}": t for name, t in body.state().tensors.items() for host, _, kind in (name.partition(".lora."),)}
