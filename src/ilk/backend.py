"""Pretrained models by address, `scheme:name?option=value`: the contract of what stands behind a scheme, and how an address is opened."""
from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from . import recipe, registry
from .chat import Chat, Embeds
from .errors import UsageError

DEFAULT, EMBEDDER = "gguf:smollm2-135m-instruct", "hf:all-minilm-l6-v2"
OPENED = 4   # models that stay in memory


@dataclass(frozen=True, kw_only=True)
class Backend(ABC):
    """One way to models: a frozen dataclass whose options may stand in an address. One file of `backends/` each."""

    @abstractmethod
    def names(self) -> Sequence[str]:
        """The models that it knows by name; there may be more."""

    @abstractmethod
    def open(self, name: str) -> Chat | Embeds:
        """The model of that name. UsageError for one that there is not, or for a library or key that is missing, which it names."""

    def address(self, name: str) -> str:
        """What opens that model again: the scheme, the name, and the options that are not as by default."""
        changed = {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}
        return f"{registry.name_of('backends', self)}:{name}" + ("?" + urlencode(changed, safe="/:") if changed else "")

    def pull(self, name: str) -> Path:
        """Fetches a model's files, so that it opens offline; returns where they are. UsageError where there is nothing to fetch."""
        raise UsageError(f"{registry.name_of('backends', self)} has nothing to fetch", code="PULL", param="model", remedy="it is opened as it is")


def parted(address: str) -> tuple[str, str, dict[str, str]]:
    """Scheme, name and options of an address; UsageError for one that is none.

    >>> parted("echo:Hello there?window=100")
    ('echo', 'Hello there', {'window': '100'})
    """
    scheme, colon, rest = address.partition(":")
    if not colon:
        raise UsageError(f"{address[:80]!r} is no address of a model", code="ADDRESS", param="model",
                         remedy=f"scheme:name, such as {DEFAULT}; `ilk list backends` lists schemes")
    name, _, query = rest.partition("?")
    return registry.check("backends", scheme), name, dict(parse_qsl(query, keep_blank_values=True))


def backend(address: str) -> tuple[Backend, str]:
    """What opens an address, and the name that it is asked for."""
    scheme, name, options = parted(address)
    found: Backend = recipe.made(registry.get("backends", scheme), options)
    return found, name


@lru_cache(OPENED)
def opened(address: str) -> Chat | Embeds:
    """The model at an address; the last few stay open."""
    return fresh(address)


def fresh(address: str) -> Chat | Embeds:
    """The model at an address, opened anew: one that may be changed."""
    found, name = backend(address)
    if "ilk.memory" not in sys.modules:   # nobody counts tensors: torch, which llama.cpp does without, need not be there
        return found.open(name)
    from .memory import apart

    with apart():
        return found.open(name)


def chat_at(address: str) -> Chat:
    """A model that answers; UsageError for one that does not."""
    found = opened(address)
    if isinstance(found, Chat):
        return found
    raise UsageError(f"{address} makes vectors of texts and does not answer", code="NO_CHAT", param="model", remedy=f"such as {DEFAULT}")


def embedder_at(address: str) -> Embeds:
    """A model that makes vectors of texts; UsageError for one that does not."""
    found = opened(address)
    if isinstance(found, Embeds):
        return found
    raise UsageError(f"{address} makes no vectors of texts", code="NO_EMBEDDING", param="embedder", remedy=f"such as {EMBEDDER}")
