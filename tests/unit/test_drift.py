"""How far one form of a model is from another."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

from ilk.chat import Delta, End, Token, Turn, Want
from ilk.verbs.drift import drift


class Says:
    """Says the words of a text, a token each; some forms tell of the token that ends it."""

    name, window = "says", None

    def __init__(self, text: str, ending: bool) -> None:
        self.tokens = tuple(Token(w, 0.0) for w in (*text.split(), *([""] if ending else [])))

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        yield Delta("", self.tokens)
        yield Delta(end=End("stop", 1, len(self.tokens)))


def test_the_token_that_ends_an_answer_is_no_difference() -> None:
    probe = [{"after": [["user", "?"]], "answer": "so it is", "nats": [], "greedy": ["so", "it", "is"]}]
    assert drift(Says("so it is", ending=True), probe).greedy == drift(Says("so it is", ending=False), probe).greedy == 1
    assert drift(Says("so it was", ending=True), probe).greedy == 2 / 3
