"""Pictures beside pictures: two folders (or zips) whose files have the same names, of any two sizes and types."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from ilk.errors import DataError
from ilk.modalities._image_decode import Items
from ilk.modalities._image_files import Found, Picture, look
from ilk.modalities._image_load import Wanted, load
from ilk.modality import Limits


def pictures_beside(at: Path, pictures: Sequence[Picture], limits: Limits) -> Items:
    """The picture of each one's name in another place, in their own size; DataError where there is none, or more than one."""
    found: dict[str, Picture] = {}
    for other in look(at, limits).pictures:
        if (stem := _stem(other)) in found:
            raise DataError(f"{at} has two pictures of the name {stem}", code="BESIDE", remedy="leave one of them")
        found[stem] = other
    alone = [p.name for p in pictures if _stem(p) not in found]
    if alone:
        raise DataError(f"{at} has no picture for {len(alone)} of {len(pictures)}: {', '.join(alone[:3])}{', ...' if len(alone) > 3 else ''}", code="BESIDE",
                        remedy="files of the same names but for the suffix, in the same folders")
    return load(at, Found([found[_stem(p)] for p in pictures]), Wanted((), 0, 0, "crop", 0.0), limits).items


def _stem(picture: Picture) -> str:
    """The name within the folder, without the suffix."""
    return PurePosixPath(picture.name).with_suffix("").as_posix()
