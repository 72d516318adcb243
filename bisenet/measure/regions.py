"""Measurements of the regions of a parsed photo: a DataFrame, one row a region."""

from __future__ import annotations

import itertools
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bisenet.classes import BACKGROUND, BY_NAME, CLASSES, NOT_LOOKED_AT, NUM_CLASSES
from bisenet.geometry.boxes import within
from bisenet.parser import Parsing

# Column to what it means and its unit, in the order of the table.
COLUMNS: dict[str, str] = {
    "class_id": "class id, 0..18",
    "name": "class name in the data sets",
    "region": "class name for people",
    "area_px": "area, pixels",
    "image_share": "share of all of the image's pixels, looked at or not, 0..1",
    "head_share": "share of the head (all but background and clothes), 0..1",
    "left_px": "bounding box: first column",
    "top_px": "bounding box: first row",
    "right_px": "bounding box: column after the last",
    "bottom_px": "bounding box: row after the last",
    "centroid_x_px": "centre of mass, pixels from the left",
    "centroid_y_px": "centre of mass, pixels from the top",
    "perimeter_px": "length of the boundary, pixels",
    "parts": "number of 8-connected parts",
    "mean_color": "mean colour, sRGB #rrggbb",
    "confidence": "mean probability of the winning class, 0..1",
    # New columns follow the old ones, so that a reader by position reads on.
    "parsed_share": "share of the pixels that the network looked at, 0..1",
    "cut_off": "whether it goes on beyond what was looked at: area and shares are too small then",
}
NOT_HEAD = (BY_NAME["background"].id, BY_NAME["cloth"].id)
# What a boundary pixel adds, by its neighbours on the boundary: 1 for itself, 2 for each beside,
# 10 for each at a corner.
_STEP_OF_CODE = np.zeros(50)
_STEP_OF_CODE[[5, 7, 15, 17, 25, 27]] = 1
_STEP_OF_CODE[[21, 33]] = np.sqrt(2)
_STEP_OF_CODE[[13, 23]] = (1 + np.sqrt(2)) / 2


def measure_regions(parsing: Parsing, by_face: bool = False) -> pd.DataFrame:
    """Measure every region that is present, in the whole photo or face by face.

    The numbers are those of scikit-image's ``regionprops``, taken from the mask's runs instead of
    its pixels; the perimeter is the 4-neighbourhood estimate of Benkrid and Crookes.

    Args:
        by_face: a row for each region of each face instead, without background, and a column
            ``face`` in front with the face's id. ``head_share`` is of that face's head.

    Returns:
        One row a region in class order, with the columns of ``COLUMNS``. ``head_share`` is
        missing for background and clothes. What no view looked at belongs to no row, so the
        areas add up to ``Parsing.parsed_px`` and ``parsed_share`` to 1, of all faces and the
        background together; ``image_share`` is of all pixels. Empty for an empty mask, and for
        no faces.
    """
    pixels = (parsing.mask.size, parsing.parsed_px)
    if not by_face:
        return _measure(
            *(parsing.image, parsing.labels, parsing.confidence),
            *((0, 0), pixels, parsing.cut_off),
        )
    tables = []
    for face in parsing.faces:
        here = within(face.window)
        table = _measure(
            *(parsing.image[here], face.labels, parsing.confidence[here]),
            *(face.window[:2], pixels, face.cut_off),
        )
        table = table[table["class_id"] != BACKGROUND]
        table.insert(0, "face", face.id)
        tables.append(table)
    if not tables:
        return pd.DataFrame(columns=["face", *COLUMNS])
    return pd.concat(tables, ignore_index=True)


def _measure(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    origin: tuple[int, int],
    pixels: tuple[int, int],
    cut_off: Collection[int],
) -> pd.DataFrame:
    """The table for a window of the photo.

    Args:
        image, mask, confidence: the window's; ``NOT_LOOKED_AT`` is in no row.
        origin: where it begins in the photo (x, y).
        pixels: the photo's, and those of them that were looked at.
        cut_off: ids of the classes that go on beyond these.
    """
    if not mask.size:
        return pd.DataFrame(columns=list(COLUMNS))
    runs = Runs.of(mask)
    area = runs.sums(runs.length)
    ids = np.flatnonzero(area)
    area = area[ids]
    is_head = ~np.isin(ids, NOT_HEAD)
    head_area = int(area[is_head].sum())
    left, top, right, bottom = (side[ids] for side in runs.boxes())
    # The middle of a run is a half at times: sums of doubled middles stay whole.
    middle_x = runs.sums(runs.length * (runs.left + runs.right - 1))[ids] / (2 * area)
    middle_y = runs.sums(runs.length * runs.row)[ids] / area
    means = []
    for one, count, x0, y0, x1, y1 in zip(ids, area, left, top, right, bottom, strict=True):
        window = np.s_[y0:y1, x0:x1]
        means.append(_means(image[window], mask[window], confidence[window], int(one), int(count)))
    x, y = origin
    frame = pd.DataFrame(
        {
            "class_id": ids,
            "name": [CLASSES[i].name for i in ids],
            "region": [CLASSES[i].title for i in ids],
            "area_px": area,
            "image_share": area / pixels[0],
            "head_share": np.where(is_head, area / max(head_area, 1), np.nan),
            "left_px": left + x,
            "top_px": top + y,
            "right_px": right + x,
            "bottom_px": bottom + y,
            "centroid_x_px": middle_x + x,
            "centroid_y_px": middle_y + y,
            "perimeter_px": perimeters(mask)[ids],
            "parts": runs.parts()[ids],
            "mean_color": [_hex(color) for color, _ in means],
            "confidence": [confidence for _, confidence in means],
            "parsed_share": area / max(pixels[1], 1),
            "cut_off": np.isin(ids, list(cut_off)),
        }
    )
    return frame[list(COLUMNS)]


