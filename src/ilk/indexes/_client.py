"""What indexes kept by other programs share: what is checked before they are asked, requests of a bounded size, and searches among some keys."""
from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ..chat import Vectors
from ..errors import DataError, ResourceError, UsageError
from ..vectors import Keys, checked_keys, checked_vectors

Pairs = Iterable[tuple[int, float]]   # keys and inner products


class Client(ABC):
    """Vectors that another program keeps, asked for `most` at a time."""

    most: ClassVar[int] = 5000
    size: int

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def put(self, keys: list[int], vectors: Vectors) -> None:
        """Adds or replaces some."""

    @abstractmethod
    def drop(self, keys: list[int]) -> None:
        """Takes some out, those that are there."""

    @abstractmethod
    def get(self, keys: list[int]) -> tuple[list[int], Vectors]:
        """Those of these keys that are there, and their vectors."""

    @abstractmethod
    def ask(self, queries: Vectors, k: int) -> Sequence[Pairs]:
        """The nearest to each."""

    @abstractmethod
    def close(self) -> None:
        """Lets go of the other program."""

    def add(self, keys: Keys, vectors: Vectors) -> None:
        """Adds or replaces vectors."""
        keys, vectors = checked_keys(keys), checked_vectors(vectors, self.size, len(keys))
        for part in self._parts(len(keys)):
            self.put(keys[part].tolist(), vectors[part])

    def remove(self, keys: Sequence[int]) -> None:
        """Takes vectors out."""
        for part in self._parts(len(keys)):
            self.drop([int(k) for k in keys[part]])

    def search(self, queries: Vectors, k: int, among: Keys | None = None) -> tuple[Keys, NDArray[Any]]:
        """Asks the other program; among some keys all of those are compared here, since a walk through a graph that meets few of them would miss some."""
        queries = checked_vectors(queries, self.size)
        if k < 1:
            raise UsageError(f"the nearest {k}", code="K", param="k", remedy="1 or more")
        if among is not None:
            return filled(self._compared(queries, among), k)
        many = min(k, len(self))
        return filled(self.ask(queries, many) if many and len(queries) else [()] * len(queries), k)

    def _compared(self, queries: Vectors, among: Keys) -> Sequence[Pairs]:
        found: list[list[tuple[int, float]]] = [[] for _ in queries]
        for part in self._parts(len(among)):
            keys, vectors = self.get(among[part].tolist())
            for row, products in zip(found, queries @ vectors.T, strict=True):
                row += zip(keys, products.tolist(), strict=True)
        return found

    def _parts(self, many: int) -> Iterator[slice]:
        return (slice(i, i + self.most) for i in range(0, many, self.most))

    def save(self) -> None:  # noqa: B027 - most write every change at once
        """The other program writes every change."""


def filled(rows: Sequence[Pairs], k: int) -> tuple[Keys, NDArray[Any]]:
    """The k best of each row, equal ones by key; filled up with -1 and -inf."""
    keys, products = np.full((len(rows), k), -1, np.int64), np.full((len(rows), k), -np.inf, np.float32)
    for i, row in enumerate(rows):
        for j, (key, product) in enumerate(sorted(row, key=lambda p: (-p[1], p[0]))[:k]):
            keys[i, j], products[i, j] = key, product
    return keys, products


def matrix(rows: Any, size: int) -> Vectors:
    """Vectors that came back, (n, size)."""
    found: Vectors = np.asarray(rows, np.float32).reshape(-1, size)
    return found


def library(name: str, extra: str) -> Any:
    """A library by its name; UsageError that names the extra it is in."""
    try:
        return import_module(name)
    except ImportError:
        raise UsageError(f"{name} is not installed", code="EXTRA", param="kind", remedy=f'pip install "ilk[{extra}]", or the kind exact') from None


class Service:
    """A server that answers JSON to JSON."""

    def __init__(self, url: str, headers: dict[str, str], seconds: float) -> None:
        self.url, self.web = url, library("httpx", "rag")
        self.http = self.web.Client(base_url=url, headers=headers, timeout=seconds, trust_env=False)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Lets go of the server if what is inside fails."""
        try:
            yield
        except BaseException:
            self.http.close()
            raise

    def ask(self, method: str, path: str, body: object = None, fine: Sequence[int] = ()) -> Any:
        """The answer's JSON (None if it is empty); ResourceError for a server that is down, slow or answers with an error that is not `fine`."""
        try:
            answer = self.http.request(method, path, json=body)
        except self.web.HTTPError as why:
            raise ResourceError(f"{self.url} does not answer: {why or type(why).__name__}", code="ENDPOINT", remedy="is it up, and is that its address?") from None
        if answer.status_code in fine or (answer.is_success and not answer.content):
            return None
        if not answer.is_success:
            raise ResourceError(f"{self.url} answers {answer.status_code} to {method} {path}: {answer.text[:200]}", code="ENDPOINT")
        try:
            return answer.json()
        except ValueError:
            raise DataError(f"{self.url} answers no JSON to {method} {path}", code="ENDPOINT") from None
