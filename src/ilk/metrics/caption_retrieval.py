"""Whether pictures made for a caption show it: how often their own caption is found among 32."""
from __future__ import annotations

from typing import ClassVar, Literal

from ..metric import Case, Metric, NotApplicable, Reading
from ..rng import Rng
from ._caption_net import MOST, found, matching
from ._features import FEWEST, alike, pictures

AMONG = 32


class CaptionRetrieval(Metric):
    """Share of made pictures whose own caption is nearer to them than 31 other ones, by a contrastive network of the training pictures.

    Where the captions are fewer than 32 kinds, all are compared. `parts` has `chance` and, as `real`, the share of the test pictures.
    """

    needs: ClassVar[tuple[str, ...]] = ("made", "train")
    modalities: ClassVar[tuple[str, ...]] = ("image",)
    better: ClassVar[Literal["higher", "lower", "middle", "real"]] = "higher"
    low: ClassVar[float] = 0.0
    high: ClassVar[float] = 1.0

    def measure(self, case: Case, rng: Rng) -> Reading | NotApplicable:
        """The share over all made pictures."""
        if why := alike(case.made, case.train) or ("" if pictures(case.made) else "it is about pictures"):
            return NotApplicable(why)
        asked, told = case.made_captions, case.train_captions
        if asked is None or told is None:
            return NotApplicable("nothing was prompted, or the training pictures have no captions")
        if len(case.train) < FEWEST or len(set(told)) < 2:
            return NotApplicable(f"captions are learned from at least {FEWEST} training pictures and 2 different captions")
        net, names = matching(case.train, told), set(told) | set(asked)
        many = min(AMONG, len(names))
        right = found(net, case.made, asked, sorted(names), rng, many)
        parts = {"chance": 1 / many}
        if case.test is not None and case.test_captions is not None:
            parts["real"] = float(found(net, case.test, case.test_captions, sorted(names), rng, many).mean())
        soft = (right.sum() + 1) / (len(right) + 2)
        error = float((soft * (1 - soft) / len(right)) ** 0.5) if case.errors else None
        return Reading(float(right.mean()), error, len(right), parts,
                       f"own caption among {many}, by a contrastive network of {min(MOST, len(told))} captioned training pictures, sha256 {net.digest()[:8]}; n={len(right)}")
