"""Photos paired with masks by their names alone.

Three layouts: folders (``images/`` and ``masks/``, at any depth, the same name in both); one folder
with ``name.jpg`` beside ``name.png`` or ``name_mask.png``; and CelebAMask-HQ's own release (Lee et
al., CVPR 2020) with its file a part, or with the whole masks that the published repositories make
of those. ``A.jpg`` belongs to ``a.png`` and ``0.jpg`` to ``00000.png`` where nothing fits better.
"""

from __future__ import annotations

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bisenet.classes import BY_NAME
from bisenet.images.archives import SkippedFile
from bisenet.images.decode import EXTENSIONS

PHOTO_FOLDERS = frozenset(
    ("images", "image", "imgs", "img", "photos", "jpegimages", "celeba-hq-img")
)
MASK_FOLDERS = frozenset(
    ("masks", "mask", "labels", "label", "annotations", "truth", "gt", "celebamask-hq-mask-anno")
)
_FOLDERS = PHOTO_FOLDERS | MASK_FOLDERS
# Only what keeps ids exactly: JPEG and WebP would blur them.
MASK_EXTENSIONS = ("png", "bmp", "tif", "tiff")
# Drawn one over the other, so that small parts win over the large ones that they lie on.
PART_ORDER = (
    *("skin", "neck", "cloth", "hair", "l_ear", "r_ear", "nose", "mouth", "u_lip", "l_lip"),
    *("l_eye", "r_eye", "l_brow", "r_brow", "eye_g", "ear_r", "neck_l", "hat"),
)
FACES_PER_FOLDER = 2000
_MASK_ENDING = re.compile(r"[_\-. ](masks?|labels?|seg|gt|parsing)$", re.IGNORECASE)
_PART = re.compile(rf"(?P<of>.+)_(?P<part>{'|'.join(PART_ORDER)})", re.IGNORECASE)

Role = Literal["photo", "mask", "either"]


@dataclass(frozen=True)
class Part:
    """A file that shows one class alone: bright where it is."""

    class_id: int
    name: str


@dataclass(frozen=True)
class Pair:
    """A photo and its mask, by their names; ``key`` is what the names share.

    Where the mask is a file a part, ``parts`` are these in drawing order, ``mask`` the first.
    """

    key: str
    photo: str
    mask: str
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Pairing:
    """The pairs, by name, and every file that has no twin.

    Part files beside a whole mask of the same photo are of no use, and are no problem.
    """

    pairs: tuple[Pair, ...]
    problems: tuple[SkippedFile, ...]


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
    files: list[_Named] = []
    problems: list[SkippedFile] = []
    read = [(name, _read_name(name)) for name in names]
    photos = {one.key for _, one in read if one.role == "photo"}
    for name, one in read:
        # The photo of masks/a_seg.png may be images/a_seg.jpg, and not images/a.jpg.
        unshortened = posixpath.join(posixpath.dirname(one.key), _stem(name))
        if one.role == "mask" and unshortened in photos:
            one = _Named(name, unshortened, "mask")
        if one.role == "mask" and _suffix(name) not in MASK_EXTENSIONS:
            problems.append(SkippedFile(name, _lossy(name)))
        elif _suffix(name) not in EXTENSIONS:
            problems.append(SkippedFile(name, "It is neither a photo nor a mask that can be read."))
        else:
            files.append(one)
    exact, rest = _split(_grouped(files))
    parts, rest = _take_parts(rest)
    loose, rest = _split(_grouped([one for group in rest for one in group], loosely=True))
    pairs, wrong = _pairs_of([*exact, *loose])
    problems += wrong
    lonely = [one for group in rest for one in group]
    whole = {_loose(pair.key) for pair in pairs}
    drawn, lonely, unused = _pairs_of_parts(parts, lonely, whole)
    pairs += drawn
    # A PNG that stands alone among name.jpg + name.png pairs is one of the masks.
    roles = {one.name: one.role for one in files}
    masks_are_png = any(roles[pair.mask] == "either" for pair in pairs)
    for one in (*lonely, *unused):
        mask = one.role == "mask" or (
            one.role == "either" and masks_are_png and _suffix(one.name) in MASK_EXTENSIONS
        )
        problems.append(SkippedFile(one.name, f"No {'photo' if mask else 'mask'} has its name."))
    pairs.sort(key=lambda pair: _natural(pair.key))
    return Pairing(tuple(pairs), tuple(problems))


def _read_name(name: str) -> _Named:
    folders = [part for part in posixpath.dirname(name).split("/") if part]
    rest = [part for part in folders if part.lower() not in _FOLDERS]
    role: Role = "either"
    for folder in map(str.lower, folders):  # the innermost one decides
        if folder in _FOLDERS:
            role = "mask" if folder in MASK_FOLDERS else "photo"
    stem = _stem(name)
    bare = _MASK_ENDING.sub("", stem)
    if role != "photo" and bare != stem and bare:
        role, stem = "mask", bare
    return _Named(name, "/".join([*rest, stem]), role)


