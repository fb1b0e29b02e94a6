"""Runs checks of a client against a server, in the environment that has the client: `python openai_client.py URL TOKEN`."""
from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Sequence

Check = Callable[[str, str], None]


def main(checks: Sequence[Check]) -> None:
    """Prints one line of JSON: what each check found wrong, null where nothing is."""
    url, token = sys.argv[1:3]
    print(json.dumps({check.__name__: fault(check, url, token) for check in checks}))


def fault(check: Check, url: str, token: str) -> str | None:
    """What went wrong, with where."""
    try:
        check(url, token)
    except Exception as why:  # whatever a client raises is what the row tells
        at = traceback.extract_tb(why.__traceback__)
        here = [f for f in at if f.filename == check.__code__.co_filename]
        return f"{type(why).__name__} at line {here[-1].lineno if here else '?'}: {str(why)[:300]}"
    return None
