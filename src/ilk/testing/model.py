"""The same contracts through codecs, on raw items of a fitted model: what people see is what is checked."""
from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from math import exp, inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..errors import ModelError
from ..given import Given, tests_of
from ..model import Model, load
from ..rng import Rng
from ..rules import Value
from ..verbs.sample import sample
from ..verbs.score import Score, evidence, score
from ._same import alike, chi_square, listed, require, untouched

Asked = str | Mapping[str, Value] | Given


def check_total(model: Model, items: Any, volume: float | Tensor = 1.0, within: float = 1e-3, seeds: int = 8) -> Score:
    """Over all raw items (or the middles of cells of some volume) the density sums to 1; a bound, averaged over seeds, to no more."""
    with untouched("score"):
        found = score(model, items)
    require(found.nats.dtype == torch.double and found.nats.shape == (len(items),), f"score gave {found.nats.dtype} of shape {tuple(found.nats.shape)}")
    require(not bool(found.nats.isnan().any()), "score gave NaN")
    if found.sort == "bound":
        many = torch.stack([found.nats, *(score(model, items, seed).nats for seed in range(1, seeds))])
        mass = (many.mean(0) + _log(volume)).exp()
        total, slack = float(mass.sum()), within + 4 * float((mass * many.std(0)).square().sum() / seeds) ** 0.5
    else:
        total, slack = float((found.nats + _log(volume)).exp().sum()), within
    require(total < 1 + slack, f"{model!r}: the {found.sort} density sums to {total}")
    require(found.sort != "exact" or total > 1 - slack, f"{model!r}: the exact density sums to {total}")
    return found


def _log(volume: float | Tensor) -> Tensor:
    return torch.as_tensor(volume, dtype=torch.double).log()


def check_chain(model: Model, items: Any, asked: Asked, volume: float | Tensor = 1.0, within: float = 1e-3, summed: bool = True) -> None:
    """score(x) = log p(given) + score(x | given), -inf for what does not obey; log p(given) is the sum of p over what obeys.

    `summed` false leaves the sum out: where `items` are not all that obey (a number kept in a continuous column).
    """
    more = model.given(asked)
    tests = _tests(more, asked)
    joint, rest, mass = score(model, items), score(more, items), evidence(more)
    obeys = model.modality.obeys(items, tests)
    slack = within + 5 * more.met.met.log_mass_error
    require(bool(obeys.any()), f"no item obeys {asked!r}")
    require(bool((rest.nats[~obeys] == -inf).all()), f"{asked!r}: an item that does not obey has a score")
    gap = (joint.nats - rest.nats - mass)[obeys & joint.nats.isfinite()].abs().max()
    require(joint.sort == "bound" or float(gap) < slack, f"{asked!r}: score(x) is off log p(given) + score(x | given) by {float(gap)}")
    if joint.sort == "exact" and summed:
        total = float((joint.nats + _log(volume))[obeys].logsumexp(0))
        require(abs(total - mass) < slack, f"{asked!r}: log p(given) is {mass}, the sum over what obeys {total}")


def _tests(more: Model, asked: Asked) -> Any:
    return more.modality.checked(tests_of(more.modality.asked(asked)))


def check_law(model: Model, items: Any, asked: Asked | None = None, n: int = 20_000, seed: int = 0, outside: float = 1e-3) -> None:
    """Samples given what is asked obey, and follow p(x) / p(obeys): chi-square over all raw items (but a share `outside`)."""
    value = law(model, items, asked, n, seed, outside)
    require(value > 1e-4, f"{model!r} given {asked!r}: samples do not follow p(x)/p(kept) (chi-square p = {value:.2g})")


def law(model: Model, items: Any, asked: Asked | None = None, n: int = 20_000, seed: int = 0, outside: float = 1e-3) -> float:
    """The p-value of that chi-square."""
    more = model if asked is None else model.given(asked)
    obeys = torch.ones(len(items), dtype=torch.bool)
    made = more.sample(n, seed)
    if asked is not None:
        tests = _tests(more, asked)
        obeys = model.modality.obeys(items, tests)
        require(bool(model.modality.obeys(made, tests).all()), f"{asked!r}: a sample does not obey")
    return p_value(model, items, score(model, items).nats.where(obeys, -inf).softmax(0), made, outside)


