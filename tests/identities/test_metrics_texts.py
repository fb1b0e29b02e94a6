"""Figures of texts: equal to sacrebleu, nltk and rouge-score where they compute the same, right where the answer is known."""
from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

import ilk
from ilk import registry
from ilk.captions import Captions
from ilk.errors import IlkError
from ilk.metric import Case, NotApplicable, Reading, measured
from ilk.metrics._overlap import bleu, error, longest, rouge, tokenizer
from ilk.metrics.repetition import repeated
from ilk.metrics.scripts import script
from ilk.metrics.self_bleu import bleus
from ilk.rng import Rng

torch.set_num_threads(1)
WORDS = ["the", "river", "rose", "and", "wind", "fell", "no", "hill", "at", "night", "so", "cold"]
CHINESE = ["北京的秋天很美，天很蓝。", "上海的冬天不冷。", "他去年在北京住了3个月", "春风又绿江南岸，明月何时照我还"]


def dice(seed: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=seed))


def sentences(seed: int, n: int, longest: int = 12) -> list[str]:
    g = dice(seed)
    return [" ".join(g.choice(WORDS, g.integers(4, longest + 1))) for _ in range(n)]


def changed(seed: int, texts: list[str], share: float) -> list[str]:
    """The texts with that share of their words drawn anew."""
    g = dice(seed)
    return [" ".join(str(g.choice(WORDS)) if g.random() < share else word for word in text.split()) for text in texts]


def read(name: str, case: Case, seed: int = 0) -> Reading:
    found = measured(registry.get("metrics", name)(), case, Rng(seed))
    assert isinstance(found, Reading), found
    return found


# Against references

def test_scores_are_those_of_sacrebleu() -> None:
    real = sentences(1, 60)
    made, other = changed(2, real, 0.3), changed(3, real, 0.2)
    found = ilk.text_scores(made, real)
    assert found.bleu == BLEU().corpus_score(made, [real]).score and found.chrf == CHRF().corpus_score(made, [real]).score
    several = ilk.text_scores(made, [[a] if i % 2 else [a, b] for i, (a, b) in enumerate(zip(real, other, strict=True))])
    streams: list[Any] = [real, [None if i % 2 else b for i, b in enumerate(other)]]
    assert several.bleu == BLEU().corpus_score(made, streams).score >= found.bleu
    assert several.chrf == CHRF().corpus_score(made, streams).score and several.rouge_l >= found.rouge_l


def test_chinese_is_taken_character_by_character() -> None:
    made = ["北京的秋天真美，天很蓝。", "上海的冬天很冷。", "他去年在北京住3个月", "春风又绿江南岸，明月何时照他还"]
    found = ilk.text_scores(made, CHINESE)
    assert found.tokens == "zh" and found.bleu == BLEU(tokenize="zh").corpus_score(made, [CHINESE]).score > 50
    assert BLEU().corpus_score(made, [CHINESE]).score < 20, "which is why 13a is not the default for Chinese"
    assert ilk.text_scores(made, CHINESE, tokens="char").bleu == BLEU(tokenize="char").corpus_score(made, [CHINESE]).score
    assert rouge(["北京的秋天"], [["北京秋天"]], 0) == pytest.approx(2 * 4 / 9)
    assert rouge(["3个月 later"], [["3个月"]], 1) == pytest.approx(2 * 3 / 7)


@pytest.mark.parametrize(("text", "by"), [
    ("The river rose.", "13a"), ("北京 of course 的秋天很美", "zh"), ("東京の秋はきれいです", "char"), ("แม่น้ำ", "char"), ("река", "13a"), ("", "13a")])
def test_the_tokeniser_is_told_from_the_text(text: str, by: str) -> None:
    assert tokenizer([text]) == by


def test_rouge_is_that_of_rouge_score() -> None:
    """rouge-score 0.1.2 of PyPI, RougeScorer(["rouge1", "rouge2", "rougeL"]), without stemming."""
    pairs = [("The river rose, and the wind fell.", "The wind fell and the river rose again", (0.933333333333, 0.769230769231, 0.4)),
             ("no", "the end of the day", (0, 0, 0)),
             ("a b c d e f g a b", "a c b d f e g b a a", (0.947368421053, 0, 0.631578947368)),
             ("It's 3 o'clock in the morning", "it is 3 in the morning", (0.714285714286, 0.333333333333, 0.714285714286))]
    for made, real, expected in pairs:
        assert [rouge([made], [[real]], n) for n in (1, 2, 0)] == pytest.approx(expected, abs=1e-11)
    assert [rouge(["d e g c"], [["a b c", "d e f g"]], n) for n in (1, 2, 0)] == pytest.approx([0.75, 1 / 3, 0.75])


