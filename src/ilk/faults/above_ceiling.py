"""Better than real items: a model that copies them, test items that were learned from, or a figure that can be tricked."""
from __future__ import annotations

from ilk.fault import Figure, Figures
from ilk.faults._figures import FigureFault, rank

ERRORS, MORE, BARE = 3.0, 0.02, 0.25  # beyond real items' value in standard errors, and as a share of the way from the floor, also where no error is told


class AboveCeiling(FigureFault):
    """Beyond the value of real items by more than three standard errors, or perfect where real items are not."""

    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """Both."""
        sign = rank(figure)
        if figure.ceiling is None or not sign:
            return None
        way = abs(figure.ceiling - figure.floor) if figure.floor is not None else abs(figure.ceiling)
        margin = BARE * way if figure.se is None else max(ERRORS * figure.se, MORE * way)
        if not sign * (figure.value - figure.ceiling) > margin:
            return None
        return (f"{figure.value:.4g}, where real items have {figure.ceiling:.4g} (better: {figure.better}): no honest model is better than the data",
                "look for copies: dcr_share and near_train_share of ilk evaluate, ilk audit MODEL; check that no test item was learned from (ilk doctor DATA)")
