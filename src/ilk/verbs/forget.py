"""forget: a model as if it had never learned from some items, by taking their counts away."""
from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from ilk.dataset import Dataset, split_dataset
from ilk.errors import DataError, UsageError
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs._counts import counting, noted, recounted
from ilk.verbs.condition import flat
from ilk.verbs.fit import fingerprint
from ilk.verbs.read import native, read

PIECE, RANGE = 1 << 15, re.compile(r"(\d{1,12})(?:-(\d{1,12}))?")


def forget(model: Model, rows: Any, data: Any = None) -> Model:
    """The model that a fit without these items, in the same coding, would be.

    `rows` are the items themselves; or, with the `data` of the fit, their numbers there, from 0: a sequence, or "3,17,100-200".
    UsageError for a family that does not keep counts, DataError for items that the model can't have learned from.

    >>> import ilk, polars as pl
    >>> model = ilk.fit(pl.DataFrame({"sky": ["sun", "rain"] * 20, "street": ["dry", "wet"] * 20}), ilk.ChowLiu())
    >>> model.forget(pl.DataFrame({"sky": ["sun"], "street": ["dry"]})).card["notes"]
    'forgot 1 item'
    """
    body = counting(model, "forget", "fit it again without them")
    items, places = (native(model.modality, rows), []) if data is None else _numbered(model, rows, data)
    many, learned = len(items), int(model.card.get("items", 0))
    if not many:
        raise UsageError("there is nothing to forget", code="ROWS", param="rows")
    if many >= learned:
        raise DataError(f"{many} items; the model learned from {learned}", code="TOO_FEW", remedy="nothing would be left: remove the model")
    gone = None
    for start in range(0, many, PIECE):
        some = model.modality.take(items, torch.arange(start, min(start + PIECE, many)))
        part = body.statistics(flat(model, some, Rng(0).child("forget")))
        gone = part if gone is None else body.add(gone, part)
    before = list(model.card.get("forgot", []))
    return recounted(model, body.less(body.counted(), gone), {
        "items": learned - many, "notes": noted(model, f"forgot {many} item{'s' * (many > 1)}"), "forgot": before + places})


def is_numbers(rows: str) -> bool:
    """Whether a text says numbers of items rather than where items are."""
    return not os.path.exists(rows) and all(RANGE.fullmatch(part.strip()) for part in rows.split(","))


def _numbered(model: Model, rows: Any, data: Any) -> tuple[Any, list[list[int]]]:
    """The items of these numbers, and their places as ranges: each was learned from, and not forgotten yet."""
    found = split_dataset(data if isinstance(data, Dataset) else read(data, model.modality if os.path.exists(str(data)) else None))
    if fingerprint(found, model.body.family)["data"] != model.card.get("data_sha256"):
        raise DataError("these are not the data that the model was fitted on, or they have changed", code="DATA_CHANGED", remedy="give the items themselves: --rows FILE")
    wanted = sorted(set(_numbers(rows)))
    train = set(found.index("train").tolist())
    before = {i for first, last in model.card.get("forgot", []) for i in range(first, last + 1)}
    for why, odd in ((f"outside the data, which have {len(found)}", [i for i in wanted if not 0 <= i < len(found)]),
                     ("forgotten already", [i for i in wanted if i in before]),
                     ("held out: the model never learned from them", [i for i in wanted if i not in train])):
        if odd:
            raise DataError(f"{len(odd)} of the items are {why}: {', '.join(map(str, odd[:5]))}{', ...' * (len(odd) > 5)}", code="NOT_LEARNED", remedy="leave them out")
    return found.modality.take(found.items, torch.tensor(wanted, dtype=torch.long)), list(_ranges(wanted))


def _numbers(rows: Any) -> Iterator[int]:
    if not isinstance(rows, str):
        if not isinstance(rows, Sequence) or not all(isinstance(i, int) for i in rows):
            raise UsageError("with the data of the fit, rows are numbers", code="ROWS", param="rows", remedy='such as [3, 17] or "3,17,100-200"')
        yield from rows
        return
    for part in rows.split(","):
        got = RANGE.fullmatch(part.strip())
        if got is None or int(got[1]) > int(got[2] or got[1]) or int(got[2] or 0) - int(got[1]) > 10**8:
            raise UsageError(f"{part.strip()[:60]!r} is no number of an item, nor a range of them", code="ROWS", param="rows", remedy="such as 3,17,100-200")
        yield from range(int(got[1]), int(got[2] or got[1]) + 1)


def _ranges(places: Sequence[int]) -> Iterator[list[int]]:
    """Whole numbers in order as pairs of first and last."""
    first = last = None
    for i in places:
        if last is not None and i == last + 1:
            last = i
            continue
        if first is not None and last is not None:
            yield [first, last]
        first = last = i
    if first is not None and last is not None:
        yield [first, last]
