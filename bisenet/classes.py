"""The 19 face regions: ids, names, colours, groups, mirror twins; other data sets' label orders.

Ids follow the published face-parsing checkpoints, so those load and mean the same. "Left" is the
person's own left, which is on the right of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

Group = Literal["face", "hair", "accessories", "clothes", "background"]
# In the order in which people read them.
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True)
class FaceClass:
    """One region a pixel can belong to.

    ``name`` is the data sets' short name, ``title`` what people read, ``color`` an ``#rrggbb``
    string used everywhere, and ``twin`` the id that a mirrored picture turns this class into
    (its own id for classes without a left and a right).
    """

    id: int
    name: str
    title: str
    color: str
    group: Group
    twin: int

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Colour as three 0..255 integers."""
        return (int(self.color[1:3], 16), int(self.color[3:5], 16), int(self.color[5:7], 16))

    @property
    def ink(self) -> str:
        """Black or white, whichever reads better on the colour; luma after ITU-R BT.601."""
        red, green, blue = self.rgb
        return "#111111" if 0.299 * red + 0.587 * green + 0.114 * blue > 150 else "#ffffff"


# Visibly different, also with deutan and protan vision: docs/palette.md, test_palette.py.
CLASSES: tuple[FaceClass, ...] = (
    FaceClass(0, "background", "Background", "#51545d", "background", 0),
    FaceClass(1, "skin", "Skin", "#f2cbb5", "face", 1),
    FaceClass(2, "l_brow", "Left brow", "#701e00", "face", 3),
    FaceClass(3, "r_brow", "Right brow", "#e3a41e", "face", 2),
    FaceClass(4, "l_eye", "Left eye", "#115df4", "face", 5),
    FaceClass(5, "r_eye", "Right eye", "#7f9ac7", "face", 4),
    FaceClass(6, "eye_g", "Glasses", "#69e3f2", "accessories", 6),
    FaceClass(7, "l_ear", "Left ear", "#5c0a84", "face", 8),
    FaceClass(8, "r_ear", "Right ear", "#ac84ff", "face", 7),
    FaceClass(9, "ear_r", "Earring", "#facf03", "accessories", 9),
    FaceClass(10, "nose", "Nose", "#47a77f", "face", 10),
    FaceClass(11, "mouth", "Mouth", "#990053", "face", 11),
    FaceClass(12, "u_lip", "Upper lip", "#c11f13", "face", 12),
    FaceClass(13, "l_lip", "Lower lip", "#df97b1", "face", 13),
    FaceClass(14, "neck", "Neck", "#9a7c88", "face", 14),
    FaceClass(15, "neck_l", "Necklace", "#ddd57c", "accessories", 15),
    FaceClass(16, "cloth", "Clothes", "#0181ad", "clothes", 16),
    FaceClass(17, "hair", "Hair", "#d0540f", "hair", 17),
    FaceClass(18, "hat", "Hat", "#cc3799", "accessories", 18),
)

NUM_CLASSES = len(CLASSES)
BACKGROUND = 0
BY_NAME: dict[str, FaceClass] = {c.name: c for c in CLASSES}


def ids_of(*names: str) -> tuple[int, ...]:
    """Ids of classes by their short names."""
    return tuple(BY_NAME[name].id for name in names)


SKIN, GLASSES, NOSE, HAIR = ids_of("skin", "eye_g", "nose", "hair")
EARRING, NECKLACE, HAT = ids_of("ear_r", "neck_l", "hat")
BROWS, EYES, EARS = ids_of("l_brow", "r_brow"), ids_of("l_eye", "r_eye"), ids_of("l_ear", "r_ear")
MOUTH = ids_of("mouth", "u_lip", "l_lip")
# The face itself: what lies between the hairline, the ears and the chin.
FACE_CLASSES = (SKIN, *BROWS, *EYES, GLASSES, NOSE, *MOUTH)

# The label orders that masks come in: position in the tuple is the id in that data set's files.
LABEL_ORDERS: dict[str, tuple[str, ...]] = {
    "bisenet": tuple(c.name for c in CLASSES),
    "celebamask-hq": (
        *("background", "skin", "nose", "eye_g", "l_eye", "r_eye", "l_brow", "r_brow", "l_ear"),
        *("r_ear", "mouth", "u_lip", "l_lip", "hair", "hat", "ear_r", "neck_l", "neck", "cloth"),
    ),
}

# In label maps for people's eyes and counts: where no view of a photo decided. No class.
NOT_LOOKED_AT = NUM_CLASSES
# What stands there in mask files: 0, as for the background, or this, which evaluations leave out.
UNKNOWN = 255
UNKNOWN_VALUES = (0, UNKNOWN)


def palette() -> NDArray[np.uint8]:
    """Class colours, shape ``(19, 3)``, sRGB."""
    return np.array([c.rgb for c in CLASSES], dtype=np.uint8)


def mirror_lut() -> NDArray[np.uint8]:
    """Look-up table, shape ``(256,)``: the id that each id becomes in a mirrored picture."""
    lut = np.arange(256, dtype=np.uint8)
    lut[:NUM_CLASSES] = [c.twin for c in CLASSES]
    return lut


def label_lut(order: str) -> NDArray[np.uint8]:
    """Look-up table, shape ``(256,)``, from another data set's ids to ours; 255 marks unknown ids.

    Raises:
        ValueError: the order is not one of ``LABEL_ORDERS``.
    """
    if order not in LABEL_ORDERS:
        raise ValueError(
            f"Unknown label order {order!r}; choose one of: {', '.join(LABEL_ORDERS)}."
        )
    lut = np.full(256, 255, dtype=np.uint8)
    for position, name in enumerate(LABEL_ORDERS[order]):
        lut[position] = BY_NAME[name].id
    return lut


def order_lut(order: str) -> NDArray[np.uint8]:
    """Look-up table, shape ``(256,)``, from our ids to another data set's; others stay as they are.

    Raises:
        ValueError: the order is not one of ``LABEL_ORDERS``.
    """
    inverse = np.arange(256, dtype=np.uint8)
    inverse[label_lut(order)[:NUM_CLASSES]] = np.arange(NUM_CLASSES, dtype=np.uint8)
    return inverse
