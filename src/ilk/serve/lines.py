"""What was asked over HTTP as the lines of Python and of the command line that do the same, to be copied."""
from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from ilk import registry
from ilk.errors import UsageError, nearest

Asked = Mapping[str, Any]
Said = tuple[list[str], list[str]]   # lines of Python, words of the command line (none: there is no such command)


class Line(BaseModel):
    """The same elsewhere. Models are folders here, `people` being `people.ilk`; what was sent stands in a file `items`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    python: str
    """Lines of Python."""
    cli: str | None
    """A line for a shell; null: there is no such command."""


def lines(verb: str, asked: Asked) -> Line:
    """Of a verb and its parameters as the API takes them; UsageError (code VERB) for one that there is not.

    >>> lines("sample", {"model": "people", "n": 3, "given": ["age > 60"]}).cli
    "ilk sample people.ilk -n 3 --given 'age > 60'"
    """
    if verb not in VERBS:
        raise UsageError(f"no lines for {verb[:40]!r}", code="VERB", param="verb", remedy=nearest(verb, VERBS))
    python, words = VERBS[verb](asked)
    return Line(python="\n".join(["import ilk", *python]), cli=shlex.join(["ilk", *words]) if words else None)


def verbs() -> tuple[str, ...]:
    """Those that have lines."""
    return tuple(VERBS)


def _sample(asked: Asked) -> Said:
    n, (way, flags) = asked.get("n", 1), _how(asked)
    python = [_loaded(asked), f"items = model.sample({_args(n, seed=asked.get('seed'), how=way)})"]
    return python, ["sample", _folder(asked["model"]), *_flags({"-n": n}), *_given(asked), *flags, *_seed(asked)]


def _steer(asked: Asked) -> Said:
    way, _ = _how(asked)
    python = [_loaded(asked), f"steps = model.steps({_args(asked.get('n', 1), seed=asked.get('seed'), how=way)})"]
    turns: dict[int, list[Any]] = {}
    for turn in sorted(asked.get("turns") or (), key=lambda t: t["step"]):
        turns.setdefault(turn["step"], []).extend(turn["given"])
    for step, rules in turns.items():
        python += [f"step = next(s for s in steps if s.step >= {step})", f"steps = step.steer({', '.join(map(repr, rules))}).steps()"]
    return [*python, "for step in steps:", "    items = step.items"], []


def _score(asked: Asked) -> Said:
    return [_loaded(asked), _read(asked), f"print(ilk.score(model, items{_more(seed=asked.get('seed'))}))"], \
           ["score", _folder(asked["model"]), _items(asked), *_given(asked), *_seed(asked)]


def _edit(asked: Asked) -> Said:
    redo, (way, flags) = written(asked["redo"]), _how(asked)
    python = [_loaded(asked), _read(asked), f"items = ilk.edit(model, items, {_args(redo, n=asked.get('n'), seed=asked.get('seed'), how=way)})"]
    return python, ["edit", _folder(asked["model"]), _items(asked), *_flags({"--redo": redo, "-n": asked.get("n")}), *_given(asked), *flags, *_seed(asked)]


def _impute(asked: Asked) -> Said:
    best = asked.get("best") or None
    python = [_loaded(asked), _read(asked), f"items = ilk.impute(model, items{_more(n=asked.get('n'), best=best, seed=asked.get('seed'))})"]
    return python, ["impute", _folder(asked["model"]), _items(asked), *(["--best"] if best else []), *_flags({"-n": asked.get("n")}), *_given(asked), *_seed(asked)]


def _vary(asked: Asked) -> Said:
    python = [_loaded(asked), _read(asked), f"items = ilk.vary(model, items{_more(strength=asked.get('strength'), n=asked.get('n'), seed=asked.get('seed'))})"]
    return python, ["vary", _folder(asked["model"]), _items(asked), *_flags({"--strength": asked.get("strength"), "-n": asked.get("n")}), *_seed(asked)]


def _interpolate(asked: Asked) -> Said:
    python = [_loaded(asked), _read(asked), f"items = ilk.interpolate(model, items[0:1], items[1:2]{_more(n=asked.get('n'), seed=asked.get('seed'))})"]
    return python, ["interpolate", _folder(asked["model"]), _items(asked), *_flags({"-n": asked.get("n")}), *_seed(asked)]


def _fit(asked: Asked) -> Said:
    family, options, types = asked.get("family"), asked.get("options") or {}, asked.get("types") or {}
    data = f"ilk.read({asked['file']!r}, ilk.Table(types={dict(types)!r}))" if types else repr(asked["file"])
    budget = None if asked.get("steps") is None and asked.get("seconds") is None else _Code(_budget(asked))
    made = f", {_recipe('families', family, options)}" if family else ""
    out = f"{asked['name']}.ilk" if asked.get("name") else None
    python = [f"model = ilk.fit({data}{made}{_more(seed=asked.get('seed'), budget=budget)})", *([f"model.save({out!r})"] if out else [])]
    words = ["fit", _plain(asked["file"]), *_flags({"--family": family}), *_options(options), *(w for k, v in types.items() for w in _flags({"--types": f"{k}={v}"})),
             *_spent(asked), *_seed(asked), *_flags({"--out": out})]
    return python, words


def _race(asked: Asked) -> Said:
    families = list(asked.get("families") or ())
    seconds, out = asked.get("seconds"), f"{asked['name']}.race" if asked.get("name") else None
    budget = None if seconds is None else _Code(f"ilk.Seconds({seconds!r})")
    rules = None if asked.get("seed") is None else _Code(f"ilk.RaceRules(seed={asked['seed']!r})")
    python = [f"print(ilk.race({asked['file']!r}{_more(budget=budget, families=families or None, rules=rules, out=out)}))"]
    return python, ["race", _plain(asked["file"]), *_flags({"--families": ",".join(families) or None}), *_spent(asked), *_seed(asked), *_flags({"--out": out})]


def _evaluate(asked: Asked) -> Said:
    python = [_loaded(asked), _read(asked), f"print(ilk.evaluate(model, items{_more(n=asked.get('n'), seed=asked.get('seed'))}))"]
    return python, ["evaluate", _folder(asked["model"]), *_flags({"--against": _items(asked), "-n": asked.get("n")}), *_given(asked), *_seed(asked)]


def _audit(asked: Asked) -> Said:
    python = [_loaded(asked), f"print(ilk.audit(model, ilk.read({_items(asked)!r}, model.modality){_more(seed=asked.get('seed'))}))"]
    return python, ["audit", _folder(asked["model"]), *_flags({"--against": asked.get("file")}), *_seed(asked)]


def _report(asked: Asked) -> Said:
    held = _Code(f"ilk.read({asked['file']!r}, model.modality).items") if asked.get("file") else None
    python = [_loaded(asked), f"ilk.report(model, 'report.html'{_more(against=held, language=asked.get('language'), seed=asked.get('seed'))})"]
    words = ["report", _folder(asked["model"]), *_flags({"--against": asked.get("file"), "--language": asked.get("language")}), *_seed(asked), "--out", "report.html"]
    return python, words


def _index(asked: Asked) -> Said:
    files = list(asked["files"])
    return [f"print(ilk.index({files!r}, {asked['name']!r}{_more(embedder=asked.get('embedder'))}))"], \
           ["index", *map(_plain, files), "--out", asked["name"], *_flags({"--embedder": asked.get("embedder")})]


def _ask(asked: Asked) -> Said:
    python = [f"print(ilk.ask({asked['library']!r}, {asked['question']!r}{_more(model=asked.get('model'), k=asked.get('k'))}).text)"]
    return python, ["ask", _plain(asked["library"]), *_flags({"-k": asked.get("k"), "--model": asked.get("model")}), "--", asked["question"]]


def _chat(asked: Asked) -> Said:
    """The last question; a conversation has no one line."""
    turns = [(m["role"], m["content"]) for m in asked.get("messages") or ()]
    last = next((text for role, text in reversed(turns) if role == "user"), asked.get("question", ""))
    system = next((text for role, text in turns if role == "system"), None)
    wishes = {"temperature": asked.get("temperature"), "most": asked.get("max_tokens"), "seed": asked.get("seed")}
    want = _Code(f"ilk.Want({_args(**wishes)})") if any(v is not None for v in wishes.values()) else None
    if len(turns) > 1:
        told = ", ".join(f"ilk.Turn.of({role!r}, {text!r})" for role, text in turns)
        python = [f"print(ilk.reply({asked.get('model')!r}, [{told}]{_more(want=want)}).text)"]
    else:
        python = [f"print(ilk.reply({asked.get('model')!r}, {last!r}{_more(want=want)}).text)"]
    many = sum(role == "user" for role, _ in turns) > 1
    words = ["chat", *_flags({"--model": asked.get("model"), "--system": system, "--temperature": asked.get("temperature"), "--most": asked.get("max_tokens")}), *_seed(asked), "--", last]
    return python, [] if many else words


def _tune(asked: Asked) -> Said:
    out = f"{asked['name']}.ilk" if asked.get("name") else None
    tuning = asked.get("tuning")
    made = _Code(_recipe("tunings", tuning, asked.get("options") or {})) if tuning else None
    budget = None if asked.get("steps") is None and asked.get("seconds") is None else _Code(_budget(asked))
    python = [f"model = ilk.tune({asked['model']!r}, {asked['file']!r}{_more(tuning=made, seed=asked.get('seed'), budget=budget)})", *([f"model.save({out!r})"] if out else [])]
    words = ["tune", _plain(asked["model"]), _plain(asked["file"]), *_flags({"--tuning": tuning}), *_options(asked.get("options") or {}), *_spent(asked), *_seed(asked), *_flags({"--out": out})]
    return python, words


def _export(asked: Asked) -> Said:
    out = asked.get("name") or f"{asked['model']}-{asked['to']}"
    return [_loaded(asked), f"ilk.export(model, {asked['to']!r}, {out!r})"], ["export", _folder(asked["model"]), *_flags({"--to": asked["to"], "--out": out})]


VERBS: Mapping[str, Callable[[Asked], Said]] = {
    "sample": _sample, "score": _score, "edit": _edit, "impute": _impute, "vary": _vary, "interpolate": _interpolate, "steer": _steer, "fit": _fit, "race": _race,
    "evaluate": _evaluate, "audit": _audit, "report": _report, "index": _index, "ask": _ask, "chat": _chat, "tune": _tune, "export": _export}


class _Code(str):
    """Text that is Python already."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def _args(*values: Any, **said: Any) -> str:  # noqa: ANN401
    return ", ".join([*map(repr, values), *(f"{k}={v!r}" for k, v in said.items() if v is not None)])


