"""transfer: pictures in the style of others, what they show kept."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ilk import registry
from ilk.errors import UsageError
from ilk.metrics._features import pictures
from ilk.modality import Limits
from ilk.rng import Rng
from ilk.verbs._style import CHUNK, TINY, Style, looks


@dataclass(frozen=True, eq=False)
class Transferred:
    """Pictures in another style, and two shares: how much of its way to the style each went, in the mean, and how far it left what it showed.

    `style` is 1 - the distance to the style's Gram matrices over what it was; `content` that of where features are strong, 1 being a picture that has
    nothing in common with it. Both are in the features that the pictures were moved by.
    """

    items: Any
    style: float
    content: float

    def __repr__(self) -> str:
        return f"{len(self.items)} pictures: {self.style:.0%} of the way to the style, {self.content:.0%} of the way from what they showed"


def transfer(items: Any, like: Any, strength: float = 0.8, examples: Any = None, seed: int = 0) -> Transferred:
    """Each of these pictures in the style that `like`, one picture or several, has in the mean (Gatys et al. 2016).

    No model is needed: the features are learned here from these pictures, from `like` and from `examples` if there are any.
    `strength` 0 leaves pictures as they are, 1 asks for nothing but the style; `seed` is for the grain that they begin from.

    >>> import ilk
    >>> plain, rough = (ilk.Rng(0).uniform(2, 16, 16, 3).numpy() * far + 100 for far in (10, 150))
    >>> made = transfer(plain.astype("uint8"), like=rough.astype("uint8"), strength=0.9)
    >>> made.items.shape, made.style > 0.5
    ((2, 16, 16, 3), True)
    """
    if not 0 <= strength <= 1:
        raise UsageError(f"strength is {strength}", code="OPTION", param="strength", remedy="0 (as it is) to 1 (nothing but the style)")
    content, wanted = _pictures(items, "items"), _pictures(like, "like")
    more = [] if examples is None else [_pictures(examples, "examples")]
    if odd := [x.shape[3] for x in (wanted, *more) if x.shape[3] != content.shape[3]]:
        raise UsageError(f"pictures of {content.shape[3]} and of {odd[0]} channels", code="SHAPE", param="like", remedy="read both in one colour: --color rgb")
    style = Style(looks([_planes(x) for x in (content, wanted, *more)]), _planes(wanted))
    x = _planes(content)
    made = torch.cat([style.drawn(x[i:i + 1], strength, Rng(seed).child("transfer").at(i)) for i in range(len(x))])
    out = content.copy()
    out[..., :made.shape[1]] = ((made + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return Transferred(out, *_measured(style, x, _planes(out)))


def _measured(style: Style, x: Tensor, made: Tensor) -> tuple[float, float]:
    before, after = (torch.cat([torch.stack(style.away(part)).sqrt().sum(0) for part in y.split(CHUNK)]) for y in (x, made))
    apart = torch.cat([style.apart(one, other) for one, other in zip(x.split(CHUNK), made.split(CHUNK), strict=True)])
    return float(1 - (after / before.clamp_min(TINY)).mean()), float(apart.sqrt().mean())


def _pictures(raw: Any, param: str) -> Any:
    found = raw if isinstance(raw, np.ndarray) and pictures(raw) else registry.get("modalities", "image")().read(raw, Limits()).items
    if not len(found):
        raise UsageError("there is no picture", code="ITEMS", param=param, remedy="pass one at least")
    return found


def _planes(items: Any) -> Tensor:
    """Channels first in [-1, 1], without transparency."""
    return torch.from_numpy(np.ascontiguousarray(items[..., :3])).permute(0, 3, 1, 2).float() / 127.5 - 1
