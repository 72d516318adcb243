"""Which photo belongs to which mask, told by their names alone.

Two layouts: folders (``images/`` and ``masks/``, at any depth, the same name in both), or one
folder with ``name.jpg`` beside ``name.png`` or ``name_mask.png``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from bisenet.archives import LeftOut
from bisenet.images import EXTENSIONS

PHOTO_FOLDERS = frozenset(("images", "image", "imgs", "img", "photos", "jpegimages"))
MASK_FOLDERS = frozenset(("masks", "mask", "labels", "label", "annotations", "truth", "gt"))
# Only what keeps ids exactly: JPEG and WebP would blur them.
MASK_EXTENSIONS = ("png", "bmp", "tif", "tiff")
_MASK_ENDING = re.compile(r"[_\-. ](masks?|labels?|seg|gt|parsing)$", re.IGNORECASE)

Role = Literal["photo", "mask", "either"]


@dataclass(frozen=True)
class Pair:
    """A photo and its mask, by their names; ``key`` is what the names share."""

    key: str
    photo: str
    mask: str


@dataclass(frozen=True)
class Pairing:
    """The pairs, by name, and every file that has no twin."""

    pairs: tuple[Pair, ...]
    problems: tuple[LeftOut, ...]


@dataclass(frozen=True)
class _Named:
    name: str
    key: str
    role: Role


def pair_up(names: Iterable[str]) -> Pairing:
    """Pair photos with masks.

    Args:
        names: paths with ``/``, or bare file names.
    """
    groups: dict[str, list[_Named]] = defaultdict(list)
    problems: list[LeftOut] = []
    for name in names:
        one = _read_name(name)
        if one.role == "mask" and _suffix(name) not in MASK_EXTENSIONS:
            problems.append(LeftOut(name, _lossy(name)))
        elif _suffix(name) not in EXTENSIONS:
            problems.append(LeftOut(name, "It is neither a photo nor a mask that can be read."))
        else:
            groups[one.key].append(one)
    groups = {key: _decide(group) for key, group in groups.items()}
    # A PNG that stands alone among name.jpg + name.png pairs is one of the masks.
    masks_are_png = any(
        one.role == "mask" and _read_name(one.name).role == "either"
        for group in groups.values()
        for one in group
    )
    pairs: list[Pair] = []
    for key, group in sorted(groups.items(), key=lambda item: _natural(item[0])):
        pair, wrong = _pair_of(key, group, masks_are_png)
        pairs.extend(pair)
        problems.extend(wrong)
    return Pairing(tuple(pairs), tuple(problems))


def _read_name(name: str) -> _Named:
    path = PurePosixPath(name)
    folders = [part.lower() for part in path.parts[:-1]]
    rest = [part for part in path.parts[:-1] if part.lower() not in PHOTO_FOLDERS | MASK_FOLDERS]
    role: Role = "either"
    for folder in folders:  # the innermost one decides
        if folder in PHOTO_FOLDERS or folder in MASK_FOLDERS:
            role = "mask" if folder in MASK_FOLDERS else "photo"
    stem = path.stem
    bare = _MASK_ENDING.sub("", stem)
    if role != "photo" and bare != stem and bare:
        role, stem = "mask", bare
    return _Named(name, "/".join([*rest, stem]), role)


def _decide(group: list[_Named]) -> list[_Named]:
    """Settle what the folders left open: beside its twin, a lossless file is the mask."""
    open_ones = [one for one in group if one.role == "either"]
    if not open_ones:
        return group
    settled = [one for one in group if one.role != "either"]
    if any(one.role == "mask" for one in settled):
        return settled + [_Named(one.name, one.key, "photo") for one in open_ones]
    png = [one for one in open_ones if _suffix(one.name) in MASK_EXTENSIONS]
    if len(group) > 1 and len(png) == 1:
        return [_Named(o.name, o.key, "mask" if o is png[0] else "photo") for o in group]
    return group


def _pair_of(
    key: str, group: list[_Named], masks_are_png: bool
) -> tuple[list[Pair], list[LeftOut]]:
    photos = [one.name for one in group if one.role != "mask"]
    masks = [one.name for one in group if one.role == "mask"]
    if not masks and len(photos) == 1 and group[0].role == "either":
        lonely_mask = masks_are_png and _suffix(photos[0]) in MASK_EXTENSIONS
        reason = "No photo has its name." if lonely_mask else "No mask has its name."
        return [], [LeftOut(photos[0], reason)]
    problems = [LeftOut(name, "No photo has its name.") for name in masks if not photos]
    problems += [LeftOut(name, "No mask has its name.") for name in photos if not masks]
    if not photos or not masks:
        return [], problems
    for names, what in ((photos, "photo"), (masks, "mask")):
        problems += [
            LeftOut(name, f"Another {what} has the same name; that one is used.")
            for name in names[1:]
        ]
    return [Pair(key, photos[0], masks[0])], problems


def _lossy(name: str) -> str:
    if _suffix(name) in EXTENSIONS:
        return f"A mask as {_suffix(name).upper()} has lost its exact ids. Save it as PNG."
    return "It is not a mask that can be read. Save it as PNG."


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower().lstrip(".")


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts 2 before 10."""
    parts = re.findall(r"\d+|\D+", text)
    return [(0, int(p), "") if p.isdecimal() else (1, 0, p.lower()) for p in parts]