def _more(**said: Any) -> str:
    return "".join(f", {k}={v!r}" for k, v in said.items() if v is not None)


def _flags(said: Mapping[str, Any]) -> list[str]:
    """Flags with values, such as begin with a dash in one word."""
    words = []
    for flag, value in said.items():
        if value is not None:
            words += [f"{flag}={value}"] if str(value).startswith("-") and flag.startswith("--") else [flag, str(value)]
    return words


def _plain(path: str) -> str:
    return f"./{path}" if path.startswith("-") else path


def _seed(asked: Asked) -> list[str]:
    return _flags({"--seed": asked.get("seed")})


def _folder(model: str) -> str:
    """Where a model is: its name as a folder, an address or folder as it is said."""
    return _plain(model if ":" in model or model.endswith(".ilk") else f"{model}.ilk")


def _loaded(asked: Asked) -> str:
    """The model with all that is given."""
    made = f"model = ilk.load({_folder(asked['model'])!r})" if ":" not in asked["model"] else f"model = ilk.open({asked['model']!r})"
    made += "".join(f".given({rule!r})" for rule in asked.get("given") or ())
    label, prompt = asked.get("label"), asked.get("prompt")
    made += "" if label is None else f".given(ilk.Label({_label(label)!r}))"
    return made + ("" if prompt is None else f".given(ilk.Prompt({prompt!r}))")


