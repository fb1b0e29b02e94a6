"""tune: a pretrained text model goes on learning, from texts, questions with answers, conversations or choices."""
from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any

import torch

from ilk import recipe, registry
from ilk.chat import Turn
from ilk.errors import DataError, UsageError
from ilk.families.pretrained import Pretrained
from ilk.families.transformer import Transformed
from ilk.families.tuned import Adapted, Tuned
from ilk.model import Model, load
from ilk.rng import Rng
from ilk.run import Budget, Noted, Run
from ilk.run import budget as _budget
from ilk.train.precision import fast_bfloat16
from ilk.tuning import Tuning
from ilk.verbs._learner import Learner, Rows, dpo, rows
from ilk.verbs._lesson import Example, Fitted, Lesson, fitted
from ilk.verbs._lesson_data import divided, examples
from ilk.verbs._text_net import Decoded, Own
from ilk.verbs.drift import probed
from ilk.verbs.fit import History
from ilk.verbs.open import spoken

PROBES, SHOWN, APART = 4, 2, 1e-2


@dataclass(frozen=True)
class Gain:
    """Nats a learned token on held-out examples (for choices: the loss of each) before and after, how much less it is, and the standard error of that, paired by example."""

    before: float
    after: float
    less: float
    se: float
    examples: int
    tokens: int

    def __str__(self) -> str:
        return (f"held out: {self.before:.4f} nats a token before, {self.after:.4f} after: {self.less:.4f} less, standard error {self.se:.4f} "
                f"({self.examples} examples, {self.tokens} tokens)")


def tune(model: Model | str, data: Any, tuning: Tuning | None = None, lesson: Lesson | None = None, *, seed: int = 0,
         budget: str | float | Budget | None = None, run: Run | None = None) -> Model:
    """The model (a Model, or the address of one of transformers) tuned on the data: a list, a frame or a file of texts, pairs, conversations or choices.

    Only what the assistant says is learned, and that it ends there; `run.listeners` are told what that is before the first step. Of the examples a tenth
    chooses the best weights, a tenth judges: the card says the nats a token before and after. A model that ilk fitted comes back with merged weights.

    >>> import ilk
    >>> base = ilk.fit(["the cat sat", "a dog ran"] * 20, ilk.Transformer(layers=1, heads=2, width=16), budget=ilk.Steps(2))
    >>> ilk.tune(base, [f"the {'cat' * (1 + i)}" for i in range(12)], ilk.LoRA(rank=2), budget=ilk.Steps(2))
    <ilk transformer of text>
    """
    run, lesson = run or Run(seed=seed, budget=_budget(budget)), recipe.checked(lesson or Lesson())
    tuning = recipe.checked(tuning or _default())
    start, base = time.monotonic(), _base(model, tuning)
    split = divided([e.after(getattr(base, "system", "")) for e in examples(data, lesson)], Rng(run.seed).child("divide"))
    if isinstance(base, Model):
        return _own(base, split, tuning, lesson, run)
    made = spoken(base, run.rng.child("build"), {})
    body: Adapted = made.body  # type: ignore[assignment]
    text = Decoded(body.bare, _is_low(run))

    def apply() -> Mapping[str, Any]:
        body.chat   # noqa: B018  tuned from here on
        return body.learned

    told = _taught(text, apply, split, lesson, replace(run, facts={**run.facts, "base": body.base, "tuning": recipe.facts("tunings", tuning)}))
    body.probe = probed(body.chat, [_asked(e, bool(text.tokenizer.chat_template)) for e in split["test"][:PROBES]])
    card = {"data": _name(data), "base": base.address, "licence": "", "items": len(split["train"]), "seed": run.seed, "seconds": round(time.monotonic() - start, 2)}
    return replace(made, card={**card, **told})


def _default() -> Tuning:
    from ilk.tunings.lora import LoRA

    return LoRA()


def _base(model: Model | str, tuning: Tuning) -> Model | Tuned:
    """A transformer that ilk fitted, or the recipe of what becomes of a model of transformers; UsageError for what can't be tuned."""
    if isinstance(model, str):
        folder = (Path(model).expanduser() / "config.json").is_file()
        if folder or (model.partition(":")[0] in registry.names("backends") and not Path(model).exists()):
            return Tuned(address=f"hf:{model}" if folder else model, tuning=tuning)
        model = load(model)
    family = model.body.family
    if not isinstance(model.body, Transformed) and not isinstance(family, Pretrained):
        tuned = isinstance(model.body, Adapted)
        raise UsageError(f"{model!r} can't be tuned" + (": it was tuned already" if tuned else ""), code="NOT_TUNABLE", param="model",
                         remedy="export it with merged weights (ilk export --to transformers) and tune that" if tuned else
                         "an address such as hf:smollm2-135m-instruct, or a transformer of texts")
    if model.givens:
        raise UsageError("a model with something given can't be tuned", code="GIVEN", param="model", remedy="tune it without")
    return Tuned(address=family.address, tuning=tuning, system=family.system, most=family.most) if isinstance(family, Pretrained) else model


def _is_low(run: Run) -> bool:
    """Whether the network computes in bfloat16: as the run says, or where the machine is fast at it."""
    return run.precision == "bfloat16" or (run.precision == "auto" and fast_bfloat16(run.device))


