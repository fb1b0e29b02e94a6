"""How bright a picture is: the mean of its colours, from 0 to 255."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ilk import registry
from ilk.errors import UsageError
from ilk.quantity import Quantity, Values

if TYPE_CHECKING:
    from ilk.model import Model


@dataclass(frozen=True)
class Brightness(Quantity):
    """The mean of all pixels and colours; transparency is left out.

    >>> import numpy as np
    >>> float(brightness(np.full((1, 2, 2, 3), 7, np.uint8)))
    7.0
    """

    def of(self, model: Model) -> Values:
        """For models of pictures."""
        kind = registry.name_of("modalities", model.modality)
        if kind != "image":
            raise UsageError(f"items of {kind} have no brightness", code="QUANTITY", param="given", remedy="name a part of the items instead")
        return brightness


def brightness(items: Any) -> Tensor:
    """Of pictures (B, H, W, C)."""
    colours = items[..., :items.shape[-1] - (items.shape[-1] in (2, 4))]
    return torch.from_numpy(colours.reshape(len(items), -1).mean(1, dtype="float64"))
