"""Thirteen photographs of a Debian package, cut into the kind of folder that people have: many sizes and forms, one file that is broken."""
from __future__ import annotations

import tempfile
from io import BytesIO
from pathlib import Path

import PIL.Image as pil
import PIL.ImageDraw as draw

from ilk.catalogue.fetching import cache
from ilk.catalogue.index import File, Source
from ilk.catalogue.sources import Unavailable, gather
from ilk.catalogue.unpack import digest
from ilk.errors import DataError

SOURCE = Source("apt", "lomiri-wallpapers-16.04", "20.04.0-2", "usr/share/backgrounds/{name}")
LICENCE = "CC-BY-4.0, CC-BY-SA-4.0 and CC0-1.0, by photograph"
ACROSS, DOWN, TURNED, ORIENTATION = 12, 9, 6, 0x0112  # parts of a photograph along its longer and shorter side; EXIF: lies on its left side
PHOTOGRAPHS = {  # by what is on them
    "bridge": ("Bridge_by_Sander_Klootwijk.jpg", "bd86b081f9975e2b83527f71e49b9271a8ab40885428395969d9f7d834d7f050"),
    "dragonfly": ("Dragonfly_by_Bolly.jpg", "af5af17841009732def24b09bb1e669a1b09d2b4bdeee7812c371101c30d2bb3"),
    "fig": ("Picture_0B_by_freespace.jpg", "c8c0ab18e48d9e0419fe42881112137f3afafc27dfddc29ec3a6d54c56d225ad"),
    "brushes": ("Picture_1A_by_freespace.jpg", "89e86af38d04daaef975665dc2127e9fa76f0fd68f4eea105a2d0ae3390b010b"),
    "wine": ("Wine_by_Jakkub_Mede.jpg", "d2e96e6d4da40dd804b3d0ce295e94de04a2d7d9b6785d42cd9d92ba58bced74"),
    "autumn": ("aitzgorri_by_Aitzol_Berasategi.jpg", "66268e7b48f8854d36a28765fac6e23ec1aee251daa6da1f64715f201020ad36"),
    "lamp": ("free_by_Peter_Nerlich.jpg", "85a5453c2fed514c75973016f3d862aca62eb7ca087618822469274ac1092373"),
    "dogs": ("friends_by_Aitzol_Berasategi.jpg", "cc40e313c74e421edffe3403def413c16878ce14661cce7ec5915baeab35538d"),
    "clock": ("greentock_by_Peter_Nerlich.jpg", "e7b20e2db9dcd6e2b278ca55873c2110b35d89cd38b04d0b18728726888e6889"),
    "brook": ("life_by_Aitzol_Berasategi.jpg", "4c119350ead80201fe256850c3d316309ddfb4bdf10b235ce982dcde0c667c05"),
    "mountain": ("picosdeeuropa_by_Aitzol_Berasategi.jpg", "414d0072b2f6f2c555deafeaef6e45c4fed6fa9ad26eba6560ca8803959cf97a"),
    "dandelion": ("seeding_by_Clements_Engelhardt.jpg", "a5634d1ab5e41a3568e92d4a894a500c92b891f9ff734e50bd224d6e185a605f"),
    "sunset": ("sunset_by_Aitzol_Berasategi.jpg", "474dab6a4b9f94dc76c29dfe30e9f5db4af0fd2e33fe5d695f8152b371efca18"),
}


def originals() -> dict[str, bytes]:
    """The photographs as files, from the cache or else from the package; DataError where they can't be had."""
    files = [File(f"photographs/{name}", sha256) for name, sha256 in PHOTOGRAPHS.values()]
    if not all((cache() / f.path).is_file() for f in files):
        try:
            with tempfile.TemporaryDirectory(prefix="ilk-") as passing:
                found = gather(SOURCE, files, Path(passing))
        except Unavailable as why:
            raise DataError(f"the photographs are not on this machine ({SOURCE}: {why})", code="DATA_MISSING") from None
        (cache() / "photographs").mkdir(parents=True, exist_ok=True)
        for path, data in found.items():
            (cache() / path).write_bytes(data)
    kept = {name: (cache() / f.path).read_bytes() for name, f in zip(PHOTOGRAPHS, files, strict=True)}
    for (name, data), f in zip(kept.items(), files, strict=True):
        if digest(f.name, data) != f.sha256:
            raise DataError(f"{f.path} is not the photograph {name} that is known here", code="DATA_CHANGED", remedy=f"remove {cache() / f.path}")
    return kept


def folder(at: Path) -> int:
    """Writes a folder of every photograph, cut into 108 parts that don't overlap; how many files there are in all that end like pictures."""
    many = 0
    for name, data in originals().items():
        (at / name).mkdir(parents=True)
        whole = pil.open(BytesIO(data)).convert("RGB")
        columns, rows = (ACROSS, DOWN) if whole.width > whole.height else (DOWN, ACROSS)
        for i in range(columns * rows):
            left, top = i % columns * whole.width // columns, i // columns * whole.height // rows
            part = whole.crop((left, top, left + whole.width // columns, top + whole.height // rows))
            _saved(part, at / name / f"IMG_{i:04}", many)
            many += 1
    (at / "bridge" / "IMG_9999.jpg").write_bytes(b"\xff\xd8\xff\xe0 a photograph that was not copied whole")
    (at / "bridge" / "notes.txt").write_text("taken from the ferry\n", encoding="utf-8")
    (at / ".DS_Store").write_bytes(b"\0")
    return many + 1


def _saved(part: pil.Image, at: Path, number: int) -> None:
    """A part in the form that its number says: nine of ten are plain JPEG files."""
    if number == 7:
        part.convert("CMYK").save(at.with_suffix(".jpg"), quality=92)
    elif number % 40 == 1:
        _cut_out(part).save(at.with_suffix(".png"))
    elif number % 40 == 2:
        exif = pil.Exif()
        exif[ORIENTATION] = TURNED
        part.transpose(pil.Transpose.ROTATE_90).save(at.with_suffix(".jpg"), quality=92, exif=exif)
    elif number % 40 == 3:
        part.convert("L").save(at.with_suffix(".jpeg"), quality=92)
    elif number % 40 == 4:
        part.save(at.with_suffix(".webp"), quality=92)
    else:
        part.save(at.with_suffix(".JPG"), quality=92, progressive=number % 3 == 0)


def _cut_out(part: pil.Image) -> pil.Image:
    """What is around its middle, on nothing."""
    clear = pil.new("L", part.size)
    draw.Draw(clear).ellipse((0, 0, *part.size), fill=255)
    part.putalpha(clear)
    return part
