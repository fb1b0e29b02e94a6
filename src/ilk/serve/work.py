"""What is asked of a model that is served and what comes back, whoever does the work: a process of its own, this one, or another server."""
from __future__ import annotations

from collections.abc import AsyncIterator, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from ilk.chat import Chat, Embeds
from ilk.errors import IlkError, UsageError

if TYPE_CHECKING:
    from ilk.model import Model


@dataclass(frozen=True)
class Ask:
    """A piece of work: which operation (a file of `ops`), its request as JSON, and bytes beside it (pictures, files). `body` names blobs by their number."""

    op: str
    body: Mapping[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()


@dataclass(frozen=True)
class Reply:
    """A piece of the answer, as JSON with bytes beside it. The pieces of an answer are what its operation says."""

    body: Mapping[str, Any] = field(default_factory=dict)
    blobs: Sequence[bytes] = ()


@dataclass(frozen=True)
class Held:
    """A model where the work is done. Of a folder: `model`, and `chat` where it goes on token by token. Of an `address`: `chat` or `embeds`.

    `memo` is for what operations worked out and may need again.
    """

    name: str
    model: Model | None = None
    chat: Chat | None = None
    embeds: Embeds | None = None
    address: str = ""
    memo: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    def items(self) -> Model:
        """The model that makes and scores items; UsageError (code CAPABILITY) where there is none."""
        if self.model is not None:
            return self.model
        if self.chat is None or not self.address:
            raise UsageError(f"{self.name} makes no items: it makes vectors of texts", code="CAPABILITY", param="model", remedy="GET /v1/models says what each can do")
        if "items" not in self.memo:
            from ilk.verbs.open import open   # not above: it takes in torch, which a model of llama.cpp does without

            self.memo["items"] = open(self.address)
        found: Model = self.memo["items"]
        return found

    def talks(self) -> Chat:
        """The model that answers turns; UsageError (code CAPABILITY) where there is none."""
        if self.chat is None:
            raise UsageError(f"{self.name} does not answer turns", code="CAPABILITY", param="model", remedy="GET /v1/models says what each can do")
        return self.chat


class Op(Protocol):
    """An operation: a module of `ops` with this function. Whoever asked may close the iterator at any piece; between pieces there is at most a step of the model.

    A piece that is None tells nothing: it stands where a step was made, so that work can end there.
    """

    def run(self, held: Held, ask: Ask) -> Iterator[Reply | None]: ...


@runtime_checkable
class Together(Protocol):
    """An operation that is done for several at once where they ask `alike`: each gets what it would get alone.

    `fitting` is how many of them, the first ones, go into one round; `together` gives all their answers at the end, None before.
    """

    def alike(self, held: Held, ask: Ask) -> Hashable | None: ...
    def fitting(self, held: Held, asks: Sequence[Ask]) -> int: ...
    def together(self, held: Held, asks: Sequence[Ask]) -> Iterator[Sequence[Reply] | None]: ...


@dataclass(frozen=True)
class Served:
    """A model that is served: the name that clients know, where it is, and what is known of it without loading it.

    `state` is "cold" (loaded when first asked), "loading", "ready" or "down" (its process died and is being started anew).
    """

    name: str
    place: str
    state: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    since: int = 0


class Engine(Protocol):
    """Does the work. Raises what the operation raised, as the same class of IlkError; `Gone` where the one who worked died, `Busy` where too much waits."""

    def served(self) -> Sequence[Served]: ...
    def ask(self, name: str, ask: Ask) -> AsyncIterator[Reply]:
        """The pieces of the answer. Closing the iterator (or cancelling) stops the work at its next step. UsageError (code NO_MODEL) for an unknown name."""
        ...

    async def load(self, name: str) -> None: ...
    async def unload(self, name: str) -> None: ...
    async def close(self) -> None:
        """Ends all work and whoever does it."""
        ...


class Gone(IlkError):
    """Whoever did the work died; another is being started."""

    exit, http, kind, default = 1, 500, "server_error", "WORKER_DIED"


class Busy(IlkError):
    """Too much waits already; `after` is how many seconds to wait."""

    exit, http, kind, default = 5, 429, "server_overloaded", "queue_full"
    reason = "queue_full"

    def __init__(self, message: str, after: float, code: str | None = None) -> None:
        super().__init__(message, code=code, remedy=f"try again in {after:.0f} s")
        self.after = after


class Missing(UsageError):
    """There is no such thing, or not for whoever asks."""

    exit, http, kind, default = 2, 404, "not_found_error", "NOT_FOUND"


def lacking(name: str, known: Sequence[str]) -> Missing:
    """That there is no such model."""
    return Missing(f"no model {name[:80]!r}", code="model_not_found", param="model", remedy=f"there are: {', '.join(known[:20]) or 'none'}")
