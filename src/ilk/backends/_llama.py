"""A model that llama.cpp runs in this process."""
from __future__ import annotations

import http.client
import json
import secrets
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import exp, log
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

from ..chat import Delta, End, Token, Tool, Turn, Want
from ..errors import ModelError, UsageError
from ._gguf_header import Header
from ._shapes import fits, grammar
from ._stop import Stops
from ._stream import HALF
from ._turns import functions, spans, whole, without_tools
from ._window import broken, least, room

PATIENCE = 600.0   # seconds that reading a prompt into tokens may take while another answer is made
ENDS = tuple(f"tokenizer.ggml.{kind}_token_id" for kind in ("eos", "eot", "eom"))
WALK = ("temperature", "top_k", "top_p", "min_p")


@dataclass(frozen=True, eq=False)
class Llama:
    """As many answers at a time as there are `slots`, each with a window of its own; others wait. The prompt is read anew for each, unless `reuse`.

    Where an answer's tokens are asked for, llama.cpp tells of a character that several make up the last one only; `weigh` knows all of them.
    """

    name: str
    file: Path
    header: Header = field(repr=False)
    window: int
    threads: int = 1
    reuse: bool = False
    slots: int = 1
    _key: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _server: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_server", self._started(_library()))

    def _started(self, library: Any) -> Any:
        said = library.CommonParams()
        said.model.path, said.n_ctx, said.n_parallel = str(self.file), self.window * self.slots, self.slots   # each slot has its share of n_ctx
        said.cpuparams.n_threads = said.cpuparams_batch.n_threads = self.threads
        said.api_keys, said.n_threads_http, said.verbosity, said.warmup = [self._key], 2, 0, False   # it listens on this machine only, and to us only
        said.endpoint_slots, said.ctx_shift = False, False
        try:
            return library.Server(said)
        except (RuntimeError, ValueError, OSError) as why:
            raise ModelError(f"llama.cpp can't open {self.file}: {why}"[:300], code="MODEL_DAMAGED", remedy="a newer xllamacpp, or another file") from None

    def chat(self, turns: Sequence[Turn], want: Want) -> Iterator[Delta]:
        """The next turn, by the model's own template."""
        without_tools(self.name, want.tools)
        return self._said(self._read(turns), want)

    def continued(self, text: str, want: Want) -> Iterator[Delta]:
        """More of a text. One that is empty begins as the model's texts do."""
        return self._said(self._begun(text), want)

    def weigh(self, text: str, after: str | Sequence[Turn] = "", ended: bool = False) -> tuple[Token, ...]:
        """The tokens of the text, read by themselves, each given all before it: the model is made to say them. With nothing before, after the token that begins texts."""
        known = self._begun(after) if isinstance(after, str) else self._read(after)
        ids = self._ids(text, True)
        room(self.name, self.window, len(known) + len(ids) + ended)
        told = self._weighed(known, ids) if ids else ()
        return (*told, self._ending([*known, *ids])) if ended else told

    def _weighed(self, known: list[int], ids: list[int]) -> tuple[Token, ...]:
        told = self._forced(known, ids)
        half = [] if len(told) == len(ids) else [i for i in range(len(ids)) if self._text(ids[:i + 1]).endswith(HALF)]   # tokens that end within a character
        ends = [i for i in range(len(ids)) if i not in half]
        if [t["id"] for t in told] != [ids[i] for i in ends]:
            raise ModelError(f"{self.name} could not be made to say the text token by token", code="WEIGH", remedy="weigh it with the backend hf")
        nats = {i: t["logprob"] for i, t in zip(ends, told, strict=True)} | {i: self._alone([*known, *ids[:i]], ids[i]) for i in half}
        pieces = iter(bytes(t["bytes"]).decode("utf-8", "replace") for t in told)
        return tuple(Token("" if i in half else next(pieces), nats[i]) for i in range(len(ids)))

    def _forced(self, known: list[int], ids: Sequence[int], alternatives: int = 0) -> list[Any]:
        """What is told of tokens that it is made to say, by a grammar of nothing else; of those of one character, of the last only."""
        said = self._asked({**self._way(known, Want(temperature=0, alternatives=alternatives, most=len(ids))), "ignore_eos": True,
                            "grammar": "%llguidance {}\nstart: " + " ".join(f"<[{i}]>" for i in ids)})
        return list(said["choices"][0]["logprobs"]["content"][:len(ids)])

    def _alone(self, known: list[int], token: int) -> float:
        """The nats of a token that ends within a character."""
        return self._all(known)[token]

    def _all(self, known: list[int]) -> dict[int, float]:
        """The nats of every token that may come next, told where one of them is said."""
        said = self._forced(known, self._ids("a", True)[:1], int(self.header.facts["tokenizer.ggml.tokens"]) - 1)[0]
        return {o["id"]: float(o["logprob"]) for o in (*said["top_logprobs"], said)}

    def _ending(self, known: list[int]) -> Token:
        """The end as a token without text: the chance of any token that ends an answer."""
        facts, nats = self.header.facts, self._all(known)
        ends = {int(facts[key]) for key in ENDS if key in facts}
        return Token("", log(sum(exp(nats[i]) for i in ends if i in nats)))

    def _text(self, ids: Sequence[int]) -> str:
        return str(self._told("/detokenize", {"tokens": list(ids)})["content"])

    def written(self, turns: Sequence[Turn], tools: Sequence[Tool] = ()) -> str:
        """The turns as the model's own template writes them, up to where its answer begins."""
        return whole(self.name, self.header.facts.get("tokenizer.chat_template"), turns, lambda said, begins: self._rendered(said, tools, begins))

    def _rendered(self, said: list[dict[str, Any]], tools: Sequence[Tool], begins: bool) -> str:
        for call in (c for m in said for c in m.get("tool_calls", ())):
            call["function"] = {**call["function"], "arguments": json.dumps(call["function"]["arguments"])}
        return str(self._told("/apply-template", {"messages": said, "add_generation_prompt": begins, **({"tools": functions(tools)} if tools else {})})["prompt"])

    def count(self, text: str) -> int:
        """Tokens of a text."""
        return len(self._ids(text, True))

    def _read(self, turns: Sequence[Turn]) -> list[int]:
        """Rendered turns as tokens; what a turn says is never a mark of the template."""
        written, said = self.written(turns), "\n".join(t.text for t in turns)
        if self._ids(said, True) == self._ids(said, False):
            return self._ids(written, False, begin=True)
        return [i for k, (text, own) in enumerate(spans(written, turns)) for i in self._ids(text, own, begin=not k)]

    def _begun(self, text: str) -> list[int]:
        """A bare text with what the tokenizer puts before texts; at least one token."""
        start: int | None = self.header.facts.get("tokenizer.ggml.bos_token_id", self.header.facts.get("tokenizer.ggml.eos_token_id"))
        ids = self._ids(text, True, begin=True)
        if not ids and start is None:
            raise UsageError(f"{self.name} can't begin with nothing: it has no token for the beginning", code="EMPTY", param="text", remedy="give it some text")
        return ids or [start]  # type: ignore[list-item]

    def _ids(self, text: str, plain: bool, begin: bool = False) -> list[int]:
        return list(self._told("/tokenize", {"content": text, "add_special": begin, "parse_special": not plain})["tokens"])

    def _told(self, path: str, asked: Mapping[str, Any]) -> Any:
        """What the server in this process says of texts and templates."""
        at = urlsplit(self._server.listening_address)
        line = http.client.HTTPConnection(at.hostname or "", at.port, timeout=PATIENCE)
        try:
            line.request("POST", path, json.dumps(asked).encode("utf-8", "replace"), {"Content-Type": "application/json", "Authorization": f"Bearer {self._key}"})
            answer = line.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as why:
            raise ModelError(f"llama.cpp gave no answer: {type(why).__name__}", code="BROKEN_OFF", remedy="open the model again") from None
        finally:
            line.close()
        return _good(said, self.name)

    def _way(self, ids: Sequence[int], want: Want) -> dict[str, Any]:
        """A request: the tokens, and how to draw. UsageError (code WANT, BIAS) for penalties, since llama.cpp's count the prompt too, and for no token."""
        if want.frequency or want.presence:
            raise UsageError(f"{self.name} knows no penalties", code="WANT", param="frequency" if want.frequency else "presence", remedy="leave them out, or bias tokens")
        known = int(self.header.facts["tokenizer.ggml.tokens"])
        if odd := [token for token, _ in want.bias if not 0 <= token < known]:
            raise UsageError(f"there is no token {odd[0]}: the model has {known}", code="BIAS", param="bias", remedy=f"numbers from 0 to {known - 1}")
        return {"prompt": list(ids), "max_tokens": want.most, "temperature": want.temperature, "top_p": want.top_p, "top_k": want.top_k or 0,
                "min_p": want.min_p, "logit_bias": [list(pair) for pair in want.bias], "samplers": WALK, "seed": want.seed % (2**32 - 1), "cache_prompt": self.reuse,
                **({} if want.alternatives is None else {"logprobs": want.alternatives + 1})}

    def _asked(self, asked: Mapping[str, Any]) -> Any:
        return _good(self._server.handle_completions(asked), self.name)

    def _said(self, ids: list[int], want: Want) -> Iterator[Delta]:
        most = least(want.most, room(self.name, self.window, len(ids)))
        asked = {**self._way(ids, replace(want, most=most)), "stream": True, **({} if want.shape is None else {"grammar": "%llguidance {}\n" + grammar(want.shape)})}
        return self._answer(asked, len(ids), want)

    def _answer(self, asked: dict[str, Any], read: int, want: Want) -> Iterator[Delta]:
        stops, made, whole, why = Stops(want.stop), 0, "", "length"
        stream = self._streamed(asked)
        try:
            for said in stream:
                choice = said["choices"][0]
                made = said.get("usage", {}).get("completion_tokens", made)
                why = choice["finish_reason"] or why
                for delta in stops.add(_piece(choice, want)):
                    whole += delta.text
                    yield delta
                if stops.met:
                    why = "stop"
                    break
            made -= why == "stop" and not stops.met   # the token that ends an answer is none of it
        finally:
            stream.close()
        for delta in stops.rest():
            whole += delta.text
            yield delta
        if want.shape is not None and not fits(want.shape, whole):
            raise broken(made)
        yield Delta(end=End("stop" if why == "stop" else "length", read, made))

    def _streamed(self, asked: dict[str, Any]) -> Generator[Any, None, None]:
        """Events of an answer while it is made in a thread; closed early, it stops being made."""
        events: SimpleQueue[Any] = SimpleQueue()
        closed = Event()

        def heard(event: Any) -> bool:
            events.put(event)
            return closed.is_set()

        def work() -> None:
            try:
                self._server.handle_completions(asked, heard)
            except Exception as why:  # told to whoever reads
                events.put(why)
            events.put(None)

        thread = Thread(target=work, daemon=True)
        thread.start()
        try:
            while (event := events.get()) is not None:
                if isinstance(event, Exception):
                    raise ModelError(f"llama.cpp failed: {event}"[:300], code="BROKEN_OFF", remedy="open the model again")
                yield _good(event, self.name)
        finally:
            closed.set()
            thread.join()


def _library() -> Any:
    try:
        import xllamacpp
    except ImportError:
        raise UsageError("GGUF files are run by the library xllamacpp, which is not installed", code="MISSING_EXTRA", param="model",
                         remedy='pip install "ilk[llm]"') from None
    return xllamacpp


def _good(said: Any, name: str) -> Any:
    if "error" in said:
        what = said["error"].get("message", "") if isinstance(said["error"], dict) else said["error"]
        raise UsageError(f"{name} refuses: {what}"[:300], code="REFUSED", param="turns", remedy="see what it says")
    return said


def _piece(choice: Mapping[str, Any], want: Want) -> Delta:
    """What one event says; of several tokens the last has the text."""
    told = (choice.get("logprobs") or {}).get("content") or []
    if want.alternatives is None:
        return Delta(choice["text"])
    others = [tuple((o["token"], o["logprob"]) for o in t["top_logprobs"] if o["id"] != t["id"])[:want.alternatives] for t in told]
    texts = [*[""] * (len(told) - 1), choice["text"]]
    return Delta(choice["text"], tuple(Token(text, t["logprob"], more) for text, t, more in zip(texts, told, others, strict=False)))

