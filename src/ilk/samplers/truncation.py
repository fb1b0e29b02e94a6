"""Truncation: codes nearer to the middle than they were learned, for items that are more typical and less varied."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Interval

from ..distribution import How


@dataclass(frozen=True, kw_only=True)
class Truncation(How):
    """For models that make items from random codes: `psi` 1 draws them as learned, 0 takes nothing but the middle.

    A GAN's normal numbers are drawn from the middle `psi` of their law (Brock et al. 2019), a StyleGAN's styles are moved to their
    mean (Karras et al. 2019, appendix B).
    """

    psi: Annotated[float, Interval(ge=0, le=1)] = 0.7
