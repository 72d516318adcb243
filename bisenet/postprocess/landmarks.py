"""Reading a face off the network's own logits: where its parts are, and how to frame it.

Judging and framing a crop by what the network sees in it needs no second model, and it works at
any input size, so a small crop is enough to verify a proposal.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BROWS, EYES, GLASSES, MOUTH, NOSE, SKIN
from bisenet.geometry.boxes import Point
from bisenet.geometry.crops import Crop, square_crop
from bisenet.postprocess.logits import softmax

# CelebA-HQ's rule: the crop's side is the larger of 4 eye distances and 3.6 times the way from
# eyes to mouth, and its centre lies a tenth of that way below the eyes.
SIDE_BY_EYES, SIDE_BY_MOUTH, CENTRE = 4.0, 3.6, 0.09
# Parts farther from the middle of an aligned crop than this share of its side are others'.
REACH = 0.36
# Eyes nearer to each other than this share of the crop's side are one, labelled twice.
ONE_EYE = 0.08
# Where parts lie on the way from the eyes to the mouth: the nose, and the brows above the eyes.
# Medians of the 801 training masks; the nose of the rendered profiles lies at 0.48.
NOSE_ALONG, PROFILE_NOSE_ALONG, BROW_ABOVE = 0.36, 0.48, 0.23
# The way from eyes to mouth in eye distances, median.
DOWN_BY_EYES = 1.11
# Parts that stand in for others have to be this likely, with this share of skin about them, no
# farther than this share of the way from eyes to mouth; and the cosine of the angle between such a
# face and its crop is at least this.
CLEAR, LEAST_SKIN, SKIN_REACH, UPRIGHT = 0.5, 0.25, 0.6, 0.7


@dataclass(frozen=True)
class Landmarks:
    """Parts of a face in the photo's pixels, and the network's confidence in them.

    Attributes:
        eyes: the eye on the picture's left and the one on its right; the same point twice where
            only one, or only glasses, are detected.
        both_eyes: whether both were detected.
        mouth: centre of the lips.
        score: 0..1; 0 where the arrangement is no face.
        complete: whether eyes or glasses, nose and mouth were all detected; otherwise what is
            hidden is put where the other parts have it.
        nose: its centre.
    """

    eyes: tuple[Point, Point]
    both_eyes: bool
    mouth: Point
    score: float
    complete: bool = True
    nose: Point = (0.0, 0.0)

    @property
    def eye_distance(self) -> float:
        """Distance of the eyes, pixels; estimated from the mouth where only one eye shows."""
        left, right, mouth = (np.array(p) for p in (*self.eyes, self.mouth))
        to_mouth = float(np.hypot(*(mouth - (left + right) / 2)))
        return max(float(np.hypot(*(right - left))), SIDE_BY_MOUTH / SIDE_BY_EYES * to_mouth)


@dataclass(frozen=True)
class _Part:
    """Where a part is on the grid (x, y), and the probability at its peak."""

    at: NDArray[np.float64]
    peak: float


@dataclass(frozen=True)
class _Reading:
    """One way of reading a face off its parts, in the grid's samples."""

    left: NDArray[np.float64]
    right: NDArray[np.float64]
    nose: NDArray[np.float64]
    mouth: NDArray[np.float64]
    peaks: tuple[float, ...]
    complete: bool

    @property
    def score(self) -> float:
        return float(np.prod(self.peaks) ** (1 / len(self.peaks)))


def find_landmarks(
    logits: NDArray[np.float32], crop: Crop, reach: float = REACH
) -> Landmarks | None:
    """Eyes, nose and mouth near the middle of a crop; None where too few of them are detected.

    A profile shows one eye, a fringe none; a mask hides the mouth. Of several ways to read the
    parts the first counts in which they lie as in a face.

    Args:
        logits: ``(19, g, g)`` of this crop.
        reach: how far from the middle parts are looked for, as a share of the crop's side.
    """
    grid = logits.shape[-1]
    p = softmax(logits.astype(np.float32))
    axis = (np.arange(grid) - (grid - 1) / 2) / (grid - 1)
    near = (np.hypot(axis[None, :], axis[:, None]) < reach).astype(np.float32)
    last = None
    for reading in _readings(p, near):
        last = reading
        if _is_face(reading, grid) and (reading.complete or _is_likely(p, reading)):
            return _as_landmarks(reading, crop, grid, reading.score)
    return None if last is None else _as_landmarks(last, crop, grid, 0.0)


def _as_landmarks(reading: _Reading, crop: Crop, grid: int, score: float) -> Landmarks:
    step = (crop.size - 1) / (grid - 1)
    parts = np.stack([reading.left, reading.right, reading.mouth, reading.nose]) * step
    left, right, lips, nose = ((float(x), float(y)) for x, y in crop.to_photo(parts))
    return Landmarks((left, right), left != right, lips, score, reading.complete, nose)


def _readings(p: NDArray[np.float32], near: NDArray[np.float32]) -> Iterator[_Reading]:
    """Ways to read a face off probabilities ``(19, g, g)``, what shows all of it first."""
    grid = p.shape[-1]
    eyes = sorted(
        (eye for eye in (_part(p[i] * near) for i in EYES) if eye), key=lambda eye: -eye.peak
    )
    glasses = _part(p[GLASSES] * near, whole=True)
    nose, mouth = _part(p[NOSE] * near), _part(p[list(MOUTH)].sum(0) * near)
    uppers = [(eye.at, eye.at, eye.peak) for eye in eyes]
    if len(eyes) == 2 and np.hypot(*(eyes[0].at - eyes[1].at)) >= ONE_EYE * (grid - 1):
        left, right = sorted((eye.at for eye in eyes), key=lambda at: float(at[0]))
        uppers.insert(0, (left, right, eyes[0].peak))
    if glasses:
        # Before a single eye: of both, glasses lie about the middle.
        uppers.insert(len(uppers) - len(eyes), (glasses.at, glasses.at, glasses.peak))
    if nose and mouth:
        for left, right, peak in uppers:
            yield _Reading(left, right, nose.at, mouth.at, (peak, nose.peak, mouth.peak), True)
    yield from _incomplete(uppers, p, near, nose, mouth)


