"""Routes: keys, for whoever has the scope admin."""
from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from ilk.serve.body import Strict
from ilk.serve.caller import Scope, needs
from ilk.serve.keys import Keys
from ilk.serve.server import Has, Server
from ilk.serve.work import Missing

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=[needs("admin")], route_class=Strict)
Bound = Annotated[int, Field(ge=1, le=10**15)]


class Wanted(BaseModel):
    """A new key: what it is called, what it may do (`scopes`), requests a minute, tokens in all, and days until it ends."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"name": "a notebook", "scopes": ["chat"], "rpm": 60, "budget": 100000, "days": 30}]})

    name: Annotated[str, Field(min_length=1, max_length=200)]
    scopes: list[Scope] = ["chat"]
    rpm: Bound | None = None
    budget: Bound | None = None
    days: Annotated[float, Field(gt=0, le=36_500)] | None = None


class KeySaid(BaseModel):
    """A key, without its secret. Times are seconds since 1970; null: without such a bound."""

    id: str
    object: Literal["ilk.key"]
    name: str
    scopes: list[Scope]
    rpm: int | None
    budget: int | None
    used: int
    created: int
    expires: int | None
    ended: bool


class NewKey(KeySaid):
    """A new key and its secret."""

    secret: str


class KeyList(BaseModel):
    """All keys."""

    object: Literal["list"]
    data: list[KeySaid]


class KeyEnded(BaseModel):
    """A key that was ended."""

    id: str
    object: Literal["ilk.key"]
    ended: Literal[True]


@router.get("", response_model=KeyList)
async def every(server: Has) -> dict[str, Any]:
    """All keys, without their secrets."""
    return {"object": "list", "data": [key.as_json() for key in _keys(server).all()]}


@router.post("", status_code=201, response_model=NewKey)
async def new(server: Has, wanted: Wanted) -> dict[str, Any]:
    """A key. Its secret is told here and never again."""
    key, secret = _keys(server).new(wanted.name, wanted.scopes, wanted.rpm, wanted.budget, wanted.days)
    return {**key.as_json(), "secret": secret}


@router.delete("/{id}", response_model=KeyEnded)
async def end(server: Has, id: str) -> dict[str, Any]:
    """Ends a key."""
    _keys(server).end(id)
    return {"id": id, "object": "ilk.key", "ended": True}


def _keys(server: Server) -> Keys:
    if server.guard.keys is None:
        raise Missing("this server keeps no keys", code="keys")
    return server.guard.keys
