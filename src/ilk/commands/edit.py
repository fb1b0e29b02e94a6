"""Commands: items made partly anew, and codes."""
from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import ITEMS, OPTIONS, Given, Item, Json, Label, Out, Prompt, Seed, say


def edit(
    model: Annotated[str, Parameter(help="The folder of a fitted model.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    redo: Annotated[str | None, Parameter(help="What is made anew: box:TOP,LEFT,BOTTOM,RIGHT of a picture, or mask:FILE, white there; outside:REGION for all but that, "
                                               "after:PLACE or between:PLACE,PLACE of a text, or columns: age,income (odd names in `backticks`).")] = None,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each item.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list decoding); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make part of items anew; the rest of them is kept to the bit.

    Counts begin at 0: `box:8,0,16,28` is rows 8 to 15 and columns 0 to 27, `after:40` keeps 40 characters, `between:10,20` all but the
    ten from 10 on, in whose stead as many come as it takes.

    Examples: `ilk edit people.ilk people.csv --redo age,income --out other.csv`, `ilk edit faces.ilk face.png --redo box:8,8,24,24 -n 9 --out sheet.png`,
    `ilk edit faces.ilk face.png --redo outside:box:8,8,24,24`, `ilk edit poems.ilk poem.txt --redo after:40 --how top_p --p .9`.
    """
    from ilk.console._shared import Asked
    from ilk.console.edit import edit_command

    say(*edit_command(model, items, redo, item, n, Asked(given, label, prompt), how, OPTIONS, seed, out))


def vary(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, flow, diffusion, flow_matching, latent.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    strength: Annotated[float, Parameter(help="From 0, the item itself as the model decodes it, to 1, any other item.")] = 0.5,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each item.")] = 1,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make variations of items.

    Example: `ilk vary faces.ilk face.png --strength .3 -n 9 --out sheet.png`.
    """
    from ilk.console.edit import vary_command

    say(*vary_command(model, items, item, strength, n, seed, out))


def interpolate(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, flow, diffusion, flow_matching, latent.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many items, the two ends among them.")] = 8,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make the way from one item to another: both ends and what lies between.

    Example: `ilk interpolate digits.ilk digits.npz --item 3 --item 7 --out way.png`.
    """
    from ilk.console.edit import interpolate_command

    say(*interpolate_command(model, items, item, n, seed, out))


def translate(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family that translates: cyclegan.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    to: Annotated[str | None, Parameter(help="The label of the domain to translate into; all items are taken to be of the other one.")] = None,
    item: Item = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items of one domain into items of another.

    Example: `ilk translate horses.ilk horse.jpg --to zebra --out zebra.png`.
    """
    from ilk.console.edit import translate_command

    say(*translate_command(model, items, to, item, seed, out))


def upscale(
    model: Annotated[str, Parameter(help="The folder of a fitted model that enlarges: a cascade.")],
    items: Annotated[str, Parameter(help="Small pictures: a file, a folder, or a name of `ilk list data`.")], /, *,
    draws: Annotated[int, Parameter(help="The mean of so many draws: one is sharp, several are nearer to what was there, and softer.")] = 1,
    item: Item = (),
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make large pictures of small ones.

    Example: `ilk upscale faces.ilk thumbnail.png --draws 8 --out face.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.edit import upscale_command

    say(*upscale_command(model, items, item, draws, Asked(given, label, prompt), how, OPTIONS, seed, out))


def beside(
    model: Annotated[str, Parameter(help="The folder of a model that was fitted with other items beside its items (`ilk fit photos --beside sketches`).")],
    items: Annotated[str, Parameter(help="Such other items: pictures of the same size, or an array.")], /, *,
    name: Annotated[str, Parameter(help="What they were called in the fit.")] = "beside",
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many for each.")] = 1,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items that go with other items, as those of the fit did: pictures of sketches, of edges, of maps.

    Example: `ilk beside photos.ilk sketch.png -n 4 --out sheet.png`.
    """
    from ilk.console.edit import beside_command

    say(*beside_command(model, items, name, item, n, how, OPTIONS, seed, out))


def revise(
    model: Annotated[str, Parameter(help="The folder of a fitted model with noise levels (diffusion, flow_matching, score), or with codes.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    strength: Annotated[float, Parameter(help="From 0, the items as they are, to 1, nothing of them.")] = 0.5,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each item.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items partly anew: noise is put on them and taken away again, given what is given.

    Example: `ilk revise digits.ilk three.png --strength .5 --label 8 -n 9 --out sheet.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.edit import revise_command

    say(*revise_command(model, items, item, strength, n, Asked(given, label, prompt), how, OPTIONS, seed, out))


def denoise(
    model: Annotated[str, Parameter(help="The folder of a fitted model with noise levels (diffusion, flow_matching, score), or with few codes.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    sigma: Annotated[float | None, Parameter(help="The standard deviation of the noise, in the items' own units (levels of a pixel). By default it is estimated.")] = None,
    item: Item = (),
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Take Gaussian noise from items: the expected item, given what is given.

    Example: `ilk denoise faces.ilk grainy.png --sigma 25 --out clean.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.edit import denoise_command

    say(*denoise_command(model, items, item, sigma, Asked(given, label, prompt), seed, out))


def invert(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, vqvae, flow, diffusion, flow_matching, score.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    item: Item = (),
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"], help="A .npy file for the codes. By default they are printed.")] = None,
    json: Json = False,
) -> None:
    """Find the codes, or the noise, that a model makes items of; says how far what they decode to is off.

    Example: `ilk invert faces.ilk face.png --out face.npy`, then `ilk decode faces.ilk face.npy --out again.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.edit import invert_command

    say(*invert_command(model, items, item, Asked(given, label, prompt), seed, out))


def decode(
    model: Annotated[str, Parameter(help="The folder of the model that the codes are of.")],
    codes: Annotated[str, Parameter(help="A .npy file of codes, as `ilk invert` writes it.")], /, *,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make items of codes.

    Example: `ilk decode faces.ilk face.npy --out again.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.edit import decode_command

    say(*decode_command(model, codes, Asked(given, label, prompt), seed, out))
