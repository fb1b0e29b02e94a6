"""How long an item is: its characters, or whatever else its kind of data counts."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ilk import registry
from ilk.errors import UsageError
from ilk.quantity import Quantity, Values

if TYPE_CHECKING:
    from ilk.model import Model


@dataclass(frozen=True)
class Length(Quantity):
    """The first unit that items are counted in: characters of a text."""

    def of(self, model: Model) -> Values:
        """For items that have one."""
        def lengths(items: Any) -> Tensor:
            found = model.modality.lengths(items)
            if not found:
                raise UsageError(f"items of {registry.name_of('modalities', model.modality)} have no length", code="QUANTITY", param="given",
                                 remedy="name a part of the items instead")
            return next(iter(found.values())).double()
        return lengths
