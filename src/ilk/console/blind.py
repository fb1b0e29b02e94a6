"""Behind the commands: comparisons by people."""
from __future__ import annotations

import json
import secrets
import socket
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilk.console._shared import Answer
from ilk.errors import ResourceError, UsageError, printable
from ilk.files import atomic
from ilk.verbs._ballots import Votes, read_votes
from ilk.verbs.bradley_terry import Strengths, bradley_terry


def blind_command(sides: Sequence[str], how: Mapping[str, Any], kept: Mapping[str, Any], page: tuple[str, int], out: Path | None) -> Answer:
    """Makes items, serves the page until all is judged or Ctrl-C, and says what the votes come to."""
    from ilk.verbs._ballot_app import blind_app
    from ilk.verbs.blind import blind  # not above: results need no models

    if len(set(sides)) < max(2, len(sides)):
        raise UsageError("two or more different participants are compared", code="SIDES", param="sides", remedy="ilk blind a.ilk b.ilk")
    uvicorn = _uvicorn()
    _writable(out)
    study = blind({name: name for name in sides}, **how)
    votes, (language, port) = Votes(kept["votes"], study, kept["rater"]), page
    with closing(_bound(port)) as listening:
        token = secrets.token_urlsafe(16)
        app = blind_app(votes, token, language, lambda: setattr(server, "should_exit", True))
        server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_level="warning", access_log=False, server_header=False, timeout_keep_alive=1))
        where = f"http://127.0.0.1:{listening.getsockname()[1]}/{token}/"
        sys.stderr.write(f"{len(study.order)} pairs, {len(votes.mine)} judged: open {where} (Ctrl-C ends it; votes are in {votes.at})\n")
        sys.stderr.flush()
        if votes.next is not None:
            with suppress(KeyboardInterrupt):
                server.run(sockets=[listening])
    return results_command(kept["votes"], (), out, len(study.order) - len(votes.mine))


def results_command(at: Path, sides: Sequence[str], out: Path | None, left: int | None = None) -> Answer:
    """What the votes of a file come to; `left` comparisons are still to come."""
    if sides:
        raise UsageError("--results takes no participants: they are in the file", code="SIDES", param="sides")
    _writable(out)
    votes = read_votes(at)
    more = {} if left is None else {"left": left}
    if not votes:
        return {"votes": 0, "file": str(at), **more}, f"no votes yet in {at}"
    found = bradley_terry(votes)
    answer = {"file": str(at), **told(found), **more}
    if out is not None:
        _written(out, answer)
    return answer, printable(f"{found!r}" + (f"\n{left} pairs are left: the same command goes on" if left else "") + (f"\nstandings in {out}" if out else ""))


def told(found: Strengths) -> dict[str, Any]:
    """Strengths as JSON has them."""
    standings = [{**asdict(s), "share": s.share} for s in found.standings]
    pairs = [{"one": a.name, "other": b.name, "difference": list(found.difference(a.name, b.name)), "chance": found.chance(a.name, b.name)}
             for i, a in enumerate(found.standings) for b in found.standings[i + 1:]]
    return {"standings": standings, "pairs": pairs, "votes": found.votes, "tie": found.tie, "itself": asdict(found.itself), "others": asdict(found.others),
            "chose_left": found.left, "note": found.note}


def _writable(out: Path | None) -> None:
    if out is not None and out.suffix.lower() not in (".csv", ".json"):
        raise UsageError(f"standings can't be written as {out.name}", code="FORMAT", param="out", remedy=".csv or .json")


def _written(out: Path, answer: Mapping[str, Any]) -> None:
    rows = answer["standings"]
    if out.suffix.lower() == ".csv":
        import polars as pl

        text = pl.DataFrame(rows).write_csv()
    else:
        text = json.dumps(answer, ensure_ascii=False, indent=1) + "\n"
    with atomic(out) as file:
        file.write(text.encode("utf-8", "replace"))


def _uvicorn() -> Any:
    try:
        import uvicorn
    except ImportError:
        raise UsageError("uvicorn is not installed", code="MISSING", remedy="pip install 'ilk[blind]'") from None
    return uvicorn


def _bound(port: int) -> socket.socket:
    """A socket of this machine only, which takes calls from now on, so that the address can be told before it is served."""
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except (OSError, OverflowError) as why:
        listening.close()
        raise ResourceError(f"port {port} can't be had: {getattr(why, 'strerror', None) or why}", code="PORT", remedy="another --port, or none for any that is free") from None
    return listening
