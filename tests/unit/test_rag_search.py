"""Searching a library: rankings and their fusion, filters, what is around a passage, sentences."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ilk.chat import Vectors
from ilk.errors import UsageError
from ilk.rag.search import Closest, Dense, Hybrid, Lexical, Neighbours, Parent, Ranks, Reranked, Scores, search
from ilk.rag.store import Found, Library, Passage
from ilk.rag.words import words
from ilk.reader import Document, Section
from ilk.sentences import sentences


class Bags:
    """Texts as counts of their words: an embedder without a model."""

    name, size = "bags", 64

    def embed(self, texts: Sequence[str]) -> Vectors:
        out = np.zeros((len(texts), self.size), np.float32)
        for row, text in zip(out, texts, strict=True):
            for word in words(text):
                row[sum(word.encode()) % self.size] += 1
        norms = np.linalg.norm(out, axis=1, keepdims=True)
        return np.divide(out, norms, out=out, where=norms > 0)


TEXTS = {"moon": "Moonlight before my bed. I look up at the bright moon.", "sea": "The sea is wide. Ships cross the sea at night.",
         "bridge": "The bridge was built in 1901. It is of steel.", "night": "At night the moon is over the sea."}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    made = Library.create(tmp_path / "library", Bags())
    made.add([Document(name, text, facts={"length": len(text)}) for name, text in TEXTS.items()])
    return made


def names(library: Library, query: str, **how: object) -> list[str]:
    return [hit.passage.document for hit in search(library, query, **how)]   # type: ignore[arg-type]


rankings = st.lists(st.tuples(st.integers(0, 30), st.floats(0.01, 50)), min_size=1, max_size=12, unique_by=(lambda f: f[0], lambda f: f[1])).map(
    lambda found: sorted(found, key=lambda f: -f[1]))
fusions = st.sampled_from([Ranks(), Ranks(1), Scores((0.5, 0.5)), Scores((0.2, 0.8))])


def ordered(fused: dict[int, float]) -> list[int]:
    return sorted(fused, key=lambda key: -fused[key])


@given(rankings, fusions)
def test_equal_rankings_fuse_to_themselves(ranking: Found, fusion: Ranks | Scores) -> None:
    assert ordered(fusion.fuse([ranking, ranking])) == [key for key, _ in ranking]


@given(rankings, rankings, fusions, st.data())
def test_what_rises_in_one_ranking_falls_behind_nobody(one: Found, other: Found, fusion: Ranks | Scores, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(one) - 1))
    key = one[place][0]
    risen = sorted([(k, s if k != key else one[0][1] + (1.0 if place else 0.0)) for k, s in one], key=lambda f: -f[1])
    before, after = fusion.fuse([one, other]), fusion.fuse([risen, other])
    behind = {k for k, score in before.items() if score < before[key] - 1e-9}
    if isinstance(fusion, Ranks):
        assert all(after[k] < after[key] for k in behind)
    else:   # a new best makes the others' shares of it smaller, never larger
        assert all(after[k] <= after[key] + 1e-9 for k in behind if dict(one).get(k, 0) > 0 and k in dict(other) and key in dict(other))


@given(rankings, rankings)
def test_reciprocal_ranks_are_their_sum(one: Found, other: Found) -> None:
    places = [{key: n for n, (key, _) in enumerate(ranking, 1)} for ranking in (one, other)]
    wanted = {key: sum(1 / (60 + p[key]) for p in places if key in p) for key in {*places[0], *places[1]}}
    assert Ranks().fuse([one, other]) == pytest.approx(wanted)


@given(rankings, rankings, st.floats(0.1, 100))
def test_fused_scores_do_not_know_the_scale(one: Found, other: Found, scale: float) -> None:
    fused, scaled = (Scores((0.3, 0.7)).fuse([one, [(k, s * by) for k, s in other]]) for by in (1.0, scale))
    assert scaled == pytest.approx(fused)
    assert all(0 <= score <= 1 + 1e-9 for score in fused.values())


def test_weights_have_to_fit_the_rankings() -> None:
    with pytest.raises(UsageError, match="2 weights for 1"):
        Scores().fuse([[(1, 2.0)]])


def test_dense_is_the_order_of_inner_products(library: Library) -> None:
    query = "the moon at night over the sea"
    products = {name: float((Bags().embed([text]) @ Bags().embed([query]).T)[0, 0]) for name, text in TEXTS.items()}
    hits = search(library, query, 4, Dense())
    assert [h.passage.document for h in hits] == sorted(products, key=lambda name: -products[name])
    assert [h.score for h in hits] == pytest.approx(sorted(products.values(), reverse=True), abs=1e-6)


def test_a_hit_says_what_each_way_gave_it(library: Library) -> None:
    hit = search(library, "when was the bridge built", 1)[0]
    assert hit.passage.document == "bridge" and list(hit.how) == ["both", "words", "meaning"] and hit.score == hit.how["both"] == pytest.approx(1)


def test_without_an_embedder_words_are_used_and_meaning_refused(tmp_path: Path) -> None:
    plain = Library.create(tmp_path / "plain")
    plain.add([Document(name, text) for name, text in TEXTS.items()])
    assert list(search(plain, "bridge")[0].how) == ["words"]
    with pytest.raises(UsageError, match="has no vectors"):
        search(plain, "bridge", by=Dense())


def test_rules_filter_by_facts(library: Library) -> None:
    assert "moon" in names(library, "moon")
    assert set(names(library, "moon night sea", where=f"length < {len(TEXTS['bridge'])}")) == {"night"}


class Backwards:
    """The last first."""

    def weigh(self, library: Library, query: str, passages: Sequence[Passage]) -> Sequence[float]:
        return [float(n) for n in range(len(passages))]


def test_rerankers_order_anew(library: Library) -> None:
    before = names(library, "moon sea night", by=Lexical())
    assert names(library, "moon sea night", by=Reranked(Lexical(), Backwards())) == before[::-1]
    assert names(library, "ships at night", k=1, by=Reranked(Hybrid(), Closest())) == ["sea"]


def test_the_closest_sentence_weighs_a_passage(library: Library) -> None:
    passages = {h.passage.document: h.passage for h in search(library, "moon sea bridge night", 4)}
    same, other = Closest().weigh(library, "ships cross sea night", [passages["sea"], passages["bridge"]])
    assert same > 0.9 and other < 0.3


LONG = "".join(f"# Part {n}\n\n" + " ".join(f"Sentence {n}.{i} of the part about {'lamps' if (n, i) == (1, 3) else 'things'}." for i in range(9)) + "\n\n" for n in range(3))


@pytest.fixture
def parts(tmp_path: Path) -> Library:
    starts = [LONG.index(f"# Part {n}") for n in range(3)]
    sections = tuple(Section(f"Part {n}", 1, start, end) for n, (start, end) in enumerate(zip(starts, [*starts[1:], len(LONG)], strict=True)))
    made = Library.create(tmp_path / "parts", size=100)
    made.add([Document("long.md", LONG, sections)])
    return made


def test_neighbours_and_parents_are_given_with_a_passage(parts: Library) -> None:
    plain, near, whole = (search(parts, "lamps", 1, wider=wider)[0].passage for wider in (None, Neighbours(), Parent()))
    assert "lamps" in plain.text and len(plain.text) < len(near.text) < len(whole.text) <= 4000
    for passage in (plain, near, whole):
        assert passage.text == LONG[passage.start:passage.end] == parts.cited("long.md", passage.start, passage.end)
    assert "Part 1" in whole.text and "Sentence 2.0" not in whole.text and "Sentence 0.5" not in whole.text


def test_no_hit_is_within_another_and_documents_can_be_limited(parts: Library) -> None:
    hits = [h.passage for h in search(parts, "sentence part", 10, wider=Parent())]
    assert len(hits) == 3 and len({(p.start, p.end) for p in hits}) == 3
    assert len(search(parts, "sentence part", 10, each=2)) == 2 < len(search(parts, "sentence part", 10))


@pytest.mark.parametrize(("query", "k", "message"), [("moon", 0, "0 passages"), ("moon", 1001, "1001 passages"), (" ", 5, "question is empty")])
def test_what_is_refused(library: Library, query: str, k: int, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        search(library, query, k)


def test_an_empty_library_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no documents.*ilk index"):
        search(Library.create(tmp_path / "empty"), "moon")


@given(st.text(alphabet="ab A.!?。！\n \t“”3", max_size=60))
def test_sentences_hold_all_that_is_not_space(text: str) -> None:
    spans = sentences(text)
    assert "".join("".join(text[a:b].split()) for a, b in spans) == "".join(text.split())
    assert all(a < b <= c for (a, b), (c, _) in zip(spans, [*spans, (len(text), len(text))][1:], strict=True))


@pytest.mark.parametrize(("text", "wanted"), [
    ("See e.g. Fig. 3. It shows p. 4 of U. S. law.", ["See e.g. Fig. 3.", "It shows p. 4 of U. S. law."]),
    ("It cost 3.50 euros. Why? \"So.\" he said.", ["It cost 3.50 euros.", "Why?", "\"So.\" he said."]),
    ("秦时明月汉时关，万里长征人未还。但使龙城飞将在，不教胡马度阴山。", ["秦时明月汉时关，万里长征人未还。", "但使龙城飞将在，不教胡马度阴山。"]),
    ("A title\nA line that is long enough to have been wrapped by whoever wrote this text, so it\ngoes on. End", [
        "A title", "A line that is long enough to have been wrapped by whoever wrote this text, so it\ngoes on.", "End"])])
def test_sentences_of_known_texts(text: str, wanted: list[str]) -> None:
    assert [text[a:b] for a, b in sentences(text)] == wanted
