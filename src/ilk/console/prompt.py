"""Behind the commands: prompts as files."""
from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ilk.chat import Turn
from ilk.console._shared import Answer
from ilk.errors import DataError, UsageError, printable
from ilk.files import atomic, plain
from ilk.modalities._files import read_bytes
from ilk.modality import Limits
from ilk.progress import Progressing
from ilk.prompts import ChainOfThought, FewShot, Kept, Library, Rules, SelfConsistency, Trial, ZeroShot, ask, diff, trial
from ilk.prompts._page import page
from ilk.prompts.library import found
from ilk.prompts.strategies import Strategy
from ilk.prompts.trial import Side, questions


def run_command(file: str, said: Sequence[str], model: str, way: Mapping[str, Any], how: Mapping[str, Any]) -> Answer:
    """One answer."""
    prompt = found(file)
    asked = ask(prompt, _values(said), model, _strategy(way), seed=how["seed"], retries=how["retries"])
    if not asked.valid:
        raise DataError(f"no answer of {model} was valid: {asked.problems[-1]}", code="INVALID", remedy="--retries 2, or a prompt that says more plainly what is wanted")
    text = asked.value if isinstance(asked.value, str) else json.dumps(asked.value, ensure_ascii=False, indent=2)
    sure = "" if asked.share == 1 else f"\n{asked.share:.0%} of the answers" + (f"; as many said {', '.join(map(str, asked.tied))}" if asked.tied else "")
    return {"prompt": str(prompt), "fingerprint": prompt.fingerprint, "model": model, **plain(asdict(asked))}, f"{text}{sure}"


def test_command(files: Sequence[str], data: tuple[str, int | None], model: tuple[str, str | None], way: Mapping[str, Any], how: Mapping[str, Any],
                 out: Path | None) -> Answer:
    """Scores, and the comparison of two."""
    if out is not None and out.suffix not in (".html", ".json"):
        raise UsageError(f"answers can't be written as {out.name}", code="FORMAT", param="out", remedy=".html or .json")
    chat = _kept(*model)
    with Progressing() as bar:
        made = trial([found(file) for file in files], _some(*data), chat, Rules(strategy=_strategy(way), **how), (bar,))
    answer = facts(made, model[0]) | {"kept": chat.known if isinstance(chat, Kept) else 0}
    if out is not None and out.suffix == ".html":
        page(made, out)
    elif out is not None:
        with atomic(out) as file:
            file.write(json.dumps(plain({**answer, "questions": _each(made)}), ensure_ascii=True, indent=1).encode())
    return answer, printable(repr(made)) + (f"\nall answers: {out}" if out else "")


def facts(made: Trial, model: str) -> dict[str, Any]:
    """A trial as JSON has it."""
    return {"model": model, "metric": made.rules.metric, "strategy": type(made.rules.strategy).__name__, "n": len(made.rows), "prompts": [_side(s) for s in made.sides],
            "compared": None if made.compared is None else {**asdict(made.compared), "better": made.compared.better}, "verdict": made.verdict or None}


def _side(side: Side) -> dict[str, Any]:
    return {"prompt": str(side.prompt), "fingerprint": side.prompt.fingerprint, "score": side.score, "low": side.low, "high": side.high, "invalid": side.invalid,
            **{what: side.total(what) for what in ("read", "made", "cut")}}


def _each(made: Trial) -> list[dict[str, Any]]:
    """Every question with its answers."""
    return [{"row": {k: v if isinstance(v, str | int | float | bool | None) else str(v) for k, v in row.items()},
             "answers": [{**asdict(s.answers[i]), "score": s.scores[i]} for s in made.sides]} for i, row in enumerate(made.rows)]