@dataclass(frozen=True)
class Runs:
    """A mask ``(H, W)`` as stretches of one class along its rows: thousands, not millions.

    Each array has one value a run, in reading order: its class, row, first column, the column
    after its last, and its length.
    """

    class_id: NDArray[np.intp]
    row: NDArray[np.intp]
    left: NDArray[np.intp]
    right: NDArray[np.intp]
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: NDArray[np.uint8]) -> Runs:
        """The runs of a mask ``(H, W)``."""
        height, width = mask.shape
        begins = np.ones(mask.shape, bool)
        np.not_equal(mask[:, 1:], mask[:, :-1], out=begins[:, 1:])
        starts = np.flatnonzero(begins)
        row, left = np.divmod(starts, max(width, 1))
        right = np.append(starts, mask.size)[1:] - row * width
        return cls(mask[row, left].astype(np.intp), row, left, right, (height, width))

    @property
    def length(self) -> NDArray[np.intp]:
        """Pixels of each run."""
        return self.right - self.left

    def sums(self, values: NDArray[np.intp]) -> NDArray[np.int64]:
        """Whole numbers, one a run, summed by class, ``(19,)``."""
        sums = np.zeros(NOT_LOOKED_AT + 1, np.int64)
        np.add.at(sums, self.class_id, values)
        return sums[:NUM_CLASSES]

    def boxes(self) -> tuple[NDArray[np.int64], ...]:
        """Left, top, right and bottom of each class, ``(19,)`` each; of no use where absent."""
        left, top, right, bottom = np.zeros((4, NOT_LOOKED_AT + 1), np.int64)
        left[:], top[:] = self.shape[1], self.shape[0]
        np.minimum.at(left, self.class_id, self.left)
        np.minimum.at(top, self.class_id, self.row)
        np.maximum.at(right, self.class_id, self.right)
        np.maximum.at(bottom, self.class_id, self.row + 1)
        return left[:NUM_CLASSES], top[:NUM_CLASSES], right[:NUM_CLASSES], bottom[:NUM_CLASSES]

    def parts(self) -> NDArray[np.int64]:
        """Number of 8-connected parts of each class, ``(19,)``."""
        height, width = self.shape
        count = len(self.row)
        first = np.searchsorted(self.row, np.arange(height + 2))
        begin, end = self.row * width + self.left, self.row * width + self.right
        # The runs of the next row that touch this one, corners included, follow one another.
        low = np.searchsorted(end, (self.row + 1) * width + self.left)
        high = np.searchsorted(begin, (self.row + 1) * width + self.right, side="right")
        low = np.maximum(low, first[self.row + 1])
        high = np.minimum(high, first[self.row + 2])
        touching = np.maximum(high - low, 0)
        upper = np.repeat(np.arange(count), touching)
        skipped = np.repeat(np.cumsum(touching) - touching, touching)
        lower = np.arange(len(upper)) - skipped + np.repeat(low, touching)
        same = self.class_id[upper] == self.class_id[lower]
        pairs = (np.ones(int(same.sum()), bool), (upper[same], lower[same]))
        _, part = connected_components(coo_array(pairs, shape=(count, count)), directed=False)
        _, one_of_each = np.unique(part, return_index=True)
        return np.bincount(self.class_id[one_of_each], minlength=NUM_CLASSES)[:NUM_CLASSES]


def perimeters(mask: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Length of each class's boundary in a mask ``(H, W)``, pixels, ``(19,)``.

    K. Benkrid, D. Crookes: Design and FPGA Implementation of a Perimeter Estimator (2000), with
    scikit-image's weights: the same numbers as ``skimage.measure.perimeter`` for every class by
    itself. A pixel is of the boundary where one of its four neighbours is of another class.
    """
    # Beyond the picture lies another class, so that its frame is boundary and nothing is looked up
    # outside.
    beyond = cv2.copyMakeBorder(mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=255)
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    edge = cv2.compare(cv2.dilate(beyond, cross), cv2.erode(beyond, cross), cv2.CMP_NE)
    edge[[0, -1]] = edge[:, [0, -1]] = 0
    at = np.flatnonzero(edge == 255)
    labels, on_edge = beyond.ravel(), edge.ravel()
    class_id = labels[at].astype(np.intp)
    code = np.ones(len(at), np.intp)
    for down, across in itertools.product((-1, 0, 1), repeat=2):
        if (down, across) != (0, 0):
            other = at + down * beyond.shape[1] + across
            step = 10 if down and across else 2
            code += step * ((labels[other] == class_id) & (on_edge[other] != 0))
    codes = np.bincount(
        class_id * len(_STEP_OF_CODE) + code, minlength=(NOT_LOOKED_AT + 1) * len(_STEP_OF_CODE)
    )
    return codes.reshape(NOT_LOOKED_AT + 1, -1)[:NUM_CLASSES] @ _STEP_OF_CODE


def _means(
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    confidence: NDArray[np.float32],
    class_id: int,
    count: int,
) -> tuple[NDArray[np.float64], float]:
    """Mean colour ``(3,)`` and mean confidence of a class that has ``count`` pixels."""
    region = (mask == class_id).view(np.uint8)
    # OpenCV multiplies by the inverse of the count; the whole sums are divided as they should be.
    sums = np.rint(np.array(cv2.mean(image, region)[:3]) * count)
    return sums / count, float(cv2.mean(confidence, region)[0])


def _hex(color: NDArray[np.float64]) -> str:
    red, green, blue = (round(float(v)) for v in color)
    return f"#{red:02x}{green:02x}{blue:02x}"
