"""Exporting to diffusers: what is written says how to call it, is read back, and is refused where it would be wrong."""
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import ilk
from ilk import registry
from ilk.cli import main
from ilk.errors import ModelError, ResourceError, UsageError
from ilk.exporters.diffusers import Diffusers
from ilk.modalities.array import Array
from ilk.model import Model
from ilk.rng import Rng
from ilk.verbs.export import export

torch.set_num_threads(1)
NET = ilk.UNet2D(width=8, head=16, groups=4)


def pictures(side: int, labels: Any = None) -> Any:
    return Array().dataset(Rng(1).normal(12, 1, side, side).numpy(), labels)


def model(side: int = 8, labels: Any = None, predict: Any = "v") -> Model:
    """A diffusion model that learned for a moment, with numbers also where a new network has zeros."""
    fitted = ilk.fit(pictures(side, labels), ilk.Diffusion(net=NET, predict=predict), budget=ilk.Steps(1))
    with Rng(2).as_global():
        for p in fitted.body.net.parameters():
            torch.nn.init.normal_(p, std=0.2)
    return fitted


class Theirs:
    """A UNet2DModel as far as the page calls it, made of our own network."""

    def __init__(self, net: Any, sizes: list[int]) -> None:
        self.net, self.sizes = net, sizes

    def __call__(self, x: Any, timestep: Any, class_labels: Any = None) -> Any:
        assert list(x.shape[2:]) == self.sizes
        about = None if class_labels is None else torch.nn.functional.one_hot(class_labels, self.net.port.about).float()
        self.sample = self.net(x, timestep, about)
        return self


def page(at: Path, unet: Any) -> dict[str, Any]:
    """The names that the last block of code of the page makes."""
    names = {"unet": unet, "rest": load_file(at / "rest.safetensors")}
    exec(re.findall(r"```python\n(.*?)```", (at / "README.md").read_text(), re.DOTALL)[-1], names)
    return names


def agrees(found: Model, at: Path, unet: Any) -> None:
    """Calling the network as the page says gives what the model itself expects."""
    x, sigma = Rng(3).normal(3, *found.body.shape).float(), torch.tensor([0.1, 1.0, 20.0])
    classes = torch.tensor([1, 0, 1]) if found.labels else None
    context = {name: ilk.batch.Batch(classes) for name in found.body.about}
    said = page(at, unet)["denoise"](x, sigma, *([] if classes is None else [classes]))
    torch.testing.assert_close(said, found.body.denoise(x, sigma, context), atol=1e-4, rtol=1e-4)
    if classes is not None:
        free = page(at, unet)["denoise"](x, sigma, torch.full((3,), 2))
        torch.testing.assert_close(free, found.body.denoise(x, sigma, {}), atol=1e-4, rtol=1e-4)


CASES = [(8, None, "v"), (14, None, "eps"), (7, [0, 1] * 6, "x0"), (16, ["a", "b"] * 6, "v")]


@pytest.mark.parametrize(("side", "labels", "predict"), CASES)
def test_the_page_says_how_to_call_it(tmp_path: Path, side: int, labels: Any, predict: str) -> None:
    found = model(side, None if labels is None else np.array(labels), predict)
    said = export(found, "diffusers", tmp_path / "out")
    names = {"README.md", "SHA256SUMS", "ilk.json", "rest.safetensors", "unet/config.json", "unet/diffusion_pytorch_model.safetensors"}
    assert (said.model, said.to) == ("diffusion", "diffusers") and {p.relative_to(tmp_path / "out").as_posix() for p in said.files} == names
    config = json.loads((tmp_path / "out/unet/config.json").read_text())
    assert config["num_class_embeds"] == (None if labels is None else 3)
    agrees(found, tmp_path / "out", Theirs(found.body.net, config["sample_size"]))


