"""Flags of recipes, and of recipes inside recipes."""
from __future__ import annotations

import shlex
from typing import Any

import pytest

import ilk
from ilk.errors import UsageError
from ilk.flags import options


def asked(flags: str) -> tuple[list[str], dict[str, Any]]:
    return options(shlex.split("fit x.npy --family latent " + flags))


def test_options_of_a_recipe_inside_a_recipe() -> None:
    rest, found = asked("--prior.components 3 --code.codes=4 --code.net mlp --code.net.width 32 --share 0.3")
    assert rest == ["fit", "x.npy", "--family", "latent"]
    assert found["families"] == {"prior": ilk.GMM(components=3), "code": ilk.VAE(codes=4, net=ilk.MLP(width=32)), "share": 0.3}


def test_the_order_of_flags_does_not_matter() -> None:
    one, other = (asked(flags)[1] for flags in ("--prior vae --prior.codes 3", "--prior.codes 3 --prior vae"))
    assert one == other and one["families"]["prior"] == ilk.VAE(codes=3)


@pytest.mark.parametrize(("flags", "said"), [
    ("--prior.componnts 3", "components"), ("--code.net.width 3", "--net NAME"), ("--prior.components x", "whole number"),
    ("--share.x 3", "--share"), ("--prior.components", "value")])
def test_what_is_wrong_is_said(flags: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        asked(flags)
