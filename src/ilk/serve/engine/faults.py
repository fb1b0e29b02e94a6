"""Errors as they go from the process that works to the server: the same class there, and never more than it was meant to tell."""
from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from typing import Any

from ilk import errors
from ilk.errors import IlkError, ResourceError
from ilk.serve import work

_KNOWN = {c.__name__: c for c in (*vars(errors).values(), *vars(work).values()) if isinstance(c, type) and issubclass(c, IlkError)}
_ODD = (errors.Stopped, work.Busy)   # made of other things than a message


def told(why: BaseException) -> dict[str, Any]:
    """What is told of an error. Of what nobody meant to raise nothing is, but on stderr."""
    if isinstance(why, MemoryError) or "DefaultCPUAllocator" in str(why):
        why = ResourceError("there is too little memory for this", code="MEMORY", remedy="ask for less at once")
    if not isinstance(why, IlkError):
        sys.stderr.write("".join(traceback.format_exception(why)))
        why = IlkError("a fault of the server", code="INTERNAL", remedy="its log says more")
    kind = next((c.__name__ for c in type(why).__mro__ if c.__name__ in _KNOWN and c not in _ODD), "IlkError")
    return {"class": kind, "message": why.message, "code": why.code, "remedy": why.remedy, "param": why.param}


def raised(said: Mapping[str, Any]) -> IlkError:
    """The error that `told` told of."""
    return _KNOWN.get(str(said.get("class")), IlkError)(str(said.get("message")), code=said.get("code"), remedy=said.get("remedy"), param=said.get("param"))
