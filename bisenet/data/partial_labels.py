"""Mask values that say less than a class: which classes a pixel may be.

Below 19 a value is a class. ``NOT_HAIR`` and ``SKIN_PART`` leave several classes open, ``UNKNOWN``
leaves all of them. Losses and scores read one table, ``possible_classes``, so a new value needs a
line here and nothing else.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import CLASSES, NUM_CLASSES, ids_of
from bisenet.classes import UNKNOWN as UNKNOWN

SKIN_PART, NOT_HAIR = 252, 254

# Skin of unknown part: limbs count too, and those are background in the 19 classes.
_SKIN_NAMES = (
    *("background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "l_ear", "r_ear", "nose"),
    *("mouth", "u_lip", "l_lip", "neck"),
)
PARTIAL: dict[int, tuple[int, ...]] = {
    SKIN_PART: ids_of(*_SKIN_NAMES),
    NOT_HAIR: tuple(c.id for c in CLASSES if c.name != "hair"),
}


@lru_cache(maxsize=1)
def possible_classes() -> NDArray[np.bool_]:
    """Which classes a mask value may be, ``(256, 19)``; all for values without a meaning."""
    table = np.ones((256, NUM_CLASSES), bool)
    table[:NUM_CLASSES] = np.eye(NUM_CLASSES, dtype=bool)
    for value, classes in PARTIAL.items():
        table[value] = False
        table[value, list(classes)] = True
    table.setflags(write=False)
    return table


@lru_cache(maxsize=1)
def decided_classes() -> NDArray[np.bool_]:
    """For which classes a mask value says yes or no, ``(256, 19)``."""
    possible = possible_classes()
    table = ~possible | (possible.sum(1, keepdims=True) == 1)
    table.setflags(write=False)
    return table


def overruled(guess: NDArray[np.uint8], truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A guessed mask made to agree with a partly known one, both ``(H, W)``.

    Where the truth is a class it stands; where the guess is among the classes that the truth
    leaves open the guess stands; elsewhere the truth's own value does.
    """
    possible = possible_classes()
    fits = (truth >= NUM_CLASSES) & (guess < NUM_CLASSES)
    fits &= possible[truth, np.minimum(guess, NUM_CLASSES - 1)]
    return np.where(fits, guess, truth).astype(np.uint8)
