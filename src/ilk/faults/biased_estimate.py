"""A figure that leans to one side with few items: models judged by different numbers of items can't be compared."""
from __future__ import annotations

from ilk.fault import Figure, Figures
from ilk.faults._figures import FigureFault, like

KNOWN = {("fid", "frechet", "fd"): (5000, "falls as 1/n: a tenth of the items can double it"),
         ("inception_score", "inception", "is"): (5000, "rises with n"),
         ("mmd_biased", "biased_mmd", "mmd_v"): (5000, "has a term of 1/n that is not there in the unbiased one"),
         ("mode_count", "modes"): (2500, "counts fewer modes with fewer items"),
         ("mutual_information", "kl_estimate"): (1000, "is above 0 even for independent items")}


class BiasedEstimate(FigureFault):
    """Below the number of items at which its lean is small, without a value of real items or a correction beside it."""

    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """How many, and which way it leans."""
        for names, (least, how) in KNOWN.items():
            corrected = figure.ceiling is not None or "unbiased" in figure.convention or "correct" in figure.convention
            if like(figure, *names) and figure.n is not None and figure.n < least and not corrected:
                return (f"{figure.n} items: it {how}, and is settled from about {least}",
                        "the same number of items on both sides, the value of real items beside it (ilk evaluate: ceiling), or an unbiased figure")
        return None
