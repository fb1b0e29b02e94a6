"""Support of sentences by spans, what sentences claim, and how sure a model is: laws, judged pairs, closed forms."""
from __future__ import annotations

from math import exp, log
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from ilk.backend import chat_at
from ilk.chat import Token, Turn, Want
from ilk.errors import DataError, ModelError, UsageError
from ilk.truth import claims
from ilk.truth.confidence import agreement, confidence, consistent, normal
from ilk.truth.support import hallucinated, support

DAM = ("The Hoover Dam was built between 1931 and 1936 on the Colorado River. It is 221 metres high and was not the first dam there. "
       "Its reservoir, Lake Mead, supplies about 25 million people with water.")
QIAN = "钱塘江大桥建于1937年，由茅以升设计，全长1453米。大桥没有在战争中完全毁坏，后来重新修好。"
# A sentence, and whether a careful reader of the two texts above finds it there.
JUDGED = [
    ("The Hoover Dam stands on the Colorado River.", True), ("It was built from 1931 to 1936.", True), ("Lake Mead supplies 25 million people with water.", True),
    ("The dam is 221 metres high.", True), ("Lake Mead is its reservoir.", True), ("It was not the first dam there.", True), ("The dam was built between 1931 and 1936.", True),
    ("The Hoover Dam is 321 metres high.", False), ("The dam was built in 1941.", False), ("It was the first dam there.", False), ("The Hoover Dam was built on the Nile.", False),
    ("Lake Mead supplies 25 thousand people with water.", False), ("The dam was painted by Italian workers.", False), ("The dam is made of marble and gold.", False),
    ("Its architect was born in Vienna.", False), ("Tickets cost 30 dollars.", False),
    ("钱塘江大桥由茅以升设计。", True), ("大桥全长1453米。", True), ("大桥建于一九三七年。", True), ("大桥后来重新修好。", True),
    ("钱塘江大桥由詹天佑设计。", False), ("大桥全长2453米。", False), ("大桥建于1957年。", False), ("大桥在战争中完全毁坏。", False), ("大桥上有很多商店和餐馆。", False)]


def test_judged_sentences_are_told_apart() -> None:
    score = [support(text, [DAM, QIAN])[0].score for text, _ in JUDGED]
    truth = [t for _, t in JUDGED]
    assert roc_auc_score(truth, score) > 0.97
    wrong = [JUDGED[i] for i in range(len(score)) if (score[i] > 0.5) != truth[i]]
    assert len(wrong) <= 2, wrong


def test_a_sentence_supports_itself_and_its_place_is_found() -> None:
    for span in (DAM, QIAN):
        for claim in claims.sentences(span):
            found, = support(claim.text, ["Nothing of the kind. 别的。", span])
            assert found.score == pytest.approx(1) and found.span == 1 and claim.text in span[found.start:found.end] and not found.missing


@pytest.mark.parametrize(("said", "lacking"), [
    ("The Hoover Dam was built between 1931 and 1946.", "1946"), ("The dam was not built on the Colorado River.", "negation"),
    ("The dam was built on the Danube River.", "danub"), ("钱塘江大桥全长一千米。", "1000")])
def test_a_changed_number_name_or_denial_is_not_supported(said: str, lacking: str) -> None:
    found, = support(said, [DAM, QIAN])
    assert found.score == 0 and lacking in found.missing


def test_without_the_span_there_is_no_support() -> None:
    said = "Lake Mead supplies 25 million people."
    assert support(said, [DAM])[0].score > 0.9 and support(said, [QIAN])[0].score == 0 and support(said, [])[0].span == -1


class Planted:
    """Vectors by a table, and entailment by another."""

    name, size = "planted", 2

    def embed(self, texts: object) -> np.ndarray:
        return np.array([[1.0, 0.0] if "ship" in t or "vessel" in t else [0.0, 1.0] for t in texts], dtype=np.float32)  # type: ignore[attr-defined]

    def entails(self, pairs: object) -> np.ndarray:
        return np.array([[0.9, 0.1, 0.0] if "ship" in a else [0.0, 0.1, 0.9] for a, _ in pairs])  # type: ignore[attr-defined]


def test_vectors_and_entailment_see_what_letters_do_not() -> None:
    spans = ["The sky turned grey.", "The ship sank."]
    bare, near, entailed = (support("A vessel went down.", spans, *how)[0] for how in ((), (Planted(),), (None, Planted())))
    assert bare.score == 0 and near.score == 0 and near.parts["likeness"] in (0.0, 1.0)
    assert entailed.score == pytest.approx(0.9) and entailed.span == 1 and entailed.parts["contradicted"] == 0
    sank, = support("The vessel sank.", spans, Planted())
    assert sank.score > support("The vessel sank.", spans)[0].score and sank.span == 1


@given(st.text(max_size=200))
@settings(deadline=None)
def test_sentences_are_where_they_say_and_lose_no_word(text: str) -> None:
    found = claims.sentences(text)
    assert all(text[c.start:c.end] == c.text and c.text for c in found) and all(a.end <= b.start for a, b in zip(found, found[1:], strict=False))
    left = claims.content("".join(c if all(not (s.start <= i < s.end) for s in found) else "\n" for i, c in enumerate(text)))
    assert not left or text.lstrip()[0] in "-*•#" or text.lstrip()[0].isdigit() or "\n" in text or claims._MARK.match(text)


@given(st.text(max_size=80), st.lists(st.text(max_size=80), max_size=3))
@settings(max_examples=60, deadline=None)
def test_any_text_has_a_score(text: str, spans: list[str]) -> None:
    for s in support(text, spans):
        assert 0 <= s.score <= 1 and (s.span == -1 or s.end <= len(spans[s.span]))