def _incomplete(
    uppers: list[tuple[NDArray[np.float64], NDArray[np.float64], float]],
    p: NDArray[np.float32],
    near: NDArray[np.float32],
    nose: _Part | None,
    mouth: _Part | None,
) -> Iterator[_Reading]:
    """Readings in which eyes, nose or mouth are hidden by hair, a hat, a hand or a mask."""
    nose, mouth = (part if part and part.peak >= CLEAR else None for part in (nose, mouth))
    if nose and mouth:
        brows = [b for b in (_part(p[i] * near) for i in BROWS) if b and b.peak >= CLEAR]
        if brows:
            brow = np.mean([b.at for b in brows], axis=0)
            eye = brow + BROW_ABOVE / (1 + BROW_ABOVE) * (mouth.at - brow)
            peaks = (max(b.peak for b in brows), nose.peak, mouth.peak)
            yield _Reading(eye, eye, nose.at, mouth.at, peaks, False)
        eye = nose.at + NOSE_ALONG / (1 - NOSE_ALONG) * (nose.at - mouth.at)
        yield _Reading(eye, eye, nose.at, mouth.at, (nose.peak, mouth.peak), False)
    for left, right, peak in uppers:
        if peak < CLEAR:
            continue
        eyes, across = (left + right) / 2, right - left
        if nose:
            along = NOSE_ALONG if across.any() else PROFILE_NOSE_ALONG
            lips = eyes + (nose.at - eyes) / along
            yield _Reading(left, right, nose.at, lips, (peak, nose.peak), False)
        elif mouth:
            between = eyes + NOSE_ALONG * (mouth.at - eyes)
            yield _Reading(left, right, between, mouth.at, (peak, mouth.peak), False)
        if across.any() and not mouth:  # of a masked nose only the bridge shows
            lips = eyes + DOWN_BY_EYES * np.array([-across[1], across[0]])
            between = eyes + NOSE_ALONG * (lips - eyes)
            yield _Reading(left, right, between, lips, (peak, peak), False)


def face_crop(marks: Landmarks, size: int, shape: tuple[int, int]) -> Crop:
    """The crop of ``size`` pixels that frames a face as the training crops are framed.

    Source: Karras et al., "Progressive Growing of GANs", ICLR 2018, appendix C.
    """
    left, right, mouth = (np.array(p) for p in (*marks.eyes, marks.mouth))
    eyes = (left + right) / 2
    across, down = right - left, mouth - eyes
    upright = np.array([down[1], -down[0]])
    direction = across + upright
    roll = float(np.degrees(np.arctan2(direction[1], direction[0])))
    side = max(SIDE_BY_EYES * np.hypot(*across), SIDE_BY_MOUTH * np.hypot(*down), 1.0)
    x, y = eyes + CENTRE * down
    return square_crop((float(x), float(y)), float(side), roll, size, shape)


def _part(p: NDArray[np.float32], whole: bool = False) -> _Part | None:
    """Where a part's probabilities ``(g, g)`` have it; None where nothing of it is detected.

    Args:
        whole: also what is far from the peak. A second face's eye must not pull, but the peak of
            glasses lies in one of two lenses.
    """
    peak = float(p.max())
    if peak < 0.12:
        return None
    y0, x0 = np.unravel_index(int(p.argmax()), p.shape)
    radius = p.shape[0] if whole else max(2, round(0.09 * p.shape[0]))
    ys = slice(max(0, y0 - radius), y0 + radius + 1)
    xs = slice(max(0, x0 - radius), x0 + radius + 1)
    piece = np.where(p[ys, xs] > 0.3 * peak, p[ys, xs], 0.0)
    total = float(piece.sum())
    y = float((piece.sum(1) * np.arange(ys.start, ys.start + piece.shape[0])).sum()) / total
    x = float((piece.sum(0) * np.arange(xs.start, xs.start + piece.shape[1])).sum()) / total
    return _Part(np.array([x, y]), peak)


def _is_face(reading: _Reading, grid: int) -> bool:
    """Whether the parts lie as in a face: the nose between eyes and mouth, in proportion."""
    eyes, across = (reading.left + reading.right) / 2, reading.right - reading.left
    down = reading.mouth - eyes
    length = float(np.hypot(*down))
    if not 0.1 * grid < length < 0.8 * grid:
        return False
    unit = down / length
    along = float((reading.nose - eyes) @ unit) / length
    aside = abs(float((reading.nose - eyes) @ (-unit[1], unit[0]))) / length
    slant = abs(float(across @ unit)) / length
    width = float(np.hypot(*across)) / length
    return 0.1 < along < 0.9 and aside < 0.5 and slant < 0.55 and width < 1.7


def _is_likely(p: NDArray[np.float32], reading: _Reading) -> bool:
    """Whether a partly hidden face stands as its crop does, and skin is about eyes or mouth."""
    eyes = (reading.left + reading.right) / 2
    down = reading.mouth - eyes
    length = float(np.hypot(*down))
    if down[1] < UPRIGHT * length:
        return False
    skin = p[SKIN] + p[NOSE]
    axis = np.arange(p.shape[-1])
    for x, y in (eyes, reading.mouth):
        inside = np.hypot(axis[None, :] - x, axis[:, None] - y) < SKIN_REACH * length
        if inside.any() and skin[inside].mean() >= LEAST_SKIN:
            return True
    return False
