"""A model of codes, and what turns them into items: latent diffusion, VQ-VAE with a prior, deep belief nets, any nesting."""
from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import log
from typing import Annotated, Any

import torch
from annotated_types import Interval
from torch import Tensor
from torch.nn.functional import pad

from ilk.batch import Batch, Memory, Source, ragged, stack
from ilk.distribution import AnyFamily, Distribution, Draws, Encodes, Family, HasBound, HasLogProb, How, Infers, Met, Posterior, Samples, Unfinished, Unfolds
from ilk.errors import UsageError
from ilk.families._stages import Stages, View
from ilk.families.gmm import GMM
from ilk.families.vae import VAE
from ilk.given import About, Evidence
from ilk.lift import Lift, carried
from ilk.rng import Rng
from ilk.run import Run
from ilk.space import Discrete, Many, Space
from ilk.store import State

CHUNK = 512


class Coded(Distribution["Latent"]):
    """Items are what `code` decodes; `prior` says which codes are common."""

    code: Any
    prior: Any

    def __init__(self, family: Latent, space: Space, parts: tuple[Distribution[Any], Lift, Distribution[Any]], about: Mapping[str, Space]) -> None:
        super().__init__(family, space, Rng(0), about)
        self.code, self.lift, self.prior = parts
        self.stages = Stages({"code": self.code, "prior": self.prior}, {"code": family.share, "prior": 1 - family.share})

    def fit(self, data: Source, run: Run, valid: Source | None = None) -> None:
        """First the code, then the prior on the codes of the same items."""

        def learn(name: str, stage: Run) -> None:
            if name == "code":
                self.code.fit(View(data, _alone, stage.rng), stage, None if valid is None else View(valid, _alone, stage.rng))
            else:
                rng = stage.rng.child("codes")
                self.prior.fit(self._coded(data, rng.child("train")), stage, None if valid is None else self._coded(valid, rng.child("valid")))

        self.stages.fit(run, learn)

    def _coded(self, items: Source, rng: Rng) -> Source:
        """The codes of all items: once for all where the items are at hand, else anew whenever they are read."""
        whole = items.resident()
        return View(items, self._codes, rng) if whole is None else Memory(self._codes(whole, rng))

    def _codes(self, items: Batch, rng: Rng) -> Batch:
        """A code of each item as the prior sees it; context and weight go along."""
        parts = [self._some(items.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(items), CHUNK)]
        return replace(stack(parts) if parts else self._some(items, rng), context=items.context, weight=items.weight)

    def _some(self, items: Batch, rng: Rng) -> Batch:
        alone = _alone(items, rng)
        codes = self.code.infer(alone, rng.child("code"))[0] if isinstance(self.code, Infers) else self.code.encode(alone)
        return self.lift.encode(codes, rng.child("lift"))

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """A code from the prior, in the way asked, then an item from it."""
        return self.emitted(self.prior.sample(n, rng.child("prior"), how), rng)

    def draw(self, n: int, rng: Rng, context: Mapping[str, Batch], how: How | None = None) -> Batch:
        """Items given their context."""
        return self.emitted(self.prior.draw(n, rng.child("prior"), context, how), rng)

    @property
    def through(self) -> Distribution[Any]:
        """The law of codes."""
        prior: Distribution[Any] = self.prior
        return prior

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """What the codes stand for while the prior makes them; at once where it makes them so."""
        return self.unfolded(self.prior, (n, rng), how, since)

    def unfolded(self, prior: Any, rows: tuple[int, Rng], how: How | None, since: Unfinished | None) -> Iterator[Unfinished]:
        """The same with something known of the codes."""
        n, rng = rows
        if not isinstance(prior, Unfolds):
            states: Iterator[Unfinished] = iter([Unfinished(prior.sample(n, rng.child("prior"), how), 1, 1)])
        else:
            states = prior.unfold(n, rng.child("prior"), how, None if since is None else since.inside)
        for state in states:
            made = self.emitted(_whole(self.lift.space, state.items), rng)
            yield Unfinished(replace(made, context=state.items.context), state.step, state.of, inside=state)

    def emitted(self, codes: Batch, rng: Rng) -> Batch:
        """Items from codes of the prior."""
        back = self.lift.decode(codes)
        made: Batch = self.code.emit(back, rng.child("emit")) if isinstance(self.code, Infers) else self.code.decode(back)
        return made

    def given(self, evidence: Evidence, rng: Rng) -> Told | None:
        """What the prior can be told of its context; items themselves can't be kept in part."""
        found = self.prior.given(evidence, rng) if isinstance(evidence, About) and self.about else None
        return None if found is None else Told(self, found)

    def encode(self, batch: Batch) -> Batch:
        """The code of each item."""
        codes: Batch = self.code.encode(_alone(batch, Rng(0)))
        return codes

    def decode(self, codes: Batch) -> Batch:
        """The item of each code."""
        items: Batch = self.code.decode(codes)
        return items

    def code_space(self) -> Space:
        """That of the codes."""
        space: Space = self.code.code_space()
        return space

    def state(self) -> State:
        """That of the code and of the prior."""
        return self.stages.state()

    def restore(self, state: State) -> None:
        """Takes them back."""
        self.stages.restore(state)


