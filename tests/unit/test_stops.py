"""Stop strings: however an answer is cut into pieces, the same is let out, and never a part of the string that ended it."""
from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ilk.backends._stop import Stops
from ilk.chat import Delta, Token


def cut_by_letter(text: str, stops: list[str]) -> str:
    """The definition: letter by letter, until what is there ends with a stop string; the longest of those that end there goes."""
    for end in range(1, len(text) + 1):
        found = [s for s in stops if s and text[:end].endswith(s)]
        if found:
            return text[: end - max(map(len, found))]
    return text


def through(pieces: list[str], stops: list[str]) -> tuple[str, bool, tuple[Token, ...]]:
    found, deltas = Stops(stops), []
    for piece in pieces:
        deltas.append(found.add(Delta(piece, (Token(piece, -1.0),))))
        if found.met:
            break
    deltas.append(found.rest())
    return "".join(d.text for d in deltas), found.met, tuple(t for d in deltas for t in d.tokens)


@given(st.lists(st.text("ab\n", max_size=4), max_size=8), st.lists(st.text("ab\n", max_size=3), max_size=3))
def test_pieces_make_no_difference(pieces: list[str], stops: list[str]) -> None:
    whole = "".join(pieces)
    text, met, tokens = through(pieces, stops)
    assert text == cut_by_letter(whole, stops) and met == (any(s and s in whole for s in stops))
    starts = [sum(map(len, pieces[:i])) for i in range(len(pieces))]
    if not met:
        assert [t.text for t in tokens] == pieces
    else:
        assert [t.text for t in tokens] == [p for p, at in zip(pieces, starts, strict=True) if at < len(text)]


@given(st.lists(st.text("ab", min_size=1, max_size=4), max_size=8), st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3))
def test_no_more_is_held_than_may_begin_a_stop_string(pieces: list[str], stops: list[str]) -> None:
    found, let, seen = Stops(stops), "", ""
    for piece in pieces:
        let, seen = let + found.add(Delta(piece)).text, seen + piece
        if found.met:
            return
        held = seen[len(let):]
        assert seen.startswith(let) and len(held) < max(map(len, stops)) and (not held or any(s.startswith(held) for s in stops))
