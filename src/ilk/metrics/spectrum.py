"""How alike made and real series are in rhythm and roughness: the distance between their power spectra, in decibels."""
from __future__ import annotations

from math import inf
from typing import ClassVar, Literal

import numpy as np

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._series import powers, series
from ._tables import Cells, spread

LEAST = 1e-12   # of the mean power of test series, which is added to all: 120 dB below it


class Spectrum(Metric):
    """Root mean square over frequencies and channels of 10 log10(power of made series / power of test series), in dB (Gray & Markel 1976).

    Powers are means over series in at most 32 bands; frequency 0, the level, is left out. Twice the amplitude is 6.02 dB everywhere. `parts` has the
    mean signed distance in the lower and the upper half of the frequencies: too smooth a model lacks power in the upper.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "test")
    modalities: ClassVar[tuple[str, ...]] = ("array",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "lower"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = inf

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The distance; its error by bootstrap over series. Of n series it is about 4.3 (2 / n)^1/2 dB where the laws are equal, less in wide bands."""
        sides = series([case.made, case.test], rng)
        if isinstance(sides, str):
            return NotApplicable(sides)
        made, test = map(powers, sides)
        if not test.any():
            return NotApplicable("the test series do not move")
        least = LEAST * float(test.mean())
        apart = _decibels(made, test, least)
        error = spread(lambda i, j: _size(_decibels(made[i], test[j], least)), len(made), len(test), rng) if case.errors else None
        half = len(apart) // 2
        return Reading(_size(apart), error, len(made), {"low": float(apart[:half].mean()), "high": float(apart[half:].mean())},
                       f"log spectral distance in dB, {len(apart)} bands, {apart.shape[1]} channels")


def _decibels(made: Cells, test: Cells, least: float) -> Cells:
    found: Cells = 10 * np.log10((made.mean(0) + least) / (test.mean(0) + least))
    return found


def _size(apart: Cells) -> float:
    return float(np.sqrt((apart**2).mean()))
