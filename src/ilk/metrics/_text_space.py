"""The space in which texts are compared: how often runs of characters occur, and what of that varies most; learned here from the training texts."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from ._features import ALWAYS
from ._kept import Kept, digest
from ._tables import Cells, some

SIZE, RUNS, TEXTS, CHARACTERS, FEWEST = 32, 20_000, 5000, 5000, 50


@dataclass(frozen=True, eq=False)
class TextSpace:
    """Latent semantic analysis (Deerwester et al. 1990) of runs of 1 to 3 characters."""

    name: str
    weigh: TfidfVectorizer
    axes: TruncatedSVD

    def vectors(self, texts: Sequence[str]) -> Cells:
        """One vector a text, by its first 5,000 characters."""
        found: Cells = self.axes.transform(self.weigh.transform([text[:CHARACTERS] for text in texts]))
        return found


_SPACES: Kept[TextSpace] = Kept(1)


def text_space(train: Sequence[str]) -> TextSpace | str:
    """The space that training texts give, or why there is none."""
    if len(train) < FEWEST:
        return f"features are learned from at least {FEWEST} training texts, not {len(train)}"
    seen = [train[i][:CHARACTERS] for i in some(len(train), TEXTS, ALWAYS.child("texts"))]
    return _SPACES.get(digest(np.frombuffer("\0".join(seen).encode("utf-8", "replace"), dtype=np.uint8)), lambda: _learned(seen))


def _learned(seen: Sequence[str]) -> TextSpace:
    weigh = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), max_features=RUNS, sublinear_tf=True)
    counts = weigh.fit_transform(seen)
    size = min(SIZE, *(side - 1 for side in counts.shape))
    axes = TruncatedSVD(size, random_state=0).fit(counts)
    return TextSpace(f"{size} axes of the runs of 1 to 3 characters of {len(seen)} training texts", weigh, axes)
