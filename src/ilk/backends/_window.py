"""What fits into a model's window, and what is said where it does not."""
from __future__ import annotations

from ..errors import UsageError


def room(name: str, window: int | None, read: int) -> int | None:
    """How many tokens may be made after those that are read; UsageError (code CONTEXT) where none may."""
    if window is not None and read >= window:
        raise UsageError(f"{read} tokens (n_prompt) do not fit the window of {name}: {window} tokens (n_ctx), of which at least one is for the answer",
                         code="CONTEXT", param="turns", remedy="say less, leave turns out, or take a model with a larger window")
    return None if window is None else window - read


def least(*most: int | None) -> int:
    """The smallest of some limits."""
    return min(m for m in (*most, 1 << 20) if m is not None)


def broken(made: int) -> UsageError:
    """An answer that ended before its shape was whole."""
    return UsageError(f"the answer was cut after {made} tokens, before the shape that is asked for was whole", code="SHAPE_CUT", param="most",
                      remedy="allow more tokens, no stop strings, or ask for less")