@settings(max_examples=60, deadline=None)
@given(st.text("abc", max_size=8), st.text("abcd", max_size=8))
def test_the_longest_common_subsequence_is_that_of_all_tried(a: str, b: str) -> None:
    def within(short: tuple[str, ...], whole: str) -> bool:
        rest = iter(whole)
        return all(token in rest for token in short)

    best = max(k for k in range(len(a) + 1) if any(within(some, b) for some in combinations(a, k)))
    assert longest(a, b) == longest(b, a) == best


def test_errors_of_scores_cover() -> None:
    """The error told is the spread of the score over other texts, within a third."""
    found, told = [], []
    for seed in range(30):
        real = sentences(seed, 120)
        made = changed(seed + 100, real, 0.3)
        found.append(bleu(made, [[r] for r in real], "13a"))
        told.append(error(made, [[r] for r in real], lambda m, r: bleu(m, r, "13a")) or 0)
    assert 0.67 < np.mean(told) / np.std(found, ddof=1) < 1.5


@pytest.mark.parametrize("bad", [([], []), (["a"], []), (["a"], [[]]), ("abc", ["a", "b", "c"]), ([1], ["a"]), (["a"], [[None]])])
def test_lists_that_do_not_fit_are_refused(bad: Any) -> None:
    with pytest.raises(IlkError) as why:
        ilk.text_scores(*bad)
    assert why.value.remedy


def test_a_tokeniser_there_is_not_is_refused() -> None:
    with pytest.raises(IlkError, match="no tokeniser"):
        ilk.text_scores(["a"], ["a"], tokens="klingon")


