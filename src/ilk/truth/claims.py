"""What a sentence claims, as far as letters tell: sentences with their places, content words, numbers, names and negations, in English and Chinese."""
from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from ilk.metrics._texts import SPACELESS
from ilk.sentences import sentences as parted

_MARK = re.compile(r"\s*(?:[-*•]\s+|\d{1,3}[.)、]\s+|#+\s+)?")
_WORD = re.compile(f"[{SPACELESS}]+|[^\\W_{SPACELESS}]+(?:['’][^\\W\\d_{SPACELESS}]+)?")
_HAN = re.compile(f"[{SPACELESS}]")
STOP = frozenset((
    "a", "an", "the", "this", "that", "these", "those", "it", "its", "he", "she", "they", "them", "his", "her", "their", "we", "you", "i", "me", "my", "our", "your", "us",
    "him", "who", "whom", "which", "what", "where", "when", "why", "how", "is", "are", "was", "were", "be", "been", "being", "am", "do", "does", "did", "done", "has",
    "have", "had", "having", "will", "would", "shall", "should", "can", "could", "may", "might", "must", "of", "in", "on", "at", "by", "for", "from", "to", "with", "into",
    "onto", "over", "under", "about", "as", "than", "then", "and", "or", "but", "if", "so", "because", "while", "there", "here", "also", "too", "very", "just", "only",
    "more", "most", "some", "any", "each", "all", "both", "such", "own", "same", "other", "not", "no", "nor", "never", "n't", "without", "there's", "it's", "that's", "yes",
    "one"))
