"""A folder of photos and masks on the disk, scored through the same readers as the page's files."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from bisenet.archives import LeftOut
from bisenet.batch.tree import look_below
from bisenet.evaluation.fitting import at_size, labels_at, same_shape
from bisenet.evaluation.labels import Labelling, of_order
from bisenet.evaluation.metrics import Scores
from bisenet.evaluation.pairs import Pair, Pairing, pair_up
from bisenet.evaluation.reading import MaskError, pair_ids
from bisenet.images import MAX_BYTES, ImageError, load_image
from bisenet.parsing import Parsing

# A parsing, or class ids alone, ``(H, W)``.
Predict = Callable[[NDArray[np.uint8]], Parsing | NDArray[np.uint8]]


@dataclass
class Evaluation:
    """Pooled scores, each photo's own mIoU by its path in the folder, and what took no part."""

    scores: Scores = field(default_factory=Scores)
    per_image: dict[str, float] = field(default_factory=dict)
    problems: list[LeftOut] = field(default_factory=list)
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
) -> Evaluation:
    """Score ``predict`` on every pair, at its mask's size; a pair that cannot be is listed.

    Args:
        predict: from a photo ``(H, W, 3)``, upright and in sRGB.
        root: where the pairs lie.
        pairs: as ``find_pairs`` gives them.
        labels: order of the ids in whole masks, a key of ``bisenet.classes.LABEL_ORDERS``.
        progress: gets how many are done, and of how many.

    Raises:
        ValueError: none of the pairs can be scored.
    """
    labelling = of_order(labels)
    result = Evaluation()
    started = time.monotonic()
    for done, pair in enumerate(pairs, start=1):
        try:
            truth = _truth(pair, root, labelling)
        except (MaskError, OSError) as error:
            result.problems.append(LeftOut(pair.mask, _sentence(error)))
            continue
        try:
            photo = np.asarray(load_image(root / pair.photo))
        except ImageError as error:
            result.problems.append(LeftOut(pair.photo, str(error)))
            continue
        if not same_shape(photo.shape[:2], truth.shape):
            (height, width), (h, w) = photo.shape[:2], truth.shape
            result.problems.append(
                LeftOut(pair.photo, f"The photo has {width} x {height} pixels, its mask {w} x {h}.")
            )
            continue
        result.per_image[pair.photo] = result.scores.add(truth, _found(predict(photo), truth.shape))
        result.seconds = time.monotonic() - started
        progress(done, len(pairs))
    if not result.per_image:
        first = result.problems[0]
        raise ValueError(f"None of the pairs can be scored. {first.name}: {first.reason}")
    return result


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


def _found(prediction: Parsing | NDArray[np.uint8], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    if isinstance(prediction, Parsing):
        return at_size(prediction, shape)[0]
    return labels_at(prediction, np.ones(prediction.shape, np.float32), shape)[0]


def _sentence(error: Exception) -> str:
    return f"{error.strerror}." if isinstance(error, OSError) and error.strerror else str(error)