def _label(label: Any) -> Any:
    return int(label) if isinstance(label, str) and re.fullmatch(r"[0-9]{1,9}", label) else label


def _given(asked: Asked) -> list[str]:
    rules = [json.dumps(rule, ensure_ascii=False) if isinstance(rule, Mapping) else rule for rule in asked.get("given") or ()]
    return [w for rule in rules for w in _flags({"--given": rule})] + _flags({"--label": asked.get("label"), "--prompt": asked.get("prompt")})


def _items(asked: Asked) -> str:
    """The file that items stand in: the one that is named, else one of their kind."""
    if asked.get("file"):
        return _plain(str(asked["file"]))
    first = next(iter(asked.get("items") or ()), None)
    if isinstance(first, Mapping):
        return "items.npy" if set(first) == {"shape", "values"} else "items.zip" if "b64" in first else "items.csv"
    return "items.jsonl" if isinstance(first, str) else "items.csv"


def _read(asked: Asked) -> str:
    return f"items = ilk.read({_items(asked)!r}, model.modality).items"


def written(redo: Any) -> str:
    """What is to be made anew as the command line has it.

    >>> written({"outside": {"box": [8, 8, 24, 24]}}), written(["age", "hours, per week"]), written({"span": [40]})
    ('outside:box:8,8,24,24', 'age,`hours, per week`', 'after:40')
    """
    if not isinstance(redo, Mapping):
        return ",".join("`" + n.replace("`", "``") + "`" if re.search(r"[`,:]|^\s|\s$|^-|^$", n) else n for n in map(str, redo))
    kind, said = next(iter(redo.items()), ("", ()))
    if kind == "outside":
        return f"outside:{written(said)}"
    if kind == "mask":
        return "mask:mask.png"
    name = {"box": "box", "span": "after" if len(said) == 1 else "between"}.get(kind, kind)
    return f"{name}:{','.join(map(str, said))}"


