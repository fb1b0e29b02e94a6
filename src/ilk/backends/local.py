"""local: a model that ilk fitted to texts, by its folder: any family that goes on token by token."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from torch import Tensor

from ..backend import Backend
from ..batch import ragged
from ..chat import Chat, Delta, Token, Tool, Turn, Want
from ..distribution import Converses, NextToken
from ..errors import UsageError
from ..lift import Same
from ..modalities._pieces import BPE
from ..modalities._tokens import Bytes, Characters
from ..model import Model, load
from ..rng import Rng
from ._loop import Laws, answer, ending, weighed
from ._masks import masks, vocabulary_of
from ._shapes import alphabet
from ._stream import HALF, Writer
from ._turns import messages, without_tools
from ._window import least, room

# How turns are written for a model whose card has no "template" of its own: nothing that it was taught, unless it was fitted to texts of this look.
PLAIN = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant: {% endif %}"
NEXT = ("\nuser: ", "\nsystem: ", "\ntool: ")


@dataclass(frozen=True, kw_only=True)
class Local(Backend):
    """`local:poems.ilk` goes on with texts, weighs them, and answers turns: written as its card's `template` (Jinja) says, else line by line as "user: Hello"."""

    def names(self) -> Sequence[str]:
        """Any folder is a name."""
        return ()

    def open(self, name: str) -> Chat:
        """The model in a folder; UsageError for one that is not of texts, or does not go on token by token."""
        model = load(name)
        if isinstance(model.body, Converses):
            return cast(Chat, model.body.chat)   # one that is pretrained, or tuned
        if why := LocalModel.refuses(model):
            raise UsageError(f"{name} can't be talked with: {why}", code="NO_CHAT", param="model", remedy="a transformer, rnn or ngram of texts, fitted without labels")
        return LocalModel(f"local:{name}", model)

    def pull(self, name: str) -> Path:
        """Where it is."""
        load(name)
        return Path(name)


@dataclass(frozen=True, eq=False)
class LocalModel:
    """What `ilk.load` gives, as something to talk with. A transformer looks back as far as its `context`, by the law that it was fitted with."""

    name: str
    model: Model

    @staticmethod
    def refuses(model: Model) -> str | None:
        """Why a model can't be talked with, or None if it can."""
        if not isinstance(model.codec, BPE | Bytes | Characters):
            return "it is not of texts as characters, bytes or pieces"
        if not isinstance(model.body, NextToken) or not isinstance(model.lift, Same):
            return "its family does not go on token by token"
        return "it is told labels or captions, or is given something" if model.body.about or model.givens else None

    @property
    def window(self) -> int:
        """Tokens that what is read may have: those that it looks at, or all that a text may have."""
        return min(int(cast(Any, self.model.codec).at_most), int(getattr(cast(Any, self.model.body).family, "context", 1 << 40)))

    @property
    def ends(self) -> frozenset[int]:
        """The last token ends a text."""
        return frozenset([self._end])

    @property
    def _end(self) -> int:
        return int(cast(Any, self.model.codec.space).of.sizes)

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The next turn; in the plain template, the line of another turn ends it too."""
        stop = want.stop if "template" in self.model.card else (*want.stop, *NEXT)
        return self.continued(self.written(turns, want.tools), replace(want, stop=stop))

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        """More of a text."""
        ids = self._ids(text)
        room(self.name, self.window, len(ids))
        most = least(want.most, cast(Any, self.model.codec).at_most - len(ids))
        return answer(self, ids, want, None if want.shape is None else masks(want.shape, self._vocabulary), most)

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]:
        """The tokens of the text, read by themselves, each given all before it."""
        known, ids = self._ids(after if isinstance(after, str) else self.written(after)), self._ids(text)
        room(self.name, cast(Any, self.model.codec).at_most + 1, len(known) + len(ids))
        told, writer, laws = list[Token](), Writer(self.text), self.laws(known)
        law = next(laws)
        for token in ids:
            nats = weighed(law, token, 0, writer).nats
            told.append(Token("".join(d.text for d in writer.add(token)), nats))
            law = laws.send(token)
        return (*told, ending(law, self.ends)) if ended else tuple(told)

    def written(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> str:
        """The turns by the card's template, else line by line."""
        without_tools(self.name, tools)
        template = str(self.model.card.get("template", PLAIN))
        try:
            made = ImmutableSandboxedEnvironment().from_string(template)
            whole, without = (made.render(messages=messages(turns), add_generation_prompt=begins) for begins in (True, False))
        except TemplateError as why:
            raise UsageError(f"the template of {self.name} refuses these turns: {why}"[:300], code="TEMPLATE", param="turns", remedy="mend the template") from None
        if whole == without:
            raise UsageError(f"the template of {self.name} has no generation prompt: it does not say where an answer begins", code="TEMPLATE", param="model",
                             remedy="take a template that heeds add_generation_prompt")
        return whole

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._ids(text))

    def _ids(self, text: str) -> list[int]:
        found: list[int] = self._codec.encode([text], Rng(0)).elements.tensor.tolist()
        return found

    @cached_property
    def _codec(self) -> Any:
        """The codec without a limit of its own: what does not fit is refused by its number of tokens."""
        free: Any = copy(self.model.codec)
        free.at_most = 1 << 40
        return free

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as text; a character never seen in training as U+FFFD."""
        codec = self.model.codec
        if isinstance(codec, Characters):
            pieces = codec.pieces()
            return "".join(pieces[i] or HALF for i in ids)
        whole = ragged(torch.tensor([list(ids)], dtype=torch.long), torch.tensor([len(ids)]))
        return str(codec.decode(whole, Rng(0))[0])

    def laws(self, ids: Sequence[int]) -> Laws:
        """Log weights after the tokens, then after each one that is sent."""
        body = cast(NextToken, self.model.body)
        with torch.inference_mode():
            cache = body.begin(ragged(torch.tensor([list(ids)], dtype=torch.long).reshape(1, -1), torch.tensor([len(ids)])))
            law: Tensor = body.step(cache, None)[0]
        while True:
            token = yield law
            with torch.inference_mode():
                law = body.step(cache, torch.tensor([token]))[0]

    @cached_property
    def _vocabulary(self) -> Any:
        from ..exporters.transformers import tokenizer

        codec = self.model.codec
        if isinstance(codec, Characters):
            return alphabet([*(c.encode() for c in codec.alphabet), b"<unseen>", b"<end>"], self._end)
        return vocabulary_of(tokenizer(codec).to_str(), self._end)
