"""Whether the one known face of a photo is found: by pose, size, age, sex, group and skin tone.

Photos with masks are searched as they are. Tight crops without masks are no test of finding, so
they are put, at three sizes, into larger photos in which nobody is. Photos of which the person has
been cut away count invented faces.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND
from bisenet.data.backgrounds import background_of, bundled_pictures
from bisenet.evaluation.consistency import ita_degrees, ita_name, place, utkface_groups
from bisenet.evaluation.true_faces import head_top, mask_of, read_truth, true_landmarks
from bisenet.geometry.boxes import Box, Point, distance
from bisenet.geometry.crops import Crop
from bisenet.images.decode import load_image
from bisenet.parser import FaceParser, Parsing
from bisenet.postprocess.landmarks import Landmarks, face_crop, find_landmarks

# Height of a face from hairline to chin, pixels, in the photos of SHAPE that crops are put into.
HEIGHTS = (40, 80, 160)
SHAPE = (720, 960)
# Of an aligned crop's side, that height; and of a tight crop's side, an aligned crop's where the
# parser sees no face in it.
HEIGHT_OF_SIDE, USUAL_SIDE = 0.74, 0.7
# A face is the known one where its crop is centred this near, in sides of the known one, and
# smaller or larger by less than this.
NEAR, ALIKE = 0.35, 2.2
# Of the nose's distance from the line between the eyes' middle and the mouth, in lengths of that
# line: from here on a head is half turned, in profile.
HALF_TURNED, PROFILE = 0.08, 0.18
# Where the nose lies on that line: before it the head looks up, from the second on down.
UP, DOWN = 0.30, 0.44
TILTED, LYING = 10.0, 30.0  # degrees of roll
LOWER_PART = 0.5


@dataclass(frozen=True, eq=False)
class Trial:
    """A photo ``(H, W, 3)``, the groups it belongs to, and whether a crop is its known face's.

    ``is_it`` is None where the photo shows nobody. In the ``put`` box lies a tight crop: further
    faces in it are real people behind the known one and count neither way.
    """

    photo: NDArray[np.uint8]
    groups: Mapping[str, str]
    is_it: Callable[[Crop], bool] | None
    put: Box = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Found:
    """What came of a trial: whether its face was found, and how many others were."""

    groups: Mapping[str, str]
    found: bool
    others: int


@dataclass(frozen=True)
class Rate:
    """One row: of ``photos`` with a face ``found`` show it, ``exactly_one`` that and no other.

    ``low`` and ``high`` bound the share found, 95%, by Wilson's score interval.
    """

    photos: int
    found: int
    exactly_one: int
    others: int
    low: float
    high: float


def wilson(hits: int, of: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927); 0 to 1 of none."""
    if of == 0:
        return (0.0, 1.0)
    share = hits / of
    middle = share + z**2 / (2 * of)
    half = z * float(np.sqrt(share * (1 - share) / of + z**2 / (4 * of**2)))
    total = 1 + z**2 / of
    return (max(0.0, (middle - half) / total), min(1.0, (middle + half) / total))


def pose_groups(marks: Landmarks | None) -> dict[str, str]:
    """How a head is turned, nods and is tilted, by where its parts lie in the picture."""
    if marks is None:
        return {"turned": "not read", "nod": "not read", "tilt": "not read"}
    left, right, nose, mouth = (np.array(p) for p in (*marks.eyes, marks.nose, marks.mouth))
    eyes = (left + right) / 2
    down = mouth - eyes
    length = max(float(np.hypot(*down)), 1e-6)
    unit = down / length
    aside = abs(float((nose - eyes) @ (-unit[1], unit[0]))) / length
    # In profile the nose lies lower on the line from the one eye.
    along = float((nose - eyes) @ unit) / length - (0.12 if aside >= PROFILE else 0.0)
    roll = abs(face_crop(marks, 64, (64, 64)).roll)
    turned = "facing" if aside < HALF_TURNED else "half turned" if aside < PROFILE else "profile"
    nod = "up" if along < UP else "level" if along < DOWN else "down"
    tilt = "below 10°" if roll < TILTED else "10 to 30°" if roll < LYING else "30° and more"
    return {"turned": turned, "nod": nod, "tilt": tilt}


def labelled_trial(photo: Path, mask: Path, name: str, labels: str) -> Trial | None:
    """A photo with a mask, searched as it is; None where the mask shows no head."""
    pixels = np.asarray(load_image(photo))
    shape = (pixels.shape[0], pixels.shape[1])
    marks = true_landmarks(mask, shape, labels)
    if marks is not None and marks.complete:
        known = face_crop(marks, 64, shape)
        return Trial(pixels, {"set": name, **pose_groups(marks)}, lambda c: _is_near(c, known))
    top = head_top(read_truth(mask, labels, (shape[1], shape[0])))
    if top is None:
        return None
    where = {"set": name} if marks is None else {"set": name, **pose_groups(marks)}
    return Trial(pixels, where, lambda crop: _below(crop, top))