def _taught(text: Decoded | Own, apply: Callable[[], Mapping[str, Any]], split: Mapping[str, Sequence[Example]], lesson: Lesson, run: Run) -> dict[str, Any]:
    """Learns in place what `apply` makes learnable; what the card says of it. What there was before is the base itself."""
    cut = {name: fitted(part, text, lesson) for name, part in split.items()}
    for note in told(cut["train"], list(cut.values())):
        run.emit(Noted(note))
    sides = {name: rows(part.cuts) for name, part in cut.items()}
    base = Learner(text, {}, lesson.beta, lesson.epochs).eval()
    if len({len(row) for side in sides.values() for row in side.lines}) > 1:
        raise DataError("some examples are choices and some are not", code="MIXED", remedy="two runs: first the answers, then the choices")
    if len(sides["train"].lines[0]) == 2:
        sides = {name: base.compared(side) for name, side in sides.items()}
    before = _losses(base, sides["test"], lesson.beta)
    learner = Learner(text, apply(), lesson.beta, lesson.epochs).eval()
    if (pack := _room(text, lesson, cut)) is not None:
        sides["train"] = rows(cut["train"].cuts, pack)
    history = History()
    facts = {"seed": run.seed, "examples": _digest(sides["train"]), "lesson": recipe.options(lesson)}
    learner.fit(sides["train"], replace(run, precision="float32", facts={**run.facts, **facts}, listeners=(*run.listeners, history)), sides["valid"])
    gain = gained(before, _losses(learner, sides["test"], lesson.beta), sides["test"].tokens() if sides["test"].reference is None else None)
    lost = {name: sum(getattr(c, name) for c in cut.values()) for name in ("shortened", "dropped")}
    return {"tune": {**asdict(gain), **lost}, "steps": history.steps, **history.facts()}


def told(train: Fitted, parts: Sequence[Fitted]) -> list[str]:
    """What people are told before the first step: what is learned of the first examples, and how many are not whole."""
    shown = [f"learned is what stands between ⟦ and ⟧: {c.marked()}" for example in train.cuts[:SHOWN] for c in example if c.shown]
    shortened, dropped = (sum(getattr(p, name) for p in parts) for name in ("shortened", "dropped"))
    return [*shown, *([f"{shortened} examples were cut to the length, {dropped} left out"] if shortened or dropped else [])]


def _room(text: Any, lesson: Lesson, cut: Mapping[str, Fitted]) -> int | None:
    """The length of packed rows; UsageError where texts in one row would see each other."""
    if not lesson.pack:
        return None
    most = max(len(c.tokens) for example in cut["train"].cuts for c in example)
    two = [c for example in cut["train"].cuts[:2] for c in example]
    if any(len(e) > 1 for e in cut["train"].cuts):
        raise UsageError("choices are not packed", code="PACKING", param="pack", remedy="leave packing out")
    together, alone = Rows([(tuple(two),)]).take(torch.arange(1)), rows([(c,) for c in two]).take(torch.arange(len(two)))
    with torch.no_grad():
        one, each = (float(text.nats(*(b.parts[n].tensor[:, 0] for n in ("tokens", "learned", "item"))).sum()) for b in (together, alone))
    if abs(one - each) > APART * max(1.0, abs(each)):
        raise UsageError(f"this network lets texts of one row see each other ({one:.3f} nats for {each:.3f})", code="PACKING", param="pack", remedy="leave packing out")
    return max(most, min(lesson.length or text.window or 2 * most, 8 * most))


def _losses(learner: Learner, side: Rows, beta: float) -> torch.Tensor:
    """The loss of every row: nats of its learned tokens, or that of its choice, float64."""
    nats = learner.nats(side)
    return nats[:, 0] if side.reference is None else dpo(nats, side.reference.double(), beta)


def gained(before: torch.Tensor, after: torch.Tensor, tokens: torch.Tensor | None = None) -> Gain:
    """Losses of the same rows before and after; the mean is over tokens (a ratio estimate), or over rows.

    >>> gained(torch.tensor([2.0, 4.0]), torch.tensor([1.0, 2.0]), torch.tensor([1, 2])).less
    1.0
    """
    many = torch.ones(len(before)).double() if tokens is None else tokens.double()
    less = float((before - after).sum() / many.sum())
    spread = (before - after - less * many).double().square().sum() * len(many) / max(1, len(many) - 1)
    return Gain(float(before.sum() / many.sum()), float(after.sum() / many.sum()), less, sqrt(float(spread)) / float(many.sum()), len(many), int(many.sum()))


def _asked(example: Example, talks: bool) -> tuple[str | tuple[Turn, ...], str]:
    """A question of the probe with its answer: turns for a model that has a template, else the text before it."""
    if example.bare:
        text = example.turns[0].text
        return text[:len(text) // 2], text[len(text) // 2:]
    before = example.turns[:-1]
    return before if talks else "".join(f"{t.text}\n" for t in before), example.turns[-1].text


def _digest(side: Rows) -> str:
    return hashlib.sha256(repr([[[c.tokens for c in line] for line in row] for row in side.lines]).encode()).hexdigest()


def _name(data: Any) -> str:
    return str(data) if isinstance(data, str | Path) else ""


def _own(base: Model, split: Mapping[str, Sequence[Example]], tuning: Tuning, lesson: Lesson, run: Run) -> Model:
    """A transformer that ilk fitted, tuned and merged: it stays what it was, with other weights."""
    made = base.body.family.build(base.lift.space, Rng(0), base.body.about)
    made.restore(base.body.state())
    plain = made.family.build(base.lift.space, Rng(0), base.body.about)
    if type(tuning).merge is Tuning.merge:
        raise UsageError(f"what {type(tuning).__name__} learns can't be merged into a model that ilk fitted", code="MERGE", param="tuning",
                         remedy="lora, rslora, dora or full")
    told = _taught(Own(replace(base, body=made)), lambda: tuning.apply(made, run.rng.child("build")), split, lesson,
                   replace(run, facts={**run.facts, "tuning": recipe.facts("tunings", tuning)}))
    plain.load_state_dict(dict(tuning.merge(made) or {}))
    plain.eval()
    return replace(base, body=plain, card={**base.card, "tuned": recipe.facts("tunings", tuning), **told})
