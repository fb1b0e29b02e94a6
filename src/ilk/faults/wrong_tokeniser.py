"""Words cut at spaces in a script that has none: every Chinese sentence is then one word, and figures of words say nothing."""
from __future__ import annotations

import re

from ilk.fault import Figure, Figures
from ilk.faults._figures import FigureFault, like

WORDS = ("bleu", "rouge", "meteor", "distinct", "perplexity", "ter", "wer", "word_error_rate")
SPACED = re.compile(r"by word|white ?space|tok:(13a|none|intl|ter)\b|\b13a\b|split\(\)|per word|a word\b|words\b|tok\w*=(13a|none|intl)", re.I)
UNSPACED = ("HAN", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


class WrongTokeniser(FigureFault):
    """A figure of words of texts without spaces."""

    def said(self, figure: Figure, among: Figures) -> tuple[str, str] | None:
        """The script and the convention."""
        written = str(among.facts.get("script", "")).upper()
        told = SPACED.search(figure.convention)
        if written not in UNSPACED or not told or not like(figure, *WORDS):
            return None
        return (f"the texts are in {written.title()} script, which puts no spaces between words, and the figure is {told[0]!r}",
                "by character: sacrebleu --tokenize zh (ja-mecab, ko-mecab), or chrF; ilk's own figures look at the script and say 'by character'")