def _how(asked: Asked) -> tuple[_Code | None, list[str]]:
    """A way of drawing in Python, and as flags."""
    name, options = asked.get("how"), asked.get("options") or {}
    if not name:
        return None, []
    axis = "samplers" if name in registry.names("samplers") else "decoding"
    return _Code(_recipe(axis, registry.check(axis, name), options)), ["--how", name, *_options(options)]


def _recipe(axis: str, name: str, options: Asked) -> str:
    """A recipe by its class where it has one here, a preset by its name."""
    if name in registry.names(axis):
        return f"ilk.{registry.class_name(axis, name)}({_args(**options)})"
    return f"ilk.presets.named({name!r})"


def _options(options: Asked) -> list[str]:
    words: list[str] = []
    for name, value in options.items():
        flag = "--" + str(name).replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"{flag}=false")
        elif isinstance(value, Mapping):
            words += [w for k, v in value.items() for w in _flags({flag: f"{k}={v}"})]
        elif isinstance(value, Sequence) and not isinstance(value, str):
            words += [w for v in value for w in _flags({flag: v})]
        else:
            words += _flags({flag: value})
    return words


def _budget(asked: Asked) -> str:
    return f"ilk.Steps({asked['steps']!r})" if asked.get("steps") is not None else f"ilk.Seconds({asked['seconds']!r})"


def _spent(asked: Asked) -> list[str]:
    if asked.get("steps") is not None:
        return ["--steps", str(asked["steps"])]
    return [] if asked.get("seconds") is None else ["--budget", f"{asked['seconds']:g}s"]
