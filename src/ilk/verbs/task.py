"""A task done by a model and checked by code: what fails is told to the model, which may try again; what never passes is not passed off."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb, exp
from typing import Any

from .. import registry
from ..backend import DEFAULT, chat_at
from ..chat import Answer, Chat, Turn, Want, Weighs
from ..checked import Checked, Chooses, Finding, Floored, Task
from ..errors import IlkError, ModelError, UsageError

ONE, MANY = Want(temperature=0.2, most=1024), Want(temperature=0.8, most=1024)   # one answer at its surest; many that differ


@dataclass(frozen=True)
class Attempt:
    """One answer as it was given, and what was wrong with it. `chances` are of the labels, where the model weighed them."""

    answer: str
    findings: tuple[Finding, ...]
    tokens: int = 0
    chances: dict[str, float] | None = None


@dataclass(frozen=True)
class Done:
    """A task done, or not: `value` is None unless the answer passed every check. `findings` are of the last attempt."""

    value: Any
    passed: bool
    attempts: tuple[Attempt, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was wrong with the last answer."""
        return self.attempts[-1].findings

    @property
    def tokens(self) -> int:
        """Tokens read and made, all attempts together."""
        return sum(a.tokens for a in self.attempts)


@dataclass(frozen=True)
class Passing:
    """Independent answers, each checked once: how many there are and how many passed."""

    done: tuple[Done, ...]

    @property
    def n(self) -> int:
        """How many answers."""
        return len(self.done)

    @property
    def right(self) -> int:
        """How many of them passed."""
        return sum(d.passed for d in self.done)

    def at(self, k: int) -> float:
        """pass@k: the chance that of k answers one passes at least."""
        return pass_at(self.n, self.right, k)


def pass_at(n: int, right: int, k: int) -> float:
    """The chance that k of n answers, drawn without putting back, hold one of those that are right: 1 - C(n - right, k) / C(n, k) (Chen et al. 2021, eq. 1).

    It is the unbiased estimate of pass@k from n answers. UsageError unless 1 <= k <= n and 0 <= right <= n.

    >>> pass_at(4, 2, 1)
    0.5
    """
    if not (1 <= k <= n and 0 <= right <= n):
        raise UsageError(f"pass@{k} of {right} right among {n} answers means nothing", code="PASS_AT", param="k", remedy="1 <= k <= n and 0 <= right <= n")
    return 1 - comb(n - right, k) / comb(n, k)


def task(what: str | Task[Any, Any], given: Any, model: str | Chat | None = DEFAULT, *, tries: int = 3, want: Want = ONE) -> Done:
    """Asks a model for something, checks the answer by code, and asks again with what was wrong, `tries` times at most.

    `model` None takes what needs no model, where the task has such (summary, quiz). UsageError for an unknown task, or input that does not fit it.

    >>> from ilk.tasks.classification import Classification
    >>> task(Classification(labels=("spam", "mail")), "Win a prize!", "echo:spam").value
    'spam'
    """
    job = named(what)
    if tries < 1:
        raise UsageError(f"{tries} tries", code="TRIES", param="tries", remedy="1 or more")
    if model is None:
        return _without(job, given)
    chat = chat_at(model) if isinstance(model, str) else model
    if isinstance(job, Chooses) and isinstance(chat, Weighs):
        return _weighed(job, given, chat)
    asked, made = job.turns(given), list[Attempt]()
    while True:
        turns = (*asked, *_again(made[-1])) if made else asked
        checked, attempt = _tried(job, given, chat, turns, replace(want, seed=want.seed + max(0, len(made) - 1), shape=job.shape(given)))
        made.append(attempt)
        if not attempt.findings or len(made) == tries:
            return Done(None if attempt.findings else checked.value, not attempt.findings, tuple(made))


def passing(what: str | Task[Any, Any], given: Any, model: str | Chat = DEFAULT, n: int = 10, want: Want = MANY) -> Passing:
    """n answers that know nothing of each other, each checked: for pass@k.

    >>> passing("translation", "42", "echo:42", n=2).right   # not a word of English
    0
    """
    if n < 1:
        raise UsageError(f"{n} answers", code="N", param="n", remedy="1 or more")
    return Passing(tuple(task(what, given, model, tries=1, want=replace(want, seed=want.seed + i)) for i in range(n)))


def named(what: str | Task[Any, Any]) -> Task[Any, Any]:
    """The task itself, or that of a name with its default options."""
    if isinstance(what, Task):
        return what
    from ..recipe import made

    found: Task[Any, Any] = made(registry.get("tasks", what), {})
    return found


def _tried(job: Task[Any, Any], given: Any, chat: Chat, turns: Sequence[Turn], want: Want) -> tuple[Checked[Any], Attempt]:
    try:
        answer = Answer.of(chat.chat(turns, want))
    except IlkError as why:   # an answer that broke off within its shape, or of a model that is not held to it token by token
        if why.code != "SHAPE_CUT" and not (isinstance(why, ModelError) and why.code == "SHAPE"):
            raise
        return Checked(None), Attempt("", (Finding(why.code, why.message),))
    checked = job.check(given, answer.text)
    cut = (Finding("CUT", f"the answer broke off after {answer.end.made} tokens"),) if answer.end.why == "length" else ()
    return checked, Attempt(answer.text, (*cut, *checked.findings), answer.end.read + answer.end.made)


def _again(last: Attempt) -> tuple[Turn, Turn]:
    wrong = "\n".join(f"- {f.told}" for f in last.findings[:10])
    return Turn.of("assistant", last.answer), Turn.of("user", f"That answer was checked, and this is wrong with it:\n{wrong}\nAnswer again, in full.")


def _without(job: Task[Any, Any], given: Any) -> Done:
    if not isinstance(job, Floored):
        raise UsageError(f"{registry.name_of('tasks', job)} is not done without a model", code="NO_FLOOR", param="model", remedy=f"name one, such as {DEFAULT}")
    answer = job.floor(given)
    checked = job.check(given, answer)
    return Done(checked.value if checked.passed else None, checked.passed, (Attempt(answer, checked.findings),))


def _weighed(job: Task[Any, Any], given: Any, chat: Weighs) -> Done:
    """The likeliest of the choices, by the nats of its tokens, the end among them, after what is asked; chances are among the choices."""
    turns = job.turns(given)
    found = {choice: chat.weigh(choice, turns, ended=True) for choice in job.choices(given)}   # type: ignore[attr-defined]
    nats = {choice: sum(t.nats for t in tokens) for choice, tokens in found.items()}
    best = max(nats, key=lambda c: nats[c])
    total = sum(exp(n - nats[best]) for n in nats.values())
    checked = job.check(given, best)
    attempt = Attempt(best, checked.findings, sum(map(len, found.values())), {c: exp(n - nats[best]) / total for c, n in nats.items()})
    return Done(checked.value if checked.passed else None, checked.passed, (attempt,))
