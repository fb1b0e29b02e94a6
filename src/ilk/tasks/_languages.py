"""Which language a text is in, as far as letters and the commonest small words tell: enough to see that the wrong one was written."""
from __future__ import annotations

import re

from ..metrics.scripts import script

# Small words that are the commonest of their language and are none, or rarer, in the others.
SMALL = {name: frozenset(words.split()) for name, words in {
    "en": "the of and to in is was that for it with as his on be at by this had not are but from or have an they which one you were her all there been their we him would "
          "what up if more when can has will who no my than into only some could so them other any over these most between where a i he she its do",
    "de": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch es an werden aus er hat dass sie nach wird bei einer um am sind noch wie "
          "einem über einen so zum war haben nur oder aber vor zur bis mehr durch man sein wurde ich wir ihr uns mein",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont la avec son aux nous ont cette mais comme ou si leur y dont tout "
          "été elle fait sa était deux même ses je vous ils c'est l'on d'un d'une qu'il à",
    "es": "de la que el en y a los del se las por un para con no una su al lo como más pero sus le ya o este sí porque esta entre cuando muy sin sobre también me hasta hay "
          "donde quien desde todo nos durante es son fue está",
    "it": "di e il la che in un a per è una sono con non si da come le dei del nel alla più anche ma al ha lo gli della i questo o se delle essere due era suo dal sua ci "
          "tra quando hanno così molto",
    "pt": "de a o que e do da em um para é com não uma os no se na por mais as dos como mas foi ao ele das tem à seu sua ou ser quando muito há nos já está eu também só "
          "pelo pela até isso ela entre era são",
    "nl": "de van een het en in is dat op te zijn met voor niet aan er om die ook als bij dan nog naar maar hij door uit over wordt werd ze heeft was tot deze worden dit "
          "kan meer geen zo ik we je had onder wel hun"}.items()}
_HAN, _LEAST = {"Han"}, 4
LANGUAGES = ("zh", "ja", "ko", "ru", "ar", *SMALL)
_SCRIPTS = {"zh": {"Han"}, "ja": {"Han", "Kana"}, "ko": {"Hangul"}, "ru": {"Cyrillic"}, "ar": {"Arabic"}}


def is_in(text: str, language: str) -> bool:
    """Whether a text is written in a language: more than half of its letters are of the script and, for Latin ones, no other language has more of the small words.

    A text of fewer than four words has too few of them to be judged by anything but its letters.

    >>> is_in("Das Haus ist nicht groß.", "de"), is_in("The house is not large.", "de"), is_in("房子不大。", "zh")
    (True, False, True)
    """
    letters = [found for c in text if (found := script(c))]
    wanted = _SCRIPTS.get(language, {"Latin"})
    if 2 * sum(found in wanted for found in letters) <= len(letters):
        return False
    if language == "ja" and "Kana" not in letters:
        return len(letters) < _LEAST
    if language == "zh":
        return 10 * letters.count("Kana") < len(letters)
    return language not in SMALL or _small(text, language)


def _small(text: str, language: str) -> bool:
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", text.lower().replace("\u2019", "'"))
    counts = {name: sum(w in small for w in words) for name, small in SMALL.items()}
    return len(words) < _LEAST or (counts[language] > 0 and counts[language] >= max(counts.values()))
