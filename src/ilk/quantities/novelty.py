"""How new an item is: how far from all that the model learned from."""
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ilk.errors import UsageError
from ilk.quantity import Quantity, Values

if TYPE_CHECKING:
    from ilk.model import Model


@dataclass(frozen=True)
class Novelty(Quantity):
    """The distance to the nearest training item, as the figure `near_train_share` tells it: Gower's for rows, Euclid's for pictures and arrays.

    Of texts, the share of their runs of eight letters that no training text has. The data that the model's card names have to be there still.
    """

    def of(self, model: Model) -> Values:
        """UsageError where the data of the fit can't be read again, or have changed."""
        from ilk.verbs._nearby import apart
        from ilk.verbs._own import own

        data = own(model)
        if data is None:
            raise UsageError(f"novelty needs the data that the model was fitted on ({model.card.get('data') or 'held in memory'}): they can't be read, or have changed",
                             code="QUANTITY", param="given", remedy="fit from a file or a data set of the catalogue, and leave it where it is")
        return apart(model, data)
