"""The cheap part of an audit, which goes with every fit: its sizes follow from counts, never from the clock, so that the same seed gives the same card."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from ilk import registry
from ilk.attack import Finding, Target, Unmeasured, carried
from ilk.dataset import Dataset
from ilk.distribution import Denoises, HasLogProb, NextToken, Samples, Unfolds
from ilk.errors import IlkError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._nearby import points
from ilk.verbs.sample import sample
from ilk.verbs.score import score

MOST, FEWEST, CELLS = 500, 50, 1 << 20   # items, and numbers that distances are measured in
