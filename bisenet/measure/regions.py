"""Measurements of the regions of a parsed photo: a DataFrame, one row a region."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Collection
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from bisenet.classes import (
    BACKGROUND,
    BY_NAME,
    CLASSES,
    FACE_CLASSES,
    NOT_LOOKED_AT,
    NUM_CLASSES,
)
from bisenet.geometry.boxes import Box, Rect, within
from bisenet.parser import Face, Parsing

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
# A part of less of the head's area is a slip of the network.
SPECK = 0.0002
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
            ``face`` in front with the face's id. ``head_share`` is of that face's head. What does
            not hang together with that head, and specks, belong to no row (``own_parts``).

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
        labels, _ = own_parts(face.labels, face.window, face.box)
        table = _measure(
            *(parsing.image[here], labels, parsing.confidence[here]),
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
        _, one_of_each = np.unique(self.connected(self.class_id), return_index=True)
        return np.bincount(self.class_id[one_of_each], minlength=NUM_CLASSES)[:NUM_CLASSES]

    def connected(self, kind: NDArray[np.intp]) -> NDArray[np.int32]:
        """The number of the 8-connected part that each run is of, from 0.

        Args:
            kind: what runs of one part have in common, one value a run.
        """
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
        # Runs of one kind may lie side by side in a row: hair beside skin are both of the head.
        beside = np.flatnonzero(self.row[1:] == self.row[:-1])
        upper, lower = np.append(upper, beside), np.append(lower, beside + 1)
        same = kind[upper] == kind[lower]
        pairs = (np.ones(int(same.sum()), bool), (upper[same], lower[same]))
        _, part = connected_components(coo_array(pairs, shape=(count, count)), directed=False)
        return np.asarray(part, np.int32)


@dataclass(frozen=True)
class LeftOut:
    """What ``own_parts`` took for another's: of a class so many parts and pixels, specks aside."""

    class_id: int
    parts: int
    area_px: int


def own_parts(
    labels: NDArray[np.uint8], window: Rect, box: Box
) -> tuple[NDArray[np.uint8], tuple[LeftOut, ...]]:
    """A face's labels without what is somebody else's, and without specks.

    A head is what hangs together with the largest part of the face, or lies in its box: a hand may
    divide it. Clothes are this person's where they hang together with the head, or reach down from
    below it. A part of less than ``SPECK`` of the head's area is no region.

    Args:
        labels: ``(h, w)`` class ids of one face in its window.
        window: x, y, width, height of the window in the photo.
        box: the face's box in the photo: x0, y0, x1, y1.

    Returns:
        The labels, background in place of what is left out, themselves where nothing is; and what
        is somebody else's, by class.
    """
    if not labels.size:
        return labels, ()
    runs = Runs.of(labels)
    known = (runs.class_id != BACKGROUND) & (runs.class_id < NUM_CLASSES)
    head = known & ~np.isin(runs.class_id, NOT_HEAD)
    inside = known & _meets(runs, window, box)
    facial = np.isin(runs.class_id, FACE_CLASSES)
    if not (head & facial).any():
        return labels, ()
    length = runs.length
    of_head = runs.connected(head.astype(np.intp))
    face_area = np.bincount(of_head, length * (head & facial))
    owned = np.zeros(len(face_area), bool)
    owned[face_area.argmax()] = True
    owned[of_head[head & inside]] = True
    own = head & owned[of_head]
    # Others' heads must not tie their clothes to this one.
    person = runs.connected((own | (known & ~head)).astype(np.intp))
    tied = np.zeros(person.max() + 1, bool)
    tied[person[own]] = True
    below = (box[0], box[3], box[2], float(window[1] + window[3]))
    tied[person[known & ~head & _meets(runs, window, below)]] = True
    own |= known & ~head & tied[person]
    part = runs.connected(runs.class_id)
    part_area = np.bincount(part, length)
    speck = (part_area < SPECK * length[own & head].sum())[part]
    strange = known & ~own
    gone = strange | (known & speck)
    if not gone.any():
        return labels, ()
    kept = labels.copy()
    for row, left, right in zip(runs.row[gone], runs.left[gone], runs.right[gone], strict=True):
        kept[row, left:right] = BACKGROUND
    told = strange & ~speck
    return kept, tuple(
        LeftOut(
            int(class_id),
            len(np.unique(part[told & (runs.class_id == class_id)])),
            int(length[told & (runs.class_id == class_id)].sum()),
        )
        for class_id in np.unique(runs.class_id[told])
    )


def _meets(runs: Runs, window: Rect, box: Box) -> NDArray[np.bool_]:
    """Which runs have a pixel in a box of the photo."""
    x0, x1 = box[0] - window[0], box[2] - window[0]
    y0, y1 = box[1] - window[1], box[3] - window[1]
    return (runs.right > x0) & (runs.left < x1) & (runs.row >= y0) & (runs.row < y1)


def of_people(parsing: Parsing) -> tuple[Parsing, dict[int, tuple[LeftOut, ...]]]:
    """A parse in which each face has its own parts only, and what was left out, by face.

    Where no face was found, nothing is left out. Confidence and probabilities stay as they are.
    """
    faces, mask = list[Face](), parsing.mask
    left_out = dict[int, tuple[LeftOut, ...]]()
    for face in parsing.faces:
        labels, strange = own_parts(face.labels, face.window, face.box)
        if labels is not face.labels:
            mask = mask.copy() if mask is parsing.mask else mask
            mask[within(face.window)][labels != face.labels] = BACKGROUND
            face = dataclasses.replace(face, labels=labels)
        if strange:
            left_out[face.id] = strange
        faces.append(face)
    if mask is parsing.mask:
        return parsing, left_out
    return dataclasses.replace(parsing, mask=mask, faces=tuple(faces)), left_out


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
