"""merge: two models of counts as the one that a fit over the items of both would be."""
from __future__ import annotations

from ilk.errors import UsageError
from ilk.model import Model, differs
from ilk.verbs._counts import counting, noted, recounted


def merge(one: Model, other: Model) -> Model:
    """The model of the items of both: their counts add up. UsageError naming what differs unless both code their items alike.

    >>> import ilk, polars as pl
    >>> a = ilk.fit(pl.DataFrame({"sky": ["sun", "rain"] * 20, "street": ["dry", "wet"] * 20}), ilk.ChowLiu())
    >>> b = ilk.fit(pl.DataFrame({"sky": ["rain", "sun"] * 30, "street": ["dry", "wet"] * 30}), like=a)
    >>> (a + b).card["items"] == a.card["items"] + b.card["items"]
    True
    """
    remedy = "fit one model over all items"
    body = counting(one, "be added", remedy)
    counting(other, "be added", remedy)
    if place := differs(one, other):
        raise UsageError(f"these models don't add up: they differ in {place}", code="DIFFERENT", remedy="fit the second like the first: ilk.fit(items, like=first)")
    homes = [str(m.card.get("data", "")) for m in (one, other)]
    return recounted(one, body.add(body.counted(), other.body.counted()), {  # type: ignore[attr-defined]
        "data": " + ".join(homes), "items": sum(int(m.card.get("items", 0)) for m in (one, other)), "data_sha256": "",
        "seconds": round(sum(float(m.card.get("seconds", 0)) for m in (one, other)), 2),
        "licence": " + ".join(dict.fromkeys(str(m.card.get("licence", "")) for m in (one, other))),
        "notes": noted(one, f"the sum of two models, of {one.card.get('items', '?')} and {other.card.get('items', '?')} items"), "forgot": []})