_FUNCTION = "的了是在和与及也就都而着把被对于从以之其这那此又并且或则即等地得为有个不没未"
_NEGATIVE = re.compile(r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|hardly|\w+n['’]t)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[,;:.!?，；：。！？、]|\b(?:and|but|although|though|while|because)\b|但是?|而且|虽然|因为")
_NO = re.compile("[不没无非未]|并非|否认")
_NOT_NEGATIVE = re.compile("不同|不仅|不但|不断|不过|不久|不少|不只|不论|不管|不错|不等|不超过|不少于|不低于|不高于|不到|"
                           "无论|无线|无数|非常|非洲|未来|没收|是不是|有没有|"
                           "no doubt|not only|no (?:more|less|fewer) than|no\\. ?(?=\\d)", re.IGNORECASE)
_DIGITS = re.compile(r"(?<![\w.,])[-−]?\d{1,3}(?:,\d{3})+(?:\.\d+)?|[-−]?(?<![\d.])\d+(?:\.\d+)?")
_UNITS = {w: i for i, w in enumerate((
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"))}
_TENS = {w: 10 * i for i, w in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], 2)}
_LARGE = {"hundred": 100.0, "thousand": 1e3, "million": 1e6, "billion": 1e9}
_COUNT = re.compile(r"[a-z]+|[^\sa-z-]")
_STOP_SIGN = next(_COUNT.finditer("."))
_CHINESE = re.compile("[零〇一二三四五六七八九十百千万亿两]{2,}|[零二三四五六七八九十百千万亿两](?=[年月日号岁个位名天倍米次人本座条只章回])")
_DIGIT = {c: i for i, c in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2}
_POWER = {"十": 10, "百": 100, "千": 1000}
_MULTIPLE = {"million": 1e6, "billion": 1e9, "thousand": 1e3, "万": 1e4, "亿": 1e8}
_FOLLOWS = re.compile(r"\s*(million|billion|thousand|万|亿)")


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence and where it stands: text[start:end]."""

    text: str
    start: int
    end: int


def sentences(text: str) -> tuple[Claim, ...]:
    """The sentences of a text, without the marks of lists and headings.

    >>> [c.text for c in sentences("Dr. Li paid 3.5 yuan. 他走了。好！")]
    ['Dr. Li paid 3.5 yuan.', '他走了。', '好！']
    """
    found = [(m.end() if (m := _MARK.match(text, a, b)) else a, b) for a, b in parted(text)]
    return tuple(Claim(text[a:b], a, b) for a, b in found if a < b and _WORD.search(text, a, b))


def content(text: str) -> list[str]:
    """The content words in their order: stems of words, and pairs of characters where there are no spaces.

    >>> content("The rivers are rising")
    ['river', 'ris']
    >>> content("长江是最长的河")
    ['长江', '最长', '河']
    """
    return [unit for unit, _ in _units(text)]


def _units(text: str) -> Iterator[tuple[str, int]]:
    """Content words with the places where they begin."""
    for m in _WORD.finditer(_CHINESE.sub(lambda m: " " * len(m[0]), text)):
        if _HAN.match(m[0]):
            for run in re.finditer(f"[^{_FUNCTION}]+", m[0]):
                yield from ((run[0][i:i + 2], m.start() + run.start() + i) for i in range(max(1, len(run[0]) - 1)))
        elif m[0].lower() not in STOP and not m[0].isdigit() and not _NEGATIVE.fullmatch(m[0]):
            yield stem(m[0].lower()), m.start()


def stem(word: str) -> str:
    """A word without its commonest endings."""
    word = re.sub(r"['’].*$", "", word)
    for ending, least in (("ies", 3), ("ing", 3), ("ed", 3), ("es", 3), ("s", 3), ("e", 3), ("y", 3), ("i", 3)):
        if word.endswith(ending) and len(word) - len(ending) >= least and not word.endswith("ss"):
            return word[:-len(ending)]
    return word


def names(text: str) -> frozenset[str]:
    """Words written with a capital letter inside a sentence, or with several; none in scripts that have no capitals."""
    found = set()
    for claim in sentences(text) or (Claim(text, 0, len(text)),):
        for i, word in enumerate(_WORD.findall(claim.text)):
            if (i and word[0].isupper() or sum(c.isupper() for c in word) > 1) and word.lower() not in STOP:
                found.add(stem(word.lower()))
    return frozenset(found)


def denied(text: str) -> dict[str, bool]:
    """The content words, and whether they are denied: they stand, in their part of the sentence, after an odd number of words that deny.

    >>> denied("It was tall, but not old")
    {'tall': False, 'old': True}
    """
    found: dict[str, bool] = {}
    for clause in _CLAUSE.split(text):
        at = _denials(clause)
        for unit, place in _units(clause):
            found[unit] = found.get(unit, True) and sum(a < place for a in at) % 2 == 1
    return found


def denies(text: str) -> bool:
    """Whether a sentence as a whole denies: it has an odd number of words that deny."""
    return len(_denials(text)) % 2 == 1


def _denials(text: str) -> list[int]:
    """Where words that deny begin."""
    plain = _NOT_NEGATIVE.sub(lambda m: " " * len(m[0]), text)
    return [m.start() for pattern in (_NEGATIVE, _NO) for m in pattern.finditer(plain)]


def numbers(text: str) -> tuple[float, ...]:
    """Every number in it, in its order, written in digits, in English or in Chinese; the word one (and a single 一) says nothing.

    >>> numbers("1,200 of forty-two, 三百二十 and 3.5 million")
    (1200.0, 42.0, 320.0, 3500000.0)
    """
    found, rest = [], text.lower() if len(text.lower()) == len(text) else text
    for m in _DIGITS.finditer(text):
        many = _FOLLOWS.match(text, m.end())
        found.append((m.start(), float(m[0].replace(",", "").replace("−", "-")) * (_MULTIPLE[many[1]] if many else 1)))
        rest = rest[:m.start()] + " " * ((many or m).end() - m.start()) + rest[(many or m).end():]
    return tuple(n for _, n in sorted((*found, *_spelt(rest), *((m.start(), chinese(m[0])) for m in _CHINESE.finditer(rest)))))


def _spelt(text: str) -> Iterator[tuple[int, float]]:
    """Numbers in English words and where they begin; `one` alone is no number."""
    total = group = 0.0
    last, start = "", -1
    for m in (*_COUNT.finditer(text), _STOP_SIGN):
        word = m[0]
        if word in _UNITS or word in _TENS:
            group, start = group + _UNITS.get(word, 0) + _TENS.get(word, 0), m.start() if start < 0 else start
        elif word in _LARGE and start >= 0:
            total, group = (total, group * 100) if word == "hundred" else (total + group * _LARGE[word], 0.0)
        elif not (word == "and" and last in _LARGE and start >= 0):
            if start >= 0 and total + group != 1:
                yield start, total + group
            total, group, start = 0.0, 0.0, -1
        last = word


def chinese(text: str) -> float:
    """A number in Chinese characters, by place (三百二十) or digit by digit (一九四九).

    >>> chinese("一九四九"), chinese("三百二十"), chinese("两万五千")
    (1949.0, 320.0, 25000.0)
    """
    if all(c in _DIGIT for c in text):
        return float("".join(str(_DIGIT[c]) for c in text))
    total = section = digit = 0.0
    for c in text:
        if c in _DIGIT:
            digit = _DIGIT[c]
        elif c in _POWER:
            section, digit = section + (digit or 1) * _POWER[c], 0.0
        else:
            total, section, digit = (total + (section + digit or 1)) * _MULTIPLE[c], 0.0, 0.0
    return total + section + digit
