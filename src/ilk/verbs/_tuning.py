"""The options of a finalist, tuned by Optuna, and the best of them repeated from other seeds."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ilk import recipe
from ilk.errors import UsageError
from ilk.rng import Rng
from ilk.verbs._crews import Watch
from ilk.verbs._entrants import Entrant
from ilk.verbs._heat import Result, Spec

PARTS = 20   # in how many parts of its time a fit is compared with others
Worth = Callable[[Result], float | None]


@dataclass
class Tuning:
    """The heats of one finalist. What comes next follows from the results so far, so an interrupted race goes on where it was.

    `first` is the heat with the recipe as it is; `trials` more have other options, then the best options run from other seeds until `seeds` have.
    """

    entrant: Entrant
    first: Result
    spec: Spec
    trials: int
    seeds: int
    worth: Worth
    _study: Any = None
    _open: dict[int, Any] = field(default_factory=dict)
    _asked: list[Mapping[str, Any]] = field(default_factory=list)
    _told: set[tuple[int, int]] = field(default_factory=set)

    def then(self, found: Sequence[Result]) -> Spec | None:
        """The next heat, or None when all are done."""
        space = recipe.tried(self.entrant.family)
        tried = self.trials if space else 0
        for i, result in enumerate(found[:tried]):
            self._close(i, result)
        if len(found) < tried:
            return self._spec(f"trial{len(found) + 1}", self._ask(len(found), space), self.spec.seed)
        again = len(found) - tried + 1
        return self._spec(f"seed{again}", self.best(found).recipe, self.spec.seed + again) if again < self.seeds else None

    def best(self, found: Sequence[Result]) -> Result:
        """The heat with the best options, by the validation items."""
        return max((r for r in (self.first, *found[:self.trials]) if self.worth(r) is not None), key=lambda r: self.worth(r) or 0.0)

    @property
    def watch(self) -> Watch:
        """Ends a trial that is behind the earlier ones at the same time."""
        return self._behind

    def _spec(self, what: str, said: Mapping[str, Any] | None, seed: int) -> Spec:
        return replace(self.spec, key=f"{self.entrant.name}-{what}", recipe=said, seed=seed)

    def _ask(self, i: int, space: Mapping[str, Sequence[Any]]) -> Mapping[str, Any]:
        if i not in self._open and i >= len(self._asked):
            trial = self.study.ask()
            family = self.entrant.family
            chosen = {name: values[trial.suggest_categorical(name, range(len(values)))] for name, values in space.items()}
            self._open[i] = trial
            self._asked.append(recipe.facts("families", replace(family, **chosen)))
        return self._asked[i]

    def _close(self, i: int, result: Result) -> None:
        """Tells the optimiser what a trial came to; of a trial of an earlier run, asks for it first."""
        if i < len(self._asked) and i not in self._open:
            return
        self._ask(i, recipe.tried(self.entrant.family))
        trial, worth = self._open.pop(i), self.worth(result)
        from optuna.trial import TrialState

        self._report(trial, result.curve)
        if worth is None:
            self.study.tell(trial, state=TrialState.PRUNED if result.status == "pruned" else TrialState.FAIL)
        else:
            self.study.tell(trial, -worth)

    def _behind(self, fraction: float, loss: float) -> bool:
        trial = next(iter(self._open.values()), None)
        if trial is None:
            return False
        self._report(trial, [(fraction, loss)])
        return bool(trial.should_prune())

    def _report(self, trial: Any, curve: Sequence[Sequence[float]]) -> None:
        """Tells the losses of a trial, each part of its time once."""
        for fraction, loss in curve:
            at = (trial.number, int(fraction * PARTS))
            if at not in self._told:
                self._told.add(at)
                trial.report(loss, at[1])

    @property
    def study(self) -> Any:
        """The optimiser, which knows the first heat."""
        if self._study is None:
            optuna = _optuna()
            seed = Rng(self.spec.seed).child("tune", self.entrant.name).key() % 2**32
            self._study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=int(seed), n_startup_trials=2),
                                              pruner=optuna.pruners.MedianPruner(n_startup_trials=2, n_warmup_steps=PARTS // 4))
            family, space = self.entrant.family, recipe.tried(self.entrant.family)
            self._study.enqueue_trial({name: list(values).index(getattr(family, name)) for name, values in space.items() if getattr(family, name) in values})
            trial = self._study.ask()
            for name, values in space.items():
                trial.suggest_categorical(name, range(len(values)))
            self._report(trial, self.first.curve)
            self._study.tell(trial, -(self.worth(self.first) or 0.0))
        return self._study


def _optuna() -> Any:
    try:
        import optuna
    except ImportError:
        raise UsageError("a race tunes the options of its finalists with optuna", code="EXTRA", remedy="pip install 'ilk[race]', or --trials 0") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna
