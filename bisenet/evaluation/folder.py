"""A folder of photos and masks on the disk, scored through the same readers as the page's files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BY_NAME, CLASSES, FACE_CLASSES, NUM_CLASSES
from bisenet.evaluation.fitting import at_size, labels_at, same_shape
from bisenet.evaluation.label_mapping import Labelling, of_order
from bisenet.evaluation.masks import MaskError, pair_ids
from bisenet.evaluation.metrics import Scores
from bisenet.evaluation.pairing import Pair, Pairing, pair_up
from bisenet.geometry.boxes import Box
from bisenet.images.archives import SkippedFile
from bisenet.images.decode import MAX_BYTES, ImageError, load_image
from bisenet.images.folder_tree import look_below
from bisenet.postprocess.results import Parsing

_TOP = [BY_NAME[name].id for name in ("l_brow", "r_brow", "l_eye", "r_eye", "eye_g")]
# A parsing, or class ids alone, ``(H, W)``.
Predict = Callable[[NDArray[np.uint8]], Parsing | NDArray[np.uint8]]
# The same for a photo whose face's box is given.
PredictBoxed = Callable[[NDArray[np.uint8], Box], Parsing]


@dataclass
class Evaluation:
    """Pooled scores, each photo's own mIoU by its path in the folder, and what took no part.

    ``looked_at`` is pixels of each true class ``(2, 19)``: in all, and inside the faces' crops,
    beyond which the parser does not look. ``faces`` is how many faces were found in each photo.
    """

    scores: Scores = field(default_factory=Scores)
    looked_at: NDArray[np.int64] = field(default_factory=lambda: np.zeros((2, 19), np.int64))
    faces: dict[str, int] = field(default_factory=dict)
    per_image: dict[str, float] = field(default_factory=dict)
    problems: list[SkippedFile] = field(default_factory=list)
    seconds: float = 0.0


def find_pairs(root: Path) -> Pairing:
    """Every photo with its mask below a folder, by name; paths are those below it, with ``/``.

    Raises:
        ValueError: there is no such folder, or no photo in it has a mask.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is no folder.")
    tree = look_below(root)
    pairing = pair_up(path.relative_to(root).as_posix() for path in tree.photos)
    if not pairing.pairs:
        first = "".join(f" {p.name}: {p.reason}" for p in pairing.problems[:1])
        raise ValueError(
            f"{root}: no photo has a mask of its name. Expected images/ and masks/, or "
            f"CelebA-HQ-img/ and mask/ or CelebAMask-HQ-mask-anno/.{first}"
        )
    return Pairing(pairing.pairs, (*tree.unreadable, *pairing.problems))


def evaluate(
    predict: Predict,
    root: Path,
    pairs: Sequence[Pair],
    labels: str,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
    partial: bool = False,
    boxed: PredictBoxed | None = None,
) -> Evaluation:
    """Score ``predict`` on every pair, at its mask's size; a pair that cannot be is listed.

    Args:
        predict: from a photo ``(H, W, 3)``, upright and in sRGB.
        root: where the pairs lie.
        pairs: as ``find_pairs`` gives them.
        labels: order of the ids in whole masks, a key of ``bisenet.classes.LABEL_ORDERS``.
        progress: gets how many are done, and of how many.
        partial: masks may hold the values of ``bisenet.data.partial_labels``; boundaries are not
            scored.
        boxed: used in place of ``predict`` for photos whose mask shows a face, with its box.

    Raises:
        ValueError: none of the pairs can be scored.
    """
    labelling = of_order(labels, partial)
    result = Evaluation(Scores(with_boundary=not partial, partial=partial))
    started = time.monotonic()
    for done, pair in enumerate(pairs, start=1):
        try:
            truth = _truth(pair, root, labelling)
        except (MaskError, OSError) as error:
            result.problems.append(SkippedFile(pair.mask, _sentence(error)))
            continue
        try:
            photo = np.asarray(load_image(root / pair.photo))
        except ImageError as error:
            result.problems.append(SkippedFile(pair.photo, str(error)))
            continue
        if not same_shape(photo.shape[:2], truth.shape):
            (height, width), (h, w) = photo.shape[:2], truth.shape
            result.problems.append(
                SkippedFile(
                    pair.photo, f"The photo has {width} x {height} pixels, its mask {w} x {h}."
                )
            )
            continue
        box = None if boxed is None else true_box(truth, photo.shape[:2])
        prediction = predict(photo) if boxed is None or box is None else boxed(photo, box)
        found, inside = _found(prediction, truth.shape)
        result.per_image[pair.photo] = result.scores.add(truth, found)
        for row, where in enumerate((truth, truth[inside])):
            result.looked_at[row] += np.bincount(where.ravel(), minlength=256)[:NUM_CLASSES]
        if isinstance(prediction, Parsing):
            result.faces[pair.photo] = len(prediction.faces)
        result.seconds = time.monotonic() - started
        progress(done, len(pairs))
    if not result.per_image:
        first = result.problems[0]
        raise ValueError(f"None of the pairs can be scored. {first.name}: {first.reason}")
    return result


