"""How steady a network is on faces without labels: does the mirror image get the same regions?

Where no truth exists, agreement of a photo with its own mirror image, or of two sets of weights,
shows for which faces the network is less reliable. It bounds nothing: both can be wrong alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND, BY_NAME, mirror_lut
from bisenet.evaluation.metrics import confusion_matrix, iou_and_f1, mean_of

SKIN = BY_NAME["skin"].id
LEAST_SKIN = 200  # pixels
# Limits of the individual typology angle in degrees, from Chardon et al., "Skin colour typology
# and suntanning pathways", 1991, as used by Del Bino and Bernerd, 2013.
ITA_NAMES = ("dark", "brown", "tan", "intermediate", "light", "very light")
_ITA_LIMITS = (-30.0, 10.0, 28.0, 41.0, 55.0)
_SEXES = ("male", "female")
_GROUPS = ("white", "black", "Asian", "Indian", "others")


@dataclass(frozen=True)
class Agreement:
    """Of one photo with another view of it.

    Attributes:
        pixels: share of the face's pixels, background on both sides left out, labelled alike.
        miou: mean IoU of the classes that either side shows, background left out.
    """

    pixels: float
    miou: float


def mirrored_agreement(
    parse: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], photo: NDArray[np.uint8]
) -> tuple[Agreement, NDArray[np.uint8]]:
    """A photo ``(H, W, 3)`` against its mirror image, left and right swapped back.

    Args:
        parse: from a photo to class ids ``(H, W)``.

    Returns:
        The agreement, and the photo's own labels.
    """
    own = parse(photo)
    back = mirror_lut()[parse(np.ascontiguousarray(photo[:, ::-1]))][:, ::-1]
    return agreement(own, back), own


def agreement(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> Agreement:
    """Of two labellings ``(H, W)``; 1 where neither shows anything but background."""
    shown = (first != BACKGROUND) | (second != BACKGROUND)
    if not shown.any():
        return Agreement(1.0, 1.0)
    iou, _ = iou_and_f1(confusion_matrix(first, second))
    return Agreement(float((first == second)[shown].mean()), mean_of(np.delete(iou, BACKGROUND)))


def ita_degrees(photo: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float | None:
    """Individual typology angle of the skin in a photo ``(H, W, 3)`` sRGB, degrees; None without.

    arctan((L* - 50) / b*) of the median colour of the skin's pixels. Light and white balance of a
    photo move it: it is the skin as pictured.
    """
    from skimage.color import rgb2lab

    skin = photo[mask == SKIN]
    if len(skin) < LEAST_SKIN:
        return None
    lightness, _, yellow = np.median(rgb2lab(skin[None] / 255.0)[0], axis=0)
    return float(np.degrees(np.arctan2(lightness - 50, max(float(yellow), 1e-6))))


def ita_name(degrees: float) -> str:
    """The skin tone's name for an individual typology angle."""
    return ITA_NAMES[int(np.searchsorted(_ITA_LIMITS, degrees, side="right"))]


def utkface_groups(stem: str) -> dict[str, str]:
    """What a UTKFace file's name says (``age_sex_group_...``), or nothing.

    Sex and group are the data set's authors' own words.
    """
    parts = stem.split("_")
    if len(parts) < 3 or not all(part.isdigit() for part in parts[:3]):
        return {}
    age, sex, group = (int(part) for part in parts[:3])
    if sex >= len(_SEXES) or group >= len(_GROUPS):
        return {}
    decade = f"{age // 10 * 10} to {age // 10 * 10 + 9}" if age < 90 else "90 and more"
    return {"age": decade, "sex": _SEXES[sex], "group": _GROUPS[group]}


def by_group(
    rows: Iterable[tuple[Mapping[str, str], Agreement]],
) -> dict[str, dict[str, tuple[int, float, float]]]:
    """Photos, mean share of pixels and mean mIoU, by each group of each kind; ``all`` is one."""
    kept: dict[str, dict[str, list[Agreement]]] = defaultdict(lambda: defaultdict(list))
    for groups, one in rows:
        for kind, name in {"all": "all", **groups}.items():
            kept[kind][name].append(one)
    return {
        kind: {
            name: (
                len(ones),
                float(np.mean([o.pixels for o in ones])),
                float(np.mean([o.miou for o in ones])),
            )
            for name, ones in sorted(of_kind.items(), key=lambda item: place(item[0]))
        }
        for kind, of_kind in kept.items()
    }


def place(name: str) -> tuple[int, str]:
    """Where a group's name stands among those of its kind."""
    if name in ITA_NAMES:
        return (ITA_NAMES.index(name), name)
    head = name.split()[0]
    return (int(head), name) if head.isdigit() else (0, name)