def composed_trial(
    parser: FaceParser, photo: Path, name: str, height: int, canvas: NDArray[np.uint8]
) -> Trial:
    """A tight crop put into a photo of nobody ``(H, W, 3)``, which is drawn on.

    Args:
        height: of the face from hairline to chin, pixels.
    """
    pixels = np.asarray(load_image(photo))
    view = parser.parse(pixels, framing="whole").views[0]
    marks = find_landmarks(view.logits.astype(np.float32), view.crop, reach=0.5)
    if marks is not None and not (marks.complete and marks.score > 0):
        marks = None
    groups = {"set": name, "face, pixels": str(height), **pose_groups(marks)}
    groups |= utkface_groups(photo.stem)
    degrees = ita_degrees(pixels, view.labels)
    if degrees is not None:
        groups["skin as pictured (ITA)"] = ita_name(degrees)
    shape = (pixels.shape[0], pixels.shape[1])
    if marks is not None:
        own = face_crop(marks, 64, shape)
        centre, side = own.centre, own.side
    else:
        centre, side = (shape[1] / 2, shape[0] / 2), USUAL_SIDE * min(shape)
    scale = min(height / (HEIGHT_OF_SIDE * side), 0.9 * canvas.shape[0] / max(shape))
    size = (max(1, round(shape[1] * scale)), max(1, round(shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)
    # The same photo lies at the same place in every run.
    rng = np.random.default_rng((len(photo.stem), int(pixels[::7, ::7].sum()), height))
    x = int(rng.integers(0, canvas.shape[1] - size[0] + 1))
    y = int(rng.integers(0, canvas.shape[0] - size[1] + 1))
    canvas[y : y + size[1], x : x + size[0]] = small
    at = (x + centre[0] * scale, y + centre[1] * scale)
    put = (float(x), float(y), float(x + size[0]), float(y + size[1]))
    return Trial(canvas, groups, lambda crop: _agrees(crop, at, side * scale), put)


def nobody(root: Path, photo: Path, labels: str) -> NDArray[np.uint8] | None:
    """A photo of which the person has been left out; None where its mask does not allow it.

    Of a tall photo that is its lower half, where that holds no head; of others the background,
    carried on over the person.
    """
    mask = mask_of(photo, root)
    if mask is None:
        return None
    pixels = np.asarray(load_image(photo))
    truth = read_truth(mask, labels, (pixels.shape[1], pixels.shape[0]))
    if len(pixels) > 1.3 * pixels.shape[1]:
        row = int(LOWER_PART * len(pixels))
        return np.ascontiguousarray(pixels[row:]) if head_top(truth[row:]) is None else None
    return background_of(pixels, np.asarray(truth != BACKGROUND, np.uint8))


def canvases(empty: Sequence[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """Photos of nobody, brought to ``SHAPE``, over and over; each is the caller's own."""
    height, width = SHAPE
    while True:
        for photo in empty:
            scale = max(height / photo.shape[0], width / photo.shape[1])
            size = (int(np.ceil(photo.shape[1] * scale)), int(np.ceil(photo.shape[0] * scale)))
            yield np.ascontiguousarray(cv2.resize(photo, size)[:height, :width])


def tried(parser: FaceParser, trial: Trial) -> Found:
    """Search a trial's photo."""
    parsing: Parsing = parser.parse(trial.photo)
    own = [trial.is_it is not None and trial.is_it(face.crop) for face in parsing.faces]
    x0, y0, x1, y1 = trial.put
    outside = [
        not (x0 <= x < x1 and y0 <= y < y1) for x, y in (f.crop.centre for f in parsing.faces)
    ]
    # A second crop of the known face is one too many.
    others = sum(out and not mine for out, mine in zip(outside, own, strict=True))
    return Found(trial.groups, any(own), others + max(0, sum(own) - 1))


def textures() -> list[NDArray[np.uint8]]:
    """Pictures of things that come with scikit-image."""
    return list(bundled_pictures())


def table(results: Iterable[Found]) -> dict[str, dict[str, Rate]]:
    """The rates by each group of each kind; ``all`` is one."""
    kept: dict[str, dict[str, list[Found]]] = defaultdict(lambda: defaultdict(list))
    for one in results:
        for kind, name in {"all": "all", **one.groups}.items():
            kept[kind][name].append(one)
    return {
        kind: {name: _rate(of_kind[name]) for name in sorted(of_kind, key=place)}
        for kind, of_kind in kept.items()
    }


def as_markdown(rates: Mapping[str, Mapping[str, Rate]]) -> str:
    """The table for a model card."""
    lines = [
        "| | photos | found | 95% | exactly one | others a photo |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for kind, of_kind in rates.items():
        for name, r in of_kind.items():
            label = "all" if kind == "all" else f"{kind}: {name}"
            lines.append(
                f"| {label} | {r.photos} | {r.found / r.photos:.3f} | {r.low:.2f} to {r.high:.2f} "
                f"| {r.exactly_one / r.photos:.3f} | {r.others / r.photos:.3f} |"
            )
    return "\n".join(lines)


def _rate(results: Sequence[Found]) -> Rate:
    found = sum(r.found for r in results)
    one = sum(r.found and not r.others for r in results)
    low, high = wilson(found, len(results))
    return Rate(len(results), found, one, sum(r.others for r in results), low, high)


def _is_near(crop: Crop, known: Crop) -> bool:
    return _agrees(crop, known.centre, known.side)


def _agrees(crop: Crop, centre: Point, side: float) -> bool:
    ratio = max(crop.side / side, side / crop.side)
    return distance(crop.centre, centre) < NEAR * max(crop.side, side) and ratio < ALIKE


def _below(crop: Crop, top: Point) -> bool:
    """Whether a crop is that of a head whose top is known: its eyes lie under it."""
    x, y = crop.centre
    return abs(x - top[0]) < 0.5 * crop.side and 0 < y - top[1] < 0.9 * crop.side
