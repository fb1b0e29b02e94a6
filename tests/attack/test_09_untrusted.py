"""Case 9: files that run code when a pickle reader opens them. ilk has no such reader: refused, the canary never sings."""
from __future__ import annotations

import hashlib
import io
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

CANARY = "pwned"


def evil() -> bytes:
    """A pickle that makes the canary file when it is read (written by hand: nothing here imports pickle)."""
    return b"cbuiltins\nopen\n(S'" + CANARY.encode() + b"'\nS'w'\ntR."


def zipped(**files: bytes) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        for name, data in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return whole.getvalue()


def npy() -> bytes:
    head = b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }"
    head += b" " * (118 - len(head) - 1) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + evil()


FILES = {"m.pt": zipped(archive__data_pkl=evil(), archive__version=b"3\n"), "m.pth": evil(), "m.pkl": evil(), "m.joblib": evil(), "m.ckpt": evil(), "m.bin": evil(),
         "m.npy": npy(), "m.npz": zipped(x_npy=npy()), "m.safetensors": evil(), "m.zip": zipped(m__ilk_json=b"{}", m__model_safetensors=evil())}


@pytest.fixture(autouse=True)
def silent(tmp_path: Path) -> Any:
    yield
    assert not list(tmp_path.rglob(CANARY)), "it was run"


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("verb", [("show",), ("sample",), ("score", "a.csv"), ("evaluate",)])
def test_as_a_model(ilk: Any, model: Path, name: str, verb: tuple[str, ...]) -> None:
    Path(name).write_bytes(FILES[name])
    said = ilk.refuses(4, "UNTRUSTED_FORMAT", verb[0], name, *verb[1:])
    assert "never pickles" in said.err and "convert it where it was made" in said.err


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("modality", ["", "table", "text", "array"])
def test_as_data(ilk: Any, name: str, modality: str) -> None:
    Path(name).write_bytes(FILES[name])
    ran = ilk("fit", name, *(["--modality", modality] if modality else []), "--steps", "1")
    if modality in ("text", "table") and ran.code == 0:
        return  # a pickle of plain letters is text, and read as nothing else
    assert ran.code in (2, 3, 4), ran
    ran.refused(ran.code, r"\w+")
    assert (ran.code == 4) == ("UNTRUSTED_FORMAT" in ran.err)
    assert "UNTRUSTED_FORMAT" in ran.err or name not in ("m.npy", "m.npz") or modality not in ("", "array")
    assert not Path("m.ilk").exists()


def _sums(folder: Path) -> None:
    (folder / "SHA256SUMS").write_text("".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()}  {p.name}\n" for p in sorted(folder.iterdir()) if p.name != "SHA256SUMS"))


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", ["model.safetensors", "ilk.json", "SHA256SUMS"])
def test_inside_a_model(ilk: Any, model: Path, name: str, place: str) -> None:
    (model / place).write_bytes(FILES[name])
    if place != "SHA256SUMS":
        _sums(model)
    ilk.refuses(4, "MODEL_DAMAGED|MANIFEST_SCHEMA", "show", model)


def test_more_files_in_a_model_are_never_opened(ilk: Any, model: Path) -> None:
    for name in ("__init__.py", "modeling.py", "conftest.py", "sitecustomize.py"):
        (model / name).write_text(f"open({CANARY!r}, 'w')")
    (model / "pytorch_model.bin").write_bytes(evil())
    ilk.ok("sample", model)


def test_a_folder_of_a_pickle(ilk: Any, model: Path) -> None:
    Path("hf").mkdir()
    Path("hf/pytorch_model.bin").write_bytes(evil())
    Path("hf/config.json").write_text('{"auto_map": {"AutoModel": "evil.Model"}}')
    ilk.refuses(4, "MODEL_DAMAGED", "show", "hf")


def test_a_checkpoint_that_is_a_pickle(ilk: Any, model: Path) -> None:
    shutil.copytree(model, "m.ilk.ckpt")
    for name in ("state.safetensors", "state.json"):
        Path("m.ilk.ckpt", name).write_bytes(evil())
    _sums(Path("m.ilk.ckpt"))
    ilk.refuses(4, "MODEL_DAMAGED", "fit", "a.csv", "--family", "gmm", "--components", "1", "-o", "m.ilk", "--resume")
