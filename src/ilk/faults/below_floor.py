"""A model that is worse than one that knows nothing of how things hang together."""
from __future__ import annotations

from ilk.fault import Figure, Figures
from ilk.faults._figures import FigureFault, rank

ERRORS = 2.0


class BelowFloor(FigureFault):
    """Worse than the floor beside it by more than two standard errors."""

    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """Both."""
        sign, margin = rank(figure), ERRORS * (figure.se or 0.0)
        if figure.floor is None or not sign or not sign * (figure.value - figure.floor) < -margin:
            return None
        return (f"{figure.value:.4g}, where a trivial model has {figure.floor:.4g} (better: {figure.better})",
                "ilk diagnose MODEL --data DATA says what failed; more steps, another family (ilk race DATA), or another way to draw")