def p_value(model: Model, items: Any, p: Tensor, made: Any, outside: float = 1e-3) -> float:
    """Chi-square of made items against probabilities of all items; at most a share `outside` of the made ones may be no such item."""
    place = {key: i for i, key in enumerate(model.modality.keys(items))}
    where = [place[k] for k in model.modality.keys(made) if k in place]
    require(len(where) >= (1 - outside) * len(made), f"{len(made) - len(where)} of {len(made)} samples are not among the items listed")
    seen = torch.bincount(torch.tensor(where, dtype=torch.long), minlength=len(place))
    return chi_square(seen, p / p.sum() * len(where), repr(model))


def check_noise(model: Model, seed: int = 0) -> None:
    """Items of 3, of 7 and of a block that starts at row 2 agree; the same seed gives the same; no global generator is touched."""
    posterior, lift, codec = model.met.posterior, model.lift, model.met.codec

    def drawn(n: int, first: int) -> list[Any]:
        rng = Rng(seed).at(first)
        return listed(codec.decode(lift.decode(posterior.sample(n, rng.child("code"))), rng.child("raw")))

    with untouched("sample"):
        many = drawn(7, 0)
        for n, first in ((3, 0), (5, 2), (1, 6)):
            require(alike(drawn(n, first), many[first:first + n]), f"{model!r}: items {first} to {first + n} depend on how many are drawn")
        few, more, again = (listed(model.sample(n, seed)) for n in (3, 60, 60))
    require(alike(few, more[:3]), f"{model!r}: sample(3) is not the beginning of sample(60)")
    require(repr(more) == repr(again), f"{model!r}: the same seed gave other items")
    require(len(model.sample(0)) == 0, f"{model!r}: sample(0) is not empty")


def check_saving(model: Model, items: Any, folder: Path) -> Model:
    """What is loaded samples and scores the same bytes, and is saved as the same bytes."""
    at = model.save(folder / "model")
    again = load(at)
    require(repr(listed(model.sample(20, 1))) == repr(listed(again.sample(20, 1))), f"{model!r}: a loaded model samples other items")
    require(torch.equal(score(model, items).nats, score(again, items).nats), f"{model!r}: a loaded model scores otherwise")
    require(sample(model, 5, 1).given == sample(again, 5, 1).given, f"{model!r}: a loaded model says something else of its givens")
    other = again.save(folder / "again")
    for path in sorted(at.iterdir()):
        require(path.read_bytes() == (other / path.name).read_bytes(), f"{model!r}: {path.name} changes when it is loaded and saved")
    return again


def check_flips(model: Model, folder: Path, flips: int = 60, names: Sequence[str] = ("ilk.json", "model.safetensors", "SHA256SUMS", "card.md")) -> None:
    """One flipped bit anywhere in a saved folder is refused with ModelError; so is a file that is cut short or gone."""
    whole, bad = model.save(folder / "whole"), folder / "bad"
    for i in range(flips):
        name = names[i % len(names)]
        shutil.copytree(whole, bad, dirs_exist_ok=True)
        data = bytearray((bad / name).read_bytes())
        bit = int(Rng(i).uniform(1)[0] * 8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
        (bad / name).write_bytes(data)
        _refuse(bad, f"bit {bit} of {name} flipped")
    for name in names:
        data = bytearray((whole / name).read_bytes())
        shutil.copytree(whole, bad, dirs_exist_ok=True)
        (bad / name).write_bytes(data[:len(data) // 2])
        _refuse(bad, f"{name} cut in half")
        (bad / name).unlink()
        _refuse(bad, f"{name} removed")


def _refuse(at: Path, what: str) -> None:
    try:
        load(at)
    except ModelError:
        return
    except Exception as why:
        raise AssertionError(f"{what}: wanted ModelError, got {type(why).__name__}: {str(why)[:200]}") from why
    raise AssertionError(f"{what}, and it loaded")


def check_rejection(model: Model, asked: Asked, n: int = 4000, most: int = 60_000) -> None:
    """What is met by rejection: all samples obey, and log p(given) is the share of free samples that obey."""
    more = model.given(asked)
    tests = _tests(more, asked)
    require(bool(model.modality.obeys(more.sample(n, 4), tests).all()), f"{asked!r}: a sample does not obey")
    share = float(model.modality.obeys(model.sample(most, 3), tests).double().mean())
    error = (share * (1 - share) / most) ** 0.5 + exp(evidence(more)) * more.met.met.log_mass_error
    require(abs(share - exp(evidence(more))) < 5 * error, f"{asked!r}: p(given) is {exp(evidence(more))}, {share} of free samples obey")
