"""The contracts as checks that any family, modality, codec, metric, backend or model can run: each raises AssertionError or returns.

    from ilk.testing import check_family
    check_family(MyFamily(width=16))            # on every standard space that it takes

They need no pytest, and are what the library's own members are held to.
"""
from __future__ import annotations

from ._spaces import SPACES
from .backend import check_backend
from .codec import check_codec
from .family import CHECKS, check_family
from .metric import check_metric
from .modality import check_modality
from .model import check_chain, check_flips, check_law, check_noise, check_rejection, check_saving, check_total

__all__ = ["CHECKS", "SPACES", "check_backend", "check_chain", "check_codec", "check_family", "check_flips", "check_law", "check_metric", "check_modality", "check_noise",
           "check_rejection", "check_saving", "check_total"]
