"""Codes that say nothing, or a few items made again and again, as far as a record tells."""
from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from ilk.fault import Fault, Found, Record
from ilk.faults._curve import events, last, notes

NIL, FEW = 0.1, 0.05  # nats an item that all codes say; share of codes or entries of a book in use
KL, ACTIVE = ("kl", "kl_loss", "KL", "nats_of_codes"), ("active", "active_units", "active_share")
REMEDY = "for a vae free_bits=0.1, warm_up=0.3 or a smaller beta; for a gan more steps, pack=4 or penalty='gradient'; then ilk diagnose MODEL --data DATA"


class Collapse(Fault):
    """A divergence of codes from their prior of next to 0, few codes in use, or a fit that said so itself."""

    looks_at: ClassVar[type] = Record

    def find(self, thing: Record) -> Iterator[Found]:
        """What tells it."""
        for text in notes(thing):
            book = re.search(r"perplexity ([\d.]+) of (\d+)", text)
            if text.startswith(("mode collapse", "posterior collapse")) or (book and float(book[1]) < FEW * int(book[2])):
                yield self.found("what the fit said", text, REMEDY)
        found = events(thing)
        if (kl := last(found, *KL)) and kl[1] < NIL:
            yield self.found(kl[0], f"the codes say {kl[1]:.2g} nats an item at the end: the decoder does without them", REMEDY)
        if (active := last(found, *ACTIVE)) and active[1] < FEW:
            yield self.found(active[0], f"{active[1]:.1%} of the codes are in use at the end", REMEDY)
