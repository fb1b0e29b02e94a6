"""The contract of a form that other libraries read: a model written in it, and read back where that can be."""
from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from .model import Model


class Exporter(ABC):
    """Another library's form of a model: a frozen dataclass without options, one file in exporters/."""

    @abstractmethod
    def refuses(self, model: Model) -> str | None:
        """Why it can't write this model, or None if it can."""

    @abstractmethod
    def write(self, model: Model, to: Path) -> list[Path]:
        """Writes the model into a folder, whole or not at all; returns the files."""


@runtime_checkable
class Reads(Protocol):
    """An exporter that also takes back what it wrote."""

    def read(self, at: Path) -> Model: ...


@runtime_checkable
class Serves(Protocol):
    """An exporter of text models whose form answers by itself: the address of what it wrote."""

    def address(self, to: Path) -> str: ...
