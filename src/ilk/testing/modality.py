"""What every kind of data must do."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import torch

from .. import recipe as recipes
from ..dataset import Dataset
from ..errors import DataError, UsageError
from ..modality import Limits, Modality, Shown
from ..rules import Test
from ._same import refused, require, untouched
from .codec import check_codec


def check_modality(modality: Modality[Any], raw: Any, to: Path, rules: Sequence[Sequence[Test]] = ()) -> Dataset[Any]:
    """All that holds for every modality. `raw` is something it reads, `to` a file to write, `rules` comparisons to try.

    Returns the data, so that a test can go on with them.
    """
    name = type(modality).__name__
    require(is_dataclass(modality), f"{name} is not a dataclass")
    require(type(modality).claims(raw), f"{name} does not claim what it is to read")
    require(not type(modality).claims(object()), f"{name} claims any object")
    with untouched(f"{name}.read"):
        data = modality.read(raw, Limits())
    require(len(data) >= 8 and type(data.modality) is type(modality), f"{name}.read gave {len(data)} items of {type(data.modality).__name__}; 8 at least are needed")
    require(recipes.checked(data.modality) == data.modality, f"{name}: the recipe that read() fills in is not valid")
    with refused(DataError, f"{name}.read of a file that is not there"):
        modality.read(to.with_name(f"missing{to.suffix}"), Limits())
    _check_collection(data)
    _check_file(modality, data, to)
    _check_tests(data, rules)
    for kind in data.modality.codecs():
        check_codec(kind, data.modality, data.items, data.items, rules)
    return data


def _check_collection(data: Dataset[Any]) -> None:
    """take, join, keys, lengths, show and measure agree on what the items are."""
    m, items, n, name = data.modality, data.items, len(data), type(data.modality).__name__
    keys = list(m.keys(items))
    require(len(keys) == n and all(hash(k) is not None for k in keys), f"{name}.keys: one hashable per item")
    halves = [m.take(items, torch.arange(a, b)) for a, b in ((0, n // 2), (n // 2, n))]
    require([len(h) for h in halves] == [n // 2, n - n // 2], f"{name}.take gave too many or too few")
    require(list(m.keys(m.join(halves))) == keys, f"{name}: join of take is not what was taken")
    turned = torch.arange(n).flip(0)
    require(list(m.keys(m.take(items, turned))) == keys[::-1], f"{name}.take does not follow the index")
    require(list(m.keys(m.take(items, torch.tensor([3, 3, 0])))) == [keys[3], keys[3], keys[0]], f"{name}.take can't take an item twice")
    require(len(m.take(items, torch.zeros(0, dtype=torch.long))) == 0, f"{name}.take of nothing is not empty")
    shown = m.show(m.take(items, torch.arange(3)))
    require(isinstance(shown, Shown) and "/" in shown.mime and isinstance(shown.data, bytes) and bool(shown.data), f"{name}.show gave {shown!r}")
    require(bool(m.measure.strip()), f"{name}.measure says nothing")
    for unit, count in m.lengths(items).items():
        require(count.shape == (n,) and bool((count >= 0).all()), f"{name}.lengths({unit!r}) is not one number an item")


def _check_file(modality: Modality[Any], data: Dataset[Any], to: Path) -> None:
    """What is written is read back as the same items, by the recipe that knows them and by a new one."""
    name = type(modality).__name__
    data.modality.write(data.items, to)
    require(to.is_file() and type(modality).claims(to), f"{name} does not claim the {to.suffix} that it wrote")
    want = list(data.modality.keys(data.items))
    for how in (data.modality, modality):
        again = how.read(to, Limits())
        require(list(again.modality.keys(again.items)) == want, f"{name}: other items were read from {to.suffix} than were written")


def _check_tests(data: Dataset[Any], rules: Sequence[Sequence[Test]]) -> None:
    """obeys says the same of an item wherever it stands; unknown parts are refused."""
    m, name = data.modality, type(data.modality).__name__
    require(m.obeys(data.items, ()).tolist() == [True] * len(data), f"{name}.obeys: nothing asked is obeyed by all")
    for tests in rules:
        checked = m.checked(tests)
        found = m.obeys(data.items, checked)
        require(found.dtype == torch.bool and found.shape == (len(data),), f"{name}.obeys gave {found.dtype} of shape {tuple(found.shape)}")
        turned = torch.arange(len(data)).flip(0)
        require(torch.equal(m.obeys(m.take(data.items, turned), checked), found.flip(0)), f"{name}.obeys depends on where an item stands")
        each = torch.stack([m.obeys(data.items, [t]) for t in checked]).all(0)
        require(torch.equal(each, found), f"{name}.obeys: several comparisons are not their conjunction")
    with refused(UsageError, f"{name}.checked of an unknown part"):
        m.checked([Test("no such part", "==", 1)])
