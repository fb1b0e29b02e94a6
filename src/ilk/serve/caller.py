"""Who asks, and what they may."""
from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import Depends, Request

from ilk.errors import PolicyError

Scope = Literal["chat", "jobs", "files", "admin"]
SCOPES: tuple[Scope, ...] = ("chat", "jobs", "files", "admin")


@dataclass(frozen=True)
class Caller:
    """The holder of a key: files and jobs are theirs by `id`. `scopes`: chat (asking models), jobs, files, admin (all of it, others' too)."""

    id: str
    scopes: frozenset[Scope] = frozenset(SCOPES)

    def may(self, scope: Scope) -> bool:
        """Whether that is allowed."""
        return scope in self.scopes or "admin" in self.scopes

    def owns(self, owner: str) -> bool:
        """Whether what is somebody's is theirs."""
        return owner == self.id or "admin" in self.scopes


def caller_of(request: Request) -> Caller:
    """Who asks: the door (`door.py`) let them in and wrote it down."""
    found: Caller = request.state.caller
    return found


def needs(scope: Scope) -> Any:
    """A dependency of a route: Caller, if they may; else PolicyError (code SCOPE)."""
    return Depends(_needs(scope))


def _needs(scope: Scope) -> Callable[[Request], Awaitable[Caller]]:
    async def check(request: Request) -> Caller:
        caller = caller_of(request)
        if not caller.may(scope):
            raise PolicyError(f"this key may not do that: it lacks the scope {scope}", code="SCOPE")
        return caller
    return check