def improve_command(file: str, data: str, model: tuple[str, str | None], more: tuple[Path | None, int], search: Mapping[str, int], how: Mapping[str, Any],
                    out: Path | None) -> Answer:
    """A better version, if there is one, and how it does where it was not chosen."""
    from ilk.prompts.improve import Search, improve

    lines = () if more[0] is None else tuple(line.strip() for line in _text(more[0]).splitlines() if line.strip())
    with Progressing() as bar:
        made = improve(found(file), data, _kept(*model), Search(instructions=lines, write=more[1], **search), Rules(**how), (bar,))
    if out is not None:
        made.best.write(out)
    answer = {**facts(made.test, model[0]), "changed": made.changed, "tried": made.tried, "edits": list(made.edits), "out": None if out is None else str(out)}
    return answer, printable(repr(made)) + (f"\nwritten to {out}" if out else "")


def list_command(folder: str) -> Answer:
    """A line a prompt."""
    some = list(Library.read(folder))
    lines = [f"{p!s:<30} {', '.join(p.variables) or '-':<30} {next(iter(p.output.facts()), 'text'):<8} {p.about}".rstrip() for p in some]
    return {"prompts": [{"name": p.name, "version": p.version, "about": p.about, "variables": list(p.variables), "fingerprint": p.fingerprint} for p in some]}, \
        printable("\n".join(lines)) or f"there are no prompts in {folder}"


def show_command(file: str, said: Sequence[str]) -> Answer:
    """The file as it is always written; with values the turns."""
    prompt = found(file)
    turns = prompt.turns(_values(said)) if said else ()
    answer = {"prompt": str(prompt), "fingerprint": prompt.fingerprint, "text": prompt.text, "turns": [{"role": t.role, "text": t.text} for t in turns]}
    return answer, "\n".join(map(_shown, turns)) if turns else f"{prompt.text}\n{prompt}, fingerprint {prompt.fingerprint[:16]}"


def _shown(turn: Turn) -> str:
    """A turn; its lines are set in, so that no value looks like another turn."""
    return f"{turn.role}:\n" + "\n".join(f"  {line}" for line in turn.text.split("\n"))


def diff_command(first: str, second: str) -> Answer:
    """The lines that differ."""
    old, new = found(first), found(second)
    same = old.fingerprint == new.fingerprint
    return {"first": str(old), "second": str(new), "same": same, "diff": diff(old, new)}, diff(old, new) + ("\na model can't tell them apart" if same else "")


def _values(said: Sequence[str]) -> dict[str, Any]:
    """name=value or name=@file."""
    found: dict[str, Any] = {}
    for one in said:
        name, equals, value = one.partition("=")
        if not equals or not name:
            raise UsageError(f"{one[:60]!r} is not name=value", code="VALUE", param="set", remedy='--set "text=Not bad"')
        if name in found:
            raise UsageError(f"{name} is set twice", code="VALUE", param="set")
        found[name] = _text(Path(value[1:])) if value.startswith("@") else value
    return found


def _text(at: Path) -> str:
    """The text of a file, as it is but for a last line's end."""
    try:
        return read_bytes(at, Limits(bytes=4 << 20)).decode("utf-8").removesuffix("\n")
    except UnicodeDecodeError:
        raise DataError(f"{at} is no UTF-8", code="FORMAT") from None


def _some(data: str, n: int | None) -> Any:
    """The questions, or the first of them."""
    if n is not None and n < 1:
        raise UsageError(f"{n} questions", code="ITEMS", param="n", remedy="1 or more")
    return questions(data)[:n]


def _kept(model: str, cache: str | None) -> Kept | str:
    return model if cache == "off" else Kept(model, cache)


def _strategy(way: Mapping[str, Any]) -> Strategy:
    """A way of asking by its name and the flags that go with it."""
    name = way["name"]
    if name == "zero_shot":
        return ZeroShot()
    shots = FewShot(k=way["k"], chosen=way["chosen"])
    reasoned = ChainOfThought(shots=shots)
    return shots if name == "few_shot" else reasoned if name == "chain_of_thought" else SelfConsistency(n=way["n"], each=reasoned)