@pytest.mark.parametrize(("side", "labels", "predict"), CASES)
def test_diffusers_loads_it(tmp_path: Path, side: int, labels: Any, predict: str) -> None:
    diffusers = pytest.importorskip("diffusers")
    found = model(side, None if labels is None else np.array(labels), predict)
    export(found, "diffusers", tmp_path / "out")
    agrees(found, tmp_path / "out", diffusers.UNet2DModel.from_pretrained(tmp_path / "out", subfolder="unet"))


def test_it_is_read_back_with_the_weights_of_the_folder(tmp_path: Path) -> None:
    found, at = model(), tmp_path / "out"
    export(found, "diffusers", at)
    assert np.array_equal(Diffusers().read(at).sample(3, seed=4), found.sample(3, seed=4))
    weights = at / "unet/diffusion_pytorch_model.safetensors"
    save_file({k: v + 1 if k == "conv_out.bias" else v for k, v in load_file(weights).items()}, weights)
    assert torch.equal(Diffusers().read(at).body.net.conv_out.bias, found.body.net.conv_out.bias + 1)
    save_file({k: v for k, v in load_file(weights).items() if k != "conv_out.bias"}, weights)
    with pytest.raises(ModelError, match="do not fit"):
        Diffusers().read(at)
    weights.unlink()
    with pytest.raises(ModelError, match="can't be read"):
        Diffusers().read(at)


def test_what_can_not_be_written_is_refused_by_name(tmp_path: Path) -> None:
    gmm = ilk.fit(np.arange(12.0).reshape(6, 2), ilk.GMM(components=1))
    with pytest.raises(UsageError, match="network is a UNet2D.*ilk gmm of array.*no exporter here"):
        export(gmm, "diffusers", tmp_path / "out")
    labelled = model(8, np.array([0, 1] * 6))
    with pytest.raises(UsageError, match="what is given"):
        export(labelled.given(ilk.Label(1)), "diffusers", tmp_path / "out")
    flat = ilk.fit(np.arange(12.0).reshape(6, 2), ilk.Diffusion(), budget=ilk.Steps(1))
    with pytest.raises(UsageError, match="UNet2D"):
        export(flat, "diffusers", tmp_path / "out")
    with pytest.raises(UsageError, match="no exporter named 'difusers'; did you mean diffusers"):
        export(gmm, "difusers", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_contexts_that_are_no_label_are_refused() -> None:
    found = model()
    for about, said in (({"size": ilk.Reals(())}, "size"), ({"a": ilk.Discrete(2), "b": ilk.Discrete(3)}, "a .*b "), ({"a": ilk.Maybe(ilk.Discrete(2))}, "missing")):
        body = found.body.family.build(found.body.space, Rng(0), about)
        why = Diffusers().refuses(Model(found.modality, found.codec, found.lift, body))
        assert why is not None and re.search(said, why)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    found = model()
    (tmp_path / "out").mkdir()
    export(found, "diffusers", tmp_path / "out")
    with pytest.raises(UsageError, match="there already"):
        export(found, "diffusers", tmp_path / "out")
    with pytest.raises(UsageError, match="no folder"):
        export(found, "diffusers", tmp_path / "not" / "there")
    (tmp_path / "file").touch()
    with pytest.raises(ResourceError):
        Diffusers().write(found, tmp_path / "file" / "below")
    with pytest.raises(ResourceError):
        Diffusers().write(found, tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "out"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    model().save("m.ilk")
    assert main(["export", "m.ilk", "--to", "diffusers", "--out", "out", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert set(said) == {"model", "to", "files"} and (said["model"], said["to"]) == ("m.ilk", "diffusers")
    assert all(Path(p).is_file() for p in said["files"]) and "out/unet/config.json" in [Path(p).as_posix() for p in said["files"]]
    assert main(["export", "m.ilk", "--to", "diffusers", "--out", "out"]) == 2
    assert main(["list", "exporters", "--json"]) == 0
    assert [e["name"] for e in json.loads(capsys.readouterr().out)["exporters"]] == list(registry.names("exporters"))