def test_sentences_end_where_they_end() -> None:
    text = "Mr. J. Smith earned 3.5 million in the U.S. last year! \"Really?\" he asked. 真的吗？是的。\n- one item\n- another"
    assert [c.text for c in claims.sentences(text)] == ["Mr. J. Smith earned 3.5 million in the U.S. last year!", "\"Really?\"", "he asked.", "真的吗？", "是的。", "one item", "another"]


def written(n: int) -> str:
    """A number below 10^8 in Chinese, by the rules of a school book."""
    digits, powers = "零一二三四五六七八九", ["", "十", "百", "千"]

    def four(k: int) -> str:
        out = ""
        for p in (3, 2, 1, 0):
            d = k // 10**p % 10
            out += digits[d] + powers[p] if d else ("零" if out and k % 10**p else "")
        return out.replace("零零零", "零").replace("零零", "零")
    high, low = divmod(n, 10_000)
    return (four(high) + "万" if high else "") + ("零" if high and 0 < low < 1000 else "") + four(low)


@given(st.integers(2, 99_999_999))
def test_chinese_numbers_are_read_back(n: int) -> None:
    assert claims.chinese(written(n)) == n


@pytest.mark.parametrize(("text", "found"), [
    ("two hundred and five thousand and twenty-one", [205_021]), ("nineteen of 1,234,567", [1234567, 19]), ("no one, one day", []), ("3 million and 4.5", [3e6, 4.5]),
    ("1.2万人", [12000]), ("in 1999, 20% of 7", [1999, 20, 7]), ("x-ray -5", [-5]), ("三百二十万年", [3.2e6])])
def test_numbers_in_words(text: str, found: list[float]) -> None:
    assert sorted(claims.numbers(text)) == sorted(found)


def test_hallucination_rate() -> None:
    found = support("The Hoover Dam is on the Colorado River. Its architect was born in Vienna.", [DAM])
    rate = hallucinated(found, 0.5)
    assert rate.rate == 0.5 and rate.interval[0] < 0.5 < rate.interval[1] and [s.claim.text for s in rate.sentences] == ["Its architect was born in Vienna."]
    with pytest.raises(DataError):
        hallucinated([], 0.5)


def test_confidence_is_what_it_says() -> None:
    found = confidence([Token("a", log(0.5), (("b", log(0.25)), ("c", log(0.25)))), Token("d", log(0.8), (("e", log(0.1)),))])
    assert found.score == pytest.approx((0.5 * 0.8) ** 0.5) and found.weakest == pytest.approx(0.5) and exp(found.total) == pytest.approx(0.4)
    assert found.entropy == pytest.approx((1.5 * log(2) - 0.8 * log(0.8) - 2 * 0.1 * log(0.1)) / 2)
    assert confidence([Token("a", -1.0)]).entropy is None
    for tokens in ([], [Token("a", float("nan"))]):
        with pytest.raises(DataError):
            confidence(tokens)


def test_agreement_and_semantic_entropy() -> None:
    found = agreement(["42.", "The 42", "43", "42", "43 "])
    assert found.answer == "42." and found.share == 0.6 and found.groups == (0, 0, 1, 0, 1) and found.entropy == pytest.approx(-0.6 * log(0.6) - 0.4 * log(0.4))
    assert agreement(["the ship", "a vessel", "a train"], embeds=Planted()).groups == (0, 0, 1)  # type: ignore[arg-type]
    assert agreement(["x"]).entropy == 0


class Dice:
    """Says A with a chance of 3 in 4, by the seed."""

    name, window = "dice", None

    def chat(self, turns: object, want: Want) -> object:
        yield from chat_at("echo:" + ("A" if want.seed % 4 else "B")).chat([], want)


def test_self_consistency_asks_with_seeds_that_differ() -> None:
    assert consistent(Dice(), [Turn.of("user", "?")], 8).share == 0.75  # type: ignore[arg-type]
    with pytest.raises(UsageError):
        consistent(Dice(), [Turn.of("user", "?")], 8, Want(temperature=0))  # type: ignore[arg-type]


@pytest.mark.parametrize(("text", "plain"), [("The Beatles!", "beatles"), ("U.S.", "us"), ("  a  cat ", "cat"), ("李白 。", "李白"), ("ＡＢ１", "ab1"), ("Tang 诗 人", "tang诗人")])
def test_answers_as_squad_compares_them(text: str, plain: str) -> None:
    assert normal(text) == plain and normal(normal(text)) == plain


@pytest.mark.slow
def test_a_folder_of_an_entailment_model(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    import torch

    from ilk.rng import Rng
    from ilk.truth.entails import Entailment

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "ship", "sank", "rose"]
    (tmp_path / "vocab.txt").write_text("\n".join(words))
    config = transformers.BertConfig(vocab_size=len(words), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, max_position_embeddings=16,
                                     id2label={0: "CONTRADICTION", 1: "ENTAILMENT", 2: "NEUTRAL"})
    with Rng(0).as_global():
        net = transformers.BertForSequenceClassification(config).eval()
    net.save_pretrained(tmp_path)
    reader = transformers.BertTokenizer(str(tmp_path / "vocab.txt"))
    reader.save_pretrained(tmp_path)
    pairs = [("the ship sank", "the ship rose"), ("the ship", "sank")]
    with torch.inference_mode():
        bare = [net(**reader(a, b, return_tensors="pt")).logits.softmax(1)[0].tolist() for a, b in pairs]
    assert np.allclose(Entailment(tmp_path).entails(pairs), [[row[1], row[2], row[0]] for row in bare], atol=1e-5)
    with pytest.raises(UsageError, match="tokens"):
        Entailment(tmp_path).entails([("the ship " * 20, "sank")])
    with pytest.raises(ModelError):
        Entailment(tmp_path / "none").entails(pairs)