def test_without_sacrebleu_it_is_said_what_is_lacking(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("bleu", "chrf"):
        monkeypatch.setattr(f"ilk.metrics.{module}.installed", lambda: False)
        said = measured(registry.get("metrics", module)(), prompted(), Rng(0))
        assert isinstance(said, NotApplicable) and "ilk[text]" in said.reason
    monkeypatch.setattr("ilk.verbs.text_scores.installed", lambda: False)
    with pytest.raises(IlkError, match="sacrebleu") as why:
        ilk.text_scores(["a"], ["a"])
    assert why.value.remedy == "pip install 'ilk[text]'" and read("rouge", prompted()).value > 0


def prompted(share: float = 0.3) -> Case:
    """Texts made for captions; each caption has two test texts and one to learn from."""
    captions = [f"picture {i}" for i in range(100)]
    said = sentences(5, 100)
    test, train = said + changed(6, said, 0.1), changed(7, said, 0.1)
    return Case(made=changed(8, said, share)[::-1], test=test, train=train, made_captions=captions[::-1], test_captions=captions * 2, train_captions=captions)


@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge"])
def test_prompted_texts_are_compared_with_those_of_their_caption(name: str) -> None:
    case = prompted()
    found = read(name, case)
    made, test = case.made[::-1], case.test
    pairs = [[test[i], test[100 + i]] for i in range(100)]
    both = ilk.text_scores(made, pairs)
    assert found.value == pytest.approx(both.rouge_l if name == "rouge" else getattr(both, name), abs=1e-9)
    assert found.n == 100 and found.error and 2 * found.error < found.value - found.parts["chance"]
    assert found.parts["chance"] < read(name, prompted(0.6)).value < found.value < found.parts["real"]


@pytest.mark.parametrize("name", ["bleu", "chrf", "rouge"])
def test_texts_nobody_asked_for_have_no_such_figure(name: str) -> None:
    said = measured(registry.get("metrics", name)(), Case(made=["a b"], test=["a b"]), Rng(0))
    assert isinstance(said, NotApplicable) and "prompted" in said.reason


@pytest.mark.slow
def test_a_model_of_pairs_is_judged_beside_chance_and_real_texts() -> None:
    captions = [f"{a} {b}" for a in ("red", "blue", "old") for b in ("dog", "cat", "bird")] * 12
    put = {"red": "rot", "blue": "blau", "old": "alt", "dog": "hund", "cat": "katze", "bird": "vogel"}
    texts = [" ".join(put[word] for word in caption.split()) for caption in captions]
    splits = {"train": torch.arange(72), "valid": torch.arange(72, 90), "test": torch.arange(90, 108)}
    data = ilk.Dataset(ilk.Text(), texts, splits, captions=Captions.of(captions))
    model = ilk.fit(data, ilk.Transformer(layers=1, width=32, heads=2), budget=ilk.Steps(5), seed=1)
    figure = ilk.evaluate(model, data, only=["chrf"])["chrf"]
    assert figure.ceiling == 100 and figure.floor is not None and figure.value < figure.floor + 40


# Among made texts

def test_self_bleu_is_that_of_sacrebleu() -> None:
    texts = sentences(9, 12)
    scorer = BLEU(tokenize="none", smooth_method="floor", smooth_value=0.1)
    theirs = [scorer.corpus_score([text], [[other] for j, other in enumerate(texts) if j != i]).score / 100 for i, text in enumerate(texts)]
    assert bleus([t.split() for t in texts]) == pytest.approx(theirs, abs=1e-12)


def test_repetition_counts_what_came_before() -> None:
    assert repeated([list("abcdabcd")], 4).tolist() == [1 - 4 / 5] and repeated([list("aaaaaaa"), list("abc")], 4).tolist() == [0.75]
    circles, fresh = ["so the river rose " * 6] * 20, [" ".join(f"w{i}x{j}" for j in range(24)) for i in range(20)]
    assert read("repetition", Case(made=circles, test=fresh)).value == pytest.approx(1 - 4 / 21)
    assert read("repetition", Case(made=fresh, test=fresh)).value == 0
    cut = read("repetition", Case(made=["so the river rose again " * 50], test=fresh[:1]))
    assert cut.value == pytest.approx(1 - 5 / 21), "a long text counts as far as the median test text goes"
    chinese = read("repetition", Case(made=["春风春风春风"], test=["春风又绿江南岸"]))
    assert chinese.value == pytest.approx(1 - 2 / 3) and "by character" in chinese.convention


def test_scripts_are_counted_by_letters() -> None:
    found = read("scripts", Case(made=["北京 ab", "ж3"], test=["北京市的 abcd"]))
    assert found.parts == pytest.approx({"Han": 0.4, "Latin": 0.4, "test Han": 0.5, "test Latin": 0.5, "elsewhere": 0.2})
    assert found.value == pytest.approx((0.1 + 0.1 + 0.2) / 2)
    assert read("scripts", Case(made=CHINESE, test=CHINESE)).value == 0
    assert read("scripts", Case(made=["river"], test=["北京"])).value == 1
    assert script("Ａ") == "Latin" and script("ー") == script("か") == "Kana" and script("𠀋") == "Han" and script("한") == "Hangul" and script("٣") == ""
    assert isinstance(measured(registry.get("metrics", "scripts")(), Case(made=["12"], test=["a"]), Rng(0)), NotApplicable)


def test_the_error_of_scripts_covers() -> None:
    """Texts of two languages by the toss of a coin, half each: the shares are off as the bootstrap says."""
    def texts(seed: int) -> list[str]:
        return ["北京的秋天" if heads else "river" for heads in dice(seed).random(200) < 0.5]

    found = [read("scripts", Case(made=texts(2 * seed), test=texts(2 * seed + 1))) for seed in range(60)]
    assert 0.7 < np.mean([f.error or 0 for f in found]) / (np.sqrt(np.mean([f.value**2 for f in found]))) < 1.4


def test_consistency_tells_texts_that_keep_to_their_subject() -> None:
    g = dice(11)
    subjects = [[f"s{i}_{j}" for j in range(12)] for i in range(150)]
    kept = [" ".join(g.choice(WORDS if k % 2 else subject) for k in range(40)) for subject in subjects]
    torn = [" ".join(a.split()[:20] + b.split()[20:]) for a, b in zip(kept, kept[1:] + kept[:1], strict=True)]
    loose = [" ".join(g.choice(WORDS, 40)) for _ in range(150)]
    one = read("consistency", Case(made=kept, test=kept))
    assert one.value > 0.99 and one.parts["test"] == one.value
    assert read("consistency", Case(made=torn, test=kept)).value < 0.6
    chance = read("consistency", Case(made=loose, test=loose))
    assert chance.error and abs(chance.value - 0.5) < 3.5 * chance.error
    same = read("consistency", Case(made=kept[:1] * 150, test=kept))
    assert same.value == pytest.approx(0.5), "texts that are all alike are as near to each other as to themselves"
