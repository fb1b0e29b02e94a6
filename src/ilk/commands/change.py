"""Commands: attributes, style, background, rows."""
from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from ilk.commands._shared import ITEMS, OPTIONS, Given, Item, Json, Label, Out, Prompt, Seed, say


def attribute(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a family with codes: vae, autoencoder, flow, diffusion, flow_matching, latent.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    to: Annotated[str | None, Parameter(help="What items shall be: a label of the model or of the examples, or a rule.")] = None,
    examples: Annotated[str | None, Parameter(help="Items, with labels or not, that a direction is learned from and that say how well it went.")] = None,
    keep: Annotated[tuple[str, ...], Parameter(negative="", help="A rule that shall hold of items as before. Several compose.")] = (),
    strength: Annotated[float, Parameter(help="How far along a learned direction: 1 is as far as the classes are apart.")] = 1.0,
    item: Item = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Change one attribute of items and leave the rest; say how often it went, and what else it changed.

    Examples: `ilk attribute digits.ilk digits.npz --item 3 --to 7 --out seven.png`, `ilk attribute faces.ilk face.png --to smiling --examples faces/ --out smile.png`.
    """
    from ilk.console.change import attribute_command

    say(*attribute_command(model, items, to, examples, keep, strength, item, seed, out))


def transfer(
    items: Annotated[str, Parameter(help="Pictures: a file, a folder, or a name of `ilk list data`.")], /, *,
    like: Annotated[str | None, Parameter(help="Pictures whose style is taken: their mean.")] = None,
    strength: Annotated[float, Parameter(help="From 0, as they are, to 1, nothing but the style.")] = 0.8,
    examples: Annotated[str | None, Parameter(help="More pictures to learn features from.")] = None,
    item: Item = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Set pictures into the style of others, what they show kept. No model is needed.

    Example: `ilk transfer house.jpg --like waves.jpg --out painted.png`.
    """
    from ilk.console.change import transfer_command

    say(*transfer_command(items, like, strength, examples, item, seed, out))


def background(
    model: Annotated[str, Parameter(help="The folder of a fitted model of pictures.")],
    items: Annotated[str, Parameter(help=ITEMS)], /, *,
    item: Item = (),
    n: Annotated[int, Parameter(name=["--n", "-n"], help="How many of each picture.")] = 1,
    given: Given = (),
    label: Label = None, prompt: Prompt = None,
    how: Annotated[str | None, Parameter(help="A way to draw (ilk list samplers); its options are flags too.")] = None,
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Make the background of pictures anew; what stands out from it by colour is kept to the bit.

    Example: `ilk background scenes.ilk cat.png -n 4 --out sheet.png`.
    """
    from ilk.console._shared import Asked
    from ilk.console.change import background_command

    say(*background_command(model, items, item, n, Asked(given, label, prompt), how, OPTIONS, seed, out))


def counterfactual(
    model: Annotated[str, Parameter(help="The folder of a fitted model of a table.")],
    rows: Annotated[str, Parameter(help="Rows of the same columns: a file, or a name of `ilk list data`.")], /, *,
    want: Annotated[str | None, Parameter(help="The rule that shall hold.")] = None,
    keep: Annotated[tuple[str, ...], Parameter(negative="", help="A column that can't be changed. Several compose.")] = (),
    sure: Annotated[float, Parameter(help="The least chance that the model gives the rule, by the other columns of a row.")] = 0.5,
    plausible: Annotated[float, Parameter(help="Answers are no less likely than this quantile of the model's own rows.")] = 0.05,
    item: Item = (),
    given: Given = (),
    seed: Seed = 0, out: Out = None, json: Json = False,
) -> None:
    """Find, for rows, the nearest likely rows of which something else holds.

    Example: `ilk counterfactual people.ilk refused.csv --want "loan == 'yes'" --keep age --keep sex --out what_if.csv`.
    """
    from ilk.console.change import counterfactual_command

    say(*counterfactual_command(model, rows, want, keep, item, sure, plausible, given, seed, out))
