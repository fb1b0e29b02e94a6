"""The description of the routes: what all of them have in common is said here once."""
from __future__ import annotations

from typing import Any

from fastapi import FastAPI

OPEN: dict[str, list[dict[str, list[str]]]] = {"/healthz": [], "/metrics": [{}, {"key": []}]}   # asked by anybody; by anybody on this machine
KEY = {"type": "http", "scheme": "bearer", "description": "A key (`ilk keys new`), or the token that `ilk serve` prints."}


class App(FastAPI):
    """An application whose operations ask for a key, and answer a request against its schema with 400 as any other fault (never with the framework's own 422)."""

    def openapi(self) -> dict[str, Any]:
        """The description, as OpenAPI has it."""
        if (known := self.openapi_schema) is not None:
            return known
        found = super().openapi()
        for path, operations in found["paths"].items():
            for operation in operations.values():
                operation["responses"].pop("422", None)
                operation["security"] = OPEN.get(path, [{"key": []}])
        found["components"]["securitySchemes"] = {"key": KEY}
        for unused in ("HTTPValidationError", "ValidationError"):
            found["components"]["schemas"].pop(unused, None)
        return found