def shares_looked_at(evaluation: Evaluation) -> dict[str, float]:
    """Share of each class's true pixels inside the faces' crops, by the class's name."""
    total, inside = evaluation.looked_at
    return {c.name: round(float(inside[c.id] / total[c.id]), 4) for c in CLASSES if total[c.id] > 0}


def counted_faces(evaluation: Evaluation) -> dict[str, int]:
    """How many photos had how many faces found, by that number."""
    return {str(n): k for n, k in sorted(Counter(evaluation.faces.values()).items())}


def worst(per_image: Mapping[str, float], shown: int = 10) -> dict[str, float]:
    """The photos with the least mIoU, by file name; by path where two have one name."""
    count = Counter(PurePosixPath(path).name for path in per_image)
    lowest = sorted(per_image.items(), key=lambda item: item[1])[:shown]
    names = [(PurePosixPath(path).name, path, miou) for path, miou in lowest]
    return {name if count[name] == 1 else path: round(miou, 4) for name, path, miou in names}


def _truth(pair: Pair, root: Path, labelling: Labelling) -> NDArray[np.uint8]:
    def read(name: str) -> bytes:
        path = root / name
        if path.stat().st_size > MAX_BYTES:
            raise MaskError(f"The file is larger than the limit of {MAX_BYTES // 2**20} MB.")
        return path.read_bytes()

    ids = pair_ids(pair, read)
    if pair.parts:
        return ids
    unknown = labelling.unknown(np.bincount(ids.ravel(), minlength=256))
    if unknown:
        shown = ", ".join(map(str, unknown[:8])) + (", ..." if len(unknown) > 8 else "")
        raise MaskError(f"Ids {shown} mean nothing in the order {labelling.name}.")
    return labelling.lut[ids]


def _found(
    prediction: Parsing | NDArray[np.uint8], shape: tuple[int, ...]
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Class ids of the truth's shape, and where the parser looked."""
    if isinstance(prediction, Parsing):
        labels, _, inside = at_size(prediction, shape)
        return labels, inside
    return labels_at(prediction, np.ones(prediction.shape, np.float32), shape)[0], np.ones(
        shape, bool
    )


def true_box(truth: NDArray[np.uint8], size: tuple[int, ...]) -> Box | None:
    """Box of the largest face in a mask ``(H, W)``, from brow to chin, in the photo's pixels.

    Args:
        size: the photo's height and width.

    Returns:
        x0, y0, x1, y1; None where the mask shows no face.
    """
    face = np.isin(truth, FACE_CLASSES).astype(np.uint8)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(face)
    if count < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height = (int(v) for v in stats[largest, :4])
    brows = np.flatnonzero((np.isin(truth, _TOP) & (parts == largest)).any(1))
    top = int(brows[0]) if len(brows) else y
    fx, fy = size[1] / truth.shape[1], size[0] / truth.shape[0]
    return (x * fx, top * fy, (x + width) * fx, (y + height) * fy)


def _sentence(error: Exception) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) and error.strerror else str(error)
