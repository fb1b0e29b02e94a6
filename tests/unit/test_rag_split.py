"""Splitting: passages are stretches of the text as it is, cover it, keep to sizes and sections, and keep whole what can be kept whole."""
from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ilk.rag.split import split
from ilk.reader import Document, Section

PIECES = st.sampled_from(["word ", "Word. ", "\n", "\n\n", "# Title\n", "```py\nx = 1\n\ny = 2\n```\n", "| a | b |\n", "床前明月光。", "疑是地上霜！", " ", "\t",
                          "x" * 70, "…", "~~~\n", "```", "|", "\u3000", "😀"])
TEXTS = st.lists(PIECES, max_size=60).map("".join)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    text = draw(TEXTS)
    edges = st.integers(0, len(text))
    sections = [Section("t", 1, *sorted((a, b))) for a, b in draw(st.lists(st.tuples(edges, edges), max_size=4))]
    return Document("d", text, tuple(sorted(sections, key=lambda s: s.start)))


@settings(max_examples=300, deadline=None)
@given(documents(), st.integers(50, 120), st.integers(0, 40))
def test_spans_cover_the_text_within_the_size(document: Document, size: int, overlap: int) -> None:
    spans, text = split(document, size, overlap), document.text
    covered = bytearray(len(text))
    for span in spans:
        assert 0 <= span.start < span.end <= len(text) and span.end - span.start <= size
        assert text[span.start:span.end] == text[span.start:span.end].strip()
        covered[span.start:span.end] = b"\1" * (span.end - span.start)
    assert all(there or c.isspace() for there, c in zip(covered, text, strict=True))
    assert [s.end for s in spans] == sorted(s.end for s in spans) and len({(s.start, s.end) for s in spans}) == len(spans)


@settings(max_examples=200, deadline=None)
@given(documents())
def test_no_passage_crosses_a_section(document: Document) -> None:
    for span in split(document, 60, 20):
        for section in document.sections:
            inside = section.start <= span.start and span.end <= section.end
            assert inside or span.end <= section.start or section.end <= span.start or (span.start <= section.start and section.end <= span.end
                                                                                         and section.start == section.end)
        if span.section >= 0:
            its = document.sections[span.section]
            assert its.start <= span.start and span.end <= its.end


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_without_overlap_nothing_is_said_twice(text: str) -> None:
    spans = split(Document("d", text), 50)
    assert all(a.end <= b.start for a, b in zip(spans, spans[1:], strict=False))


def test_a_measure_in_words() -> None:
    text = " ".join(f"w{i}" for i in range(200))
    spans = split(Document("d", text), 16, 4, measure=lambda t: len(t.split()))
    assert max(len(text[s.start:s.end].split()) for s in spans) <= 16
    assert set(" ".join(text[s.start:s.end] for s in spans).split()) == set(text.split())


@pytest.mark.parametrize(("text", "size", "expected"), [
    ("One is one. Two is two. Three is three. Four is four. Five is five. Six.", 50, ["One is one. Two is two. Three is three.", "Four is four. Five is five. Six."]),
    ("床前明月光，疑是地上霜。" * 3 + "举头望明月，低头思故乡。" * 3, 50, ["床前明月光，疑是地上霜。" * 3 + "举头望明月，低头思故乡。", "举头望明月，低头思故乡。" * 2]),
    ("Before the code, a text.\n\n```py\na = 1\n\nb = 2\n```\n\nAfter it, more of the text.", 50,
     ["Before the code, a text.\n\n```py\na = 1\n\nb = 2\n```", "After it, more of the text."]),
    ("| name | age |\n|---|---|\n| Ann Smith | 41 |\n| Bob Brown | 19 |\n| Cy Young | 77 |", 50,
     ["| name | age |\n|---|---|\n| Ann Smith | 41 |", "| Bob Brown | 19 |\n| Cy Young | 77 |"]),
    ("", 50, []), (" \n\n\t", 50, [])])
def test_what_is_kept_whole(text: str, size: int, expected: list[str]) -> None:
    assert [text[s.start:s.end] for s in split(Document("d", text), size)] == expected


def test_overlap_repeats_the_end_of_the_one_before() -> None:
    text = "alpha beta gamma. " * 30
    spans = split(Document("d", text), 100, 30)
    assert all(0 < a.end - b.start <= 31 for a, b in zip(spans, spans[1:], strict=False))
    assert all(re.match(r"\w+", text[s.start:]) and (s.start == 0 or text[s.start - 1] == " ") for s in spans)


def test_a_long_document_takes_linear_time() -> None:
    assert len(split(Document("d", "A sentence of words. " * 50_000))) > 1000
    assert len(split(Document("d", "x" * 300_000))) == 300
    assert len(split(Document("d", "\n" * 300_000 + "x"))) == 1
    assert len(split(Document("d", "```\n" * 50_000))) > 10