class CodedBound(Coded):
    """With p(x | z) and a density of codes: log p(x) >= E[log p(x | z) + log p(z) - log q(z | x)]."""

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """The bound in nats, (B,) float64: importance-weighted (Burda et al. 2016) over `draws` codes where the prior's density is exact, else their mean."""
        if len(batch) > CHUNK:
            return torch.cat([self.log_prob_bound(batch.cut(i, i + CHUNK), rng.at(i)) for i in range(0, len(batch), CHUNK)])
        found = torch.stack([self._bound(batch, rng.child("draw", k), self.prior) for k in range(self.family.draws)])
        exact = isinstance(self.prior, HasLogProb) and self.lift.keeps == "bijection"
        return found.logsumexp(0) - log(self.family.draws) if exact else found.mean(0)

    def _bound(self, batch: Batch, rng: Rng, prior: Any) -> Tensor:
        alone = _alone(batch, rng)
        codes, log_q = self.code.infer(alone, rng.child("code"))
        inner = replace(self.lift.encode(codes, rng.child("lift")), context=batch.context)
        mass = prior.log_prob(inner) if isinstance(prior, HasLogProb) else prior.log_prob_bound(inner, rng.child("prior"))
        nats: Tensor = self.code.log_likelihood(alone, codes) + mass + self.lift.log_volume(inner) - log_q
        return nats.double()


class Told:
    """Codes given a context, made items."""

    def __init__(self, whole: Coded, prior: Posterior) -> None:
        self.whole, self.prior = whole, prior

    @property
    def met(self) -> Met:
        """As the prior meets it."""
        return self.prior.met

    def sample(self, n: int, rng: Rng, how: How | None = None) -> Batch:
        """Items of such codes."""
        return self.whole.emitted(self.prior.sample(n, rng.child("prior"), how), rng)

    def unfold(self, n: int, rng: Rng, how: How | None = None, since: Unfinished | None = None) -> Iterator[Unfinished]:
        """The same while the codes are made."""
        return self.whole.unfolded(self.prior, (n, rng), how, since)

    def log_prob_bound(self, batch: Batch, rng: Rng) -> Tensor:
        """Bound on log p(x | context), where the whole has one."""
        if not isinstance(self.whole, CodedBound):
            raise UsageError("this code has no likelihood, so its items have no score", code="CAPABILITY", remedy="a code such as vae or vqvae")
        return self.whole._bound(batch, rng, self.prior)


def _whole(space: Space, codes: Batch) -> Batch:
    """Codes that are there in part, if they are sequences of one length, with the first value in the places that are to come."""
    if not isinstance(space, Many) or not space.fixed or not isinstance(space.of, Discrete) or space.of.shape:
        return codes
    return ragged(pad(codes.padded(0), (0, max(0, space.at_most - codes.padded(0).shape[1]))), torch.full((len(codes),), space.at_most))


def _alone(batch: Batch, rng: Rng) -> Batch:
    """Items without their context: the code knows nothing of it."""
    return replace(batch, context={})


@dataclass(frozen=True, kw_only=True)
class Latent(Family):
    """A family of codes (`prior`) over what another (`code`: an autoencoder of any sort) makes of the items.

    The code learns first, with `share` of the budget, then the prior on its codes. A context is learned by the prior.
    With a code that has a likelihood and a prior with a density there is a bound, by `draws` codes an item.

    >>> from ilk.space import Reals
    >>> model = Latent(code=VAE(codes=2), prior=GMM(components=3)).build(Reals((5,)), Rng(0))
    >>> model.sample(4, Rng(1)).tensor.shape, model.log_prob_bound(Batch(torch.zeros(2, 5)), Rng(2)).shape
    (torch.Size([4, 5]), torch.Size([2]))
    """

    distribution = Coded
    code: AnyFamily = VAE()
    prior: AnyFamily = GMM()
    share: Annotated[float, Interval(gt=0, lt=1)] = 0.5
    draws: Annotated[int, Interval(ge=1, le=10_000)] = 8

    def refuses(self, space: Space) -> str | None:
        """What the code refuses, and codes that the prior refuses."""
        if why := self.code.refuses(space):
            return f"needs a code for it, and {type(self.code).__name__} {why}"
        code = self.code.build(space, Rng(0))
        if not isinstance(code, Encodes):
            return f"needs a code with codes: {type(self.code).__name__} has none"
        codes = code.code_space()
        return None if carried(codes, self.prior) else f"needs a prior of {codes}, which {type(self.prior).__name__} {self.prior.refuses(codes)}"

    def refuses_context(self, about: Mapping[str, Space]) -> str | None:
        """What the prior refuses."""
        return self.prior.refuses_context(about)

    def build(self, space: Space, rng: Rng, about: Mapping[str, Space] | None = None) -> Coded:
        """With a bound where the code has a likelihood and the prior a density."""
        if why := self.refuses(space):
            raise UsageError(f"Latent {why}; got {space}", code="SPACE")
        if about and (why := self.refuses_context(about)):
            raise UsageError(f"Latent {why}", code="CONTEXT")
        code = self.code.build(space, rng.child("code"))
        lift = carried(code.code_space(), self.prior)  # type: ignore[attr-defined]
        if lift is None:
            raise UsageError(f"Latent has no prior for the codes of {type(self.code).__name__}", code="SPACE")
        prior = self.prior.build(lift.space, rng.child("prior"), about)
        if not isinstance(prior, Samples) or (about and not isinstance(prior, Draws)):
            raise UsageError(f"{type(self.prior).__name__} can't be sampled, so it is no prior", code="CAPABILITY")
        scored = isinstance(code, Infers) and isinstance(prior, HasLogProb | HasBound)
        return (CodedBound if scored else Coded)(self, space, (code, lift, prior), about or {})
