"""Behind the commands: files packed and unpacked."""
from __future__ import annotations

from pathlib import Path

from ilk.console._shared import Answer
from ilk.errors import UsageError
from ilk.files import atomic
from ilk.model import load
from ilk.progress import Progressing
from ilk.verbs.pack import Packed, pack, unpack

SUFFIX = ".ilkpack"


def pack_command(at: str, file: str, out: Path | None) -> Answer:
    """Packs a file and says what its bytes are for."""
    model, to = load(at), out or Path(file + SUFFIX)
    with Progressing() as bar:
        packed = pack(model, file, (bar,))
    packed.save(to)
    answer = {"out": str(to), "bytes": len(packed.data), "file_bytes": packed.raw, "xz_bytes": packed.xz, "model_bytes": packed.model, "items": packed.items,
              "strange": packed.strange, "nats": packed.nats, "sort": packed.sort, "claimed_bytes": packed.claimed, "excess": packed.excess,
              "payload": packed.payload, "aside": packed.aside, "difference": packed.difference, "header": packed.header,
              "identical": packed.exact, "bits_per": {"item": 8 * packed.payload / max(1, packed.items - packed.strange), **packed.per}}
    return answer, _told(packed, to)


def _told(packed: Packed, to: Path) -> str:
    """The sizes, one a line."""
    whole = len(packed.data)
    claim = "a density, which no bytes can be held against" if packed.excess != packed.excess else (
        f"{packed.claimed:.0f} claimed by {packed.nats:.1f} nats ({packed.sort}), {100 * packed.excess:+.2f} %")
    item = 8 * packed.payload / max(1, packed.items - packed.strange)
    per = ", ".join([f"{item:.3f} bits an item", *(f"{bits:.3f} a {unit}" for unit, bits in packed.per.items())])
    back = "the identical file comes back" if packed.exact else "equal items come back, written anew: the file's own writing would take more than its content"
    rows = [(whole, f"in {to}: {100 * whole / max(1, packed.raw):.1f} % of {packed.raw} bytes"),
            (packed.payload, f"said by the model: {claim}; {per}"), (packed.aside, f"aside: {packed.strange} items that the model can't say, and columns it has no law for"),
            (packed.difference, "how the file was written"), (packed.header, "header"), (packed.xz, "by xz -9 of the same file"),
            (packed.model, "the model's own, which both sides need")]
    return "\n".join([f"{packed.items} items; {back}", *(f"{size:>12} bytes {said}" for size, said in rows)])


def unpack_command(at: str, packed: str, out: Path | None) -> Answer:
    """Unpacks a pack into a file."""
    model = load(at)
    if out is None and not packed.endswith(SUFFIX):
        raise UsageError(f"{packed} does not end in {SUFFIX}, so there is no name to write to", code="OPTION", param="out", remedy="--out FILE")
    to = out or Path(packed.removesuffix(SUFFIX))
    with Progressing() as bar:
        found = unpack(model, Path(packed), (bar,))
    if found.file is None:
        model.modality.write(found.items, to)
    else:
        with atomic(to) as file:
            file.write(found.file)
    said = "the identical file" if found.exact else "equal items, written anew"
    return {"out": str(to), "items": len(found.items), "identical": found.exact}, f"{len(found.items)} items in {to}: {said}"
