"""Likelihoods that are compared and do not measure the same: per item and per pixel, of densities and of counts, a bound beside an exact value."""
from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby
from typing import ClassVar

from ilk.fault import Fault, Figure, Figures, Found
from ilk.faults._figures import like, named

NAMES = ("nats", "nll", "log_likelihood", "loglik", "bits_per_dim", "bpd", "elbo", "bits_per_character", "bpc", "perplexity", "score")


class UnlikeLikelihoods(Fault):
    """Figures of one name, of several models, whose conventions differ."""

    looks_at: ClassVar[type] = Figures

    def find(self, thing: Figures) -> Iterator[Found]:
        """The first two that differ."""
        told = sorted((f for f in thing.figures if like(f, *NAMES) and f.convention), key=lambda f: f.name)
        for _, group in groupby(told, key=lambda f: f.name):
            first, *others = group
            other = next((f for f in others if f.model != first.model and _measure(f) != _measure(first)), None)
            if other is not None:
                yield self.found(f"{named(first)} and {named(other)}", f"one is in {first.convention!r}, the other in {other.convention!r}: their difference means nothing",
                                 "ilk score both models on the same raw items: nats an item against one measure; where one is a bound, say so in a column of its own")


def _measure(figure: Figure) -> tuple[str, ...]:
    """What is measured: units, measure and sort, whatever the numbers in it are."""
    words = re.sub(r"[\d.]+", "", figure.convention.lower())
    return tuple(sorted(word for word in re.findall(r"[a-z_]+", words) if len(word) > 1))
