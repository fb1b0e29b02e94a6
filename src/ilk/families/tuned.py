"""A pretrained text model that was tuned: the address of its base, the way of tuning, and what was learned; nothing else is kept."""
from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, ClassVar

import torch
from annotated_types import Interval
from torch import Tensor, nn

from ..backend import fresh
from ..distribution import Distribution, Family
from ..errors import ModelError, UsageError
from ..letters import letters_space
from ..memory import apart
from ..rng import Rng
from ..space import Space
from ..store import State
from ..tuning import AnyTuning, Tuning
from .pretrained import Weighed

HASHES = {"weights": "its weights are other ones", "tokenizer": "its tokenizer is another one", "template": "its template of turns is another one"}
REMEDY = "tune anew, or fetch the base that it was tuned from"


class Adapted(Weighed):
    """The base with what was learned. `probe` is what it said when it was tuned: it travels with the model, so that every change of form can be judged."""

    family: Tuned  # type: ignore[assignment]

    def __init__(self, family: Any, space: Space, rng: Rng, about: Mapping[str, Space]) -> None:
        super().__init__(family, space, rng, about)
        self.rng, self.probe = rng, list[dict[str, Any]]()

    @cached_property
    def bare(self) -> Any:
        """The base opened anew; it is that only until `chat` is asked for, which is made of it."""
        found = based(self.family.address)
        with apart():
            self.base = hashes(found)
        return found

    @cached_property
    def chat(self) -> Any:
        """The base, tuned."""
        found = self.bare
        with apart():
            self.learned: Mapping[str, nn.Parameter] = self._tuning.apply(found.module.eval(), self.rng)
        return found

    @property
    def _tuning(self) -> Tuning:
        if self.family.tuning is None:
            raise UsageError("no way of tuning is named", code="TUNING", param="tuning", remedy="ilk list tunings")
        return self.family.tuning

    def merged(self) -> Any:
        """The base opened anew with merged weights; None where what was learned can't be merged."""
        weights = self._tuning.merge(self.chat.module)
        if weights is None:
            return None
        plain = based(self.family.address)
        plain.module.load_state_dict(dict(weights))
        return plain

    def state(self) -> State:
        """What was learned, the hashes of the base, and the probe."""
        chat = self.chat
        return State({name: p.detach() for name, p in self.learned.items()}, {"base": dict(self.base), "probe": self.probe}) if chat else State()

    def restore(self, state: State) -> None:
        """Takes it back; ModelError on a base, a tokenizer or a template that is not the one it was tuned on."""
        self.chat   # noqa: B018  opened, so that it can be compared
        said = state.facts.get("base", {})
        if wrong := [why for name, why in HASHES.items() if said.get(name) != self.base[name]]:
            raise ModelError(f"the base {self.family.address} is not what this was tuned on: {' and '.join(wrong)}", code="BASE", remedy=REMEDY)
        if {k: t.shape for k, t in state.tensors.items()} != {k: p.shape for k, p in self.learned.items()}:
            raise ModelError("what was learned does not fit the base and the way of tuning", code="WEIGHTS_SHAPE", remedy=REMEDY)
        with torch.no_grad():
            for name, p in self.learned.items():
                p.copy_(state.tensors[name])
        self.probe = list(state.facts.get("probe", []))


def based(address: str) -> Any:
    """The model at an address, opened anew; UsageError for one whose network is not in this process."""
    found = fresh(address)
    if not hasattr(found, "module") or not hasattr(found, "tokenizer"):
        raise UsageError(f"{address} can't be tuned: its network is not at hand", code="NOT_TUNABLE", param="model",
                         remedy="a model of transformers, such as hf:smollm2-135m-instruct")
    return found


def hashes(decoder: Any) -> dict[str, str]:
    """SHA-256 of a decoder's weights, of its tokenizer, and of its template."""
    digest = hashlib.sha256()
    for name, tensor in sorted(decoder.module.state_dict().items()):
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(_bytes(tensor))
    backend = getattr(decoder.tokenizer, "backend_tokenizer", None)
    spelled = json.loads(backend.to_str()) if backend is not None else {"vocabulary": decoder.tokenizer.get_vocab()}
    spelled = {k: v for k, v in spelled.items() if k not in ("truncation", "padding")}
    return {"weights": digest.hexdigest(), "tokenizer": _digest(json.dumps(spelled, sort_keys=True)), "template": _digest(str(decoder.tokenizer.chat_template))}


def _bytes(tensor: Tensor) -> Any:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Tuned(Family):
    """The model at `address` (one of transformers), tuned in a way of `ilk list tunings`; `ilk.tune` makes it.

    >>> Tuned().refuses(letters_space())
    'is made by `ilk tune`, from a model that is named and a way of tuning'
    """

    distribution: ClassVar[type[Distribution[Any]]] = Adapted
    address: str = ""
    tuning: AnyTuning | None = None
    system: str = ""
    most: Annotated[int, Interval(ge=1)] | None = 256

    def refuses(self, space: Space) -> str | None:
        """Anything but texts as they are; a recipe that names no base or no tuning."""
        if space != letters_space():
            return "takes texts as they are, without a coding"
        return None if self.address and self.tuning is not None else "is made by `ilk tune`, from a model that is named and a way of tuning"
