"""What the ids in a mask mean: a known label order, or a mapping of a person's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BY_NAME, CLASSES, LABEL_ORDERS, label_lut
from bisenet.data.partial_labels import PARTIAL, UNKNOWN

IGNORE = 255
ORDER_TITLES = {"celebamask-hq": "CelebAMask-HQ", "bisenet": "BiSeNet"}

# Shares of all pixels in 801 masks of CelebAMask-HQ, percent, in the order of ``CLASSES``.
_TYPICAL = np.array(
    [
        *(28.95, 25.55, 0.42, 0.42, 0.22, 0.22, 0.32, 0.49, 0.39, 0.21),
        *(2.07, 0.29, 0.41, 0.67, 4.09, 0.01, 3.53, 30.60, 1.15),
    ]
)
# Nats a pixel. In a set of 98 faces 0.8 or more lie between the right order and the wrong one;
# below this, as with a mask or two, too little shows of what tells them apart.
_CLEAR = 0.3


@dataclass(frozen=True, eq=False)
class Labelling:
    """Turns a mask's ids into class ids.

    Attributes:
        name: for reports.
        lut: ``(256,)`` uint8, class id of each id, ``IGNORE`` for pixels that do not count.
        known: ``(256,)`` bool, ids that may occur.
        partial: whether ids may be the values of ``bisenet.data.partial_labels``, which stay as
            they are; boundaries are not scored then.
    """

    name: str
    lut: NDArray[np.uint8]
    known: NDArray[np.bool_]
    partial: bool = False

    def unknown(self, counts: NDArray[np.int64]) -> str:
        """A sentence with the ids that occur (``(256,)`` pixels of each) and are no class here."""
        ids = np.flatnonzero((counts > 0) & ~self.known)
        if not len(ids):
            return ""
        shown = ", ".join(map(str, ids[:8])) + (", ..." if len(ids) > 8 else "")
        return (
            f"Id {shown} is no class here." if len(ids) == 1 else f"Ids {shown} are no class here."
        )


def of_order(order: str, partial: bool = False) -> Labelling:
    """The labelling of a known data set.

    Args:
        partial: as ``Labelling.partial``.

    Raises:
        ValueError: the order is not one of ``LABEL_ORDERS``.
    """
    lut = label_lut(order)
    known = lut != IGNORE
    if partial:
        values = [*PARTIAL, UNKNOWN]
        lut[values], known[values] = values, True
    return Labelling(order, lut, known, partial)


def of_mapping(classes: Mapping[int, int | None]) -> Labelling:
    """The labelling of a mapping from an id to a class, or to None: its pixels do not count."""
    lut = np.full(256, IGNORE, np.uint8)
    known = np.zeros(256, np.bool_)
    for number, class_id in classes.items():
        lut[number] = IGNORE if class_id is None else class_id
        known[number] = True
    return Labelling("mapping", lut, known)


@dataclass(frozen=True)
class Guess:
    """The label order that masks seem to have; ``why`` is a sentence for people."""

    order: str
    clear: bool
    why: str


def guess_order(counts: NDArray[np.int64]) -> Guess:
    """Which known order fits masks best, by how much of a picture each class usually takes.

    Args:
        counts: ``(256,)`` pixels of each id over all masks.
    """
    pixels = counts[: len(CLASSES)].astype(np.float64)
    share = pixels / max(pixels.sum(), 1.0)
    typical = np.log(_TYPICAL / _TYPICAL.sum())
    evidence = {
        order: share * typical[[BY_NAME[name].id for name in names]]
        for order, names in LABEL_ORDERS.items()
    }
    first, second = sorted(evidence, key=lambda order: -evidence[order].sum())
    margin = evidence[first] - evidence[second]
    if margin.sum() < _CLEAR:
        return Guess(
            "celebamask-hq",
            False,
            "The masks show too little to tell the two orders apart. Check the choice.",
        )
    telling = int(np.argmax(margin))
    meanings = {order: BY_NAME[LABEL_ORDERS[order][telling]].title.lower() for order in evidence}
    return Guess(
        first,
        True,
        f"Id {telling} covers {100 * share[telling]:.1f} % of the pixels: {meanings[first]} in "
        f"the order of {ORDER_TITLES[first]}, {meanings[second]} in that of "
        f"{ORDER_TITLES[second]}, which takes {_usual(meanings[second])} as a rule.",
    )


def _usual(title: str) -> str:
    share = next(100 * _TYPICAL[c.id] / _TYPICAL.sum() for c in CLASSES if c.title.lower() == title)
    return f"{share:.0f} %" if share >= 1 else "less than 1 %"
