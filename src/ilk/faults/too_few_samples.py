"""A figure of so few items that another few would give another figure."""
from __future__ import annotations

from ilk.fault import Figure, Figures
from ilk.faults._figures import FigureFault, like

LEAST = 30
NEEDS = {("frechet", "fid", "fd"): 1000, ("kid", "mmd", "precision", "recall", "density", "coverage", "inception_score", "inception"): 200,
         ("c2st", "auc_gap", "dcr_share", "near_train_share", "membership", "auc"): 100}


class TooFewSamples(FigureFault):
    """Fewer items than such a figure needs to be told to a few hundredths of its range."""

    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """How many, and how many it needs."""
        least = next((n for names, n in NEEDS.items() if like(figure, *names)), LEAST)
        if figure.n is None or figure.n >= least:
            return None
        error = "" if figure.se is None else f"; its standard error is {figure.se:.2g}"
        return f"{figure.n} items, where {least} are few{error}", "ilk evaluate MODEL --against a larger test set, -n as many; else tell its interval and no more than that"
