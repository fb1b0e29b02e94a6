"""Routes: which families there are, and their options."""
from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from ilk import registry
from ilk.serve.caller import needs
from ilk.serve.options import fields

router = APIRouter(prefix="/v1/families", tags=["models"], dependencies=[needs("chat")])


@router.get("")
def every() -> dict[str, Any]:
    """All families: name, what each is, and its options with their defaults and ranges."""
    names = registry.names("families")
    return {"object": "list", "data": [{"name": n, "summary": registry.summary("families", n), "options": fields("families", n)} for n in names]}