def _grouped(files: Iterable[_Named], loosely: bool = False) -> list[list[_Named]]:
    groups: dict[str, list[_Named]] = defaultdict(list)
    for one in files:
        groups[_loose(one.key) if loosely else one.key].append(one)
    return [_decide(group) for group in groups.values()]


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


def _split(groups: Iterable[list[_Named]]) -> tuple[list[list[_Named]], list[list[_Named]]]:
    """Groups of photo and mask, and the others."""
    whole: list[list[_Named]] = []
    rest: list[list[_Named]] = []
    for group in groups:
        roles = {one.role for one in group}
        (whole if "mask" in roles and len(roles) > 1 else rest).append(group)
    return whole, rest


def _pairs_of(groups: Iterable[Sequence[_Named]]) -> tuple[list[Pair], list[SkippedFile]]:
    pairs: list[Pair] = []
    problems: list[SkippedFile] = []
    for group in groups:
        photos = [one for one in group if one.role != "mask"]
        masks = [one for one in group if one.role == "mask"]
        pairs.append(Pair(photos[0].key, photos[0].name, masks[0].name))
        for several, what in ((photos, "photo"), (masks, "mask")):
            problems += [
                SkippedFile(one.name, f"Another {what} has the same name; that one is used.")
                for one in several[1:]
            ]
    return pairs, problems


def _take_parts(
    groups: Iterable[list[_Named]],
) -> tuple[dict[str, list[_Named]], list[list[_Named]]]:
    """Files that show one part each, by the loose key of their face, and the other groups."""
    parts: dict[str, list[_Named]] = defaultdict(list)
    rest: list[list[_Named]] = []
    for group in groups:
        one = group[0]
        found = _PART.fullmatch(_stem(one.name))
        if found and one.role != "photo" and _suffix(one.name) in MASK_EXTENSIONS:
            folders = one.key.split("/")[:-1]
            face = found["of"]
            # The release puts 2,000 faces into each of its numbered folders.
            if folders and folders[-1] == _folder_of(face):
                folders.pop()
            parts[_loose("/".join([*folders, face]))] += group
        else:
            rest.append(group)
    return parts, rest


def _pairs_of_parts(
    parts: dict[str, list[_Named]], lonely: Iterable[_Named], whole: set[str]
) -> tuple[list[Pair], list[_Named], list[_Named]]:
    """Pairs of photo and part files, photos that have none, and part files of no photo.

    Folders need not be the same: the release's are often moved to beside the photos' folder.
    """
    by_stem: dict[str, list[str]] = defaultdict(list)
    for key in parts:
        by_stem[key.rpartition("/")[2]].append(key)
    pairs: list[Pair] = []
    left: list[_Named] = []
    used: set[str] = set()
    for one in lonely:
        wanted = _loose(one.key)
        near = [key for key in by_stem[wanted.rpartition("/")[2]] if _beside(key, wanted)]
        key = wanted if wanted in parts else near[0] if len(near) == 1 else ""
        if not key or key in used or one.role == "mask":
            left.append(one)
            continue
        used.add(key)
        drawn = _in_order(parts[key])
        pairs.append(Pair(one.key, one.name, drawn[0].name, drawn))
    for key in parts:
        stem = key.rpartition("/")[2]
        if any(w == key or (w.rpartition("/")[2] == stem and _beside(w, key)) for w in whole):
            used.add(key)
    return pairs, left, [one for key, files in parts.items() if key not in used for one in files]


def _in_order(files: Iterable[_Named]) -> tuple[Part, ...]:
    found: dict[str, str] = {}
    for one in files:
        shown = _PART.fullmatch(_stem(one.name))
        assert shown is not None
        found.setdefault(shown["part"].lower(), one.name)
    return tuple(Part(BY_NAME[name].id, found[name]) for name in PART_ORDER if name in found)


def _folder_of(face: str) -> str:
    return str(int(face) // FACES_PER_FOLDER) if re.fullmatch(r"[0-9]{1,9}", face) else ""


def _beside(first: str, second: str) -> bool:
    """Whether the folders of one key are the first of those of the other."""
    a, b = first.split("/")[:-1], second.split("/")[:-1]
    shorter = min(len(a), len(b))
    return a[:shorter] == b[:shorter]


def _loose(key: str) -> str:
    """A key without capitals and without the zeros before a number."""
    folders, slash, stem = key.casefold().rpartition("/")
    return folders + slash + (_digits(stem) if stem.isdecimal() else stem)


def _digits(number: str) -> str:
    return number.lstrip("0") or "0"


def _lossy(name: str) -> str:
    if _suffix(name) in EXTENSIONS:
        return f"A mask as {_suffix(name).upper()} has lost its exact ids. Save it as PNG."
    return "It is not a mask that can be read. Save it as PNG."


def _suffix(name: str) -> str:
    return posixpath.splitext(name)[1].lower().lstrip(".")


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _natural(text: str) -> list[tuple[int, int, str]]:
    """Sorts 2 before 10."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [
        (0, len(_digits(part)), _digits(part)) if part[0] in "0123456789" else (1, 0, part.lower())
        for part in parts
    ]
