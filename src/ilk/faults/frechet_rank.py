"""A Frechet distance of fewer items than features: the covariances are singular, and the figure is mostly bias."""
from __future__ import annotations

import re

from ilk.fault import Figure, Figures
from ilk.faults._figures import FigureFault, like

USUAL = {"fid": 2048}  # features, where nothing is told
TIMES = 2              # items for each feature, at least


class FrechetRank(FigureFault):
    """Fewer than two items a feature."""

    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """How many of both."""
        if not like(figure, "frechet", "fid", "fd", "frechet_distance") or figure.n is None:
            return None
        told = re.search(r"(\d+)[ -]?(?:features|dim|d\b)", figure.convention)
        size = among.facts.get("features") or (int(told[1]) if told else USUAL.get(figure.name.lower(), 0))
        if figure.n >= TIMES * size:
            return None
        many = "are no more than" if figure.n <= size else "are hardly more than"
        return (f"{figure.n} items {many} the {size} features: the covariance is told by too few, and the distance of a perfect model is far above 0",
                f"at least {TIMES * size} items, better ten for each feature; or an unbiased figure, such as energy_distance or a kernel distance")
