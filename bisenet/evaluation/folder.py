"""A folder of photos and masks on the disk, scored as the Evaluate page scores its files."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BY_NAME
from bisenet.data.faces import largest_face
from bisenet.data.label_mapping import Labelling
from bisenet.data.masks import Read
from bisenet.data.pairing import Pair, Pairing, pair_up
from bisenet.evaluation import runner
from bisenet.evaluation.runner import EvaluatedNetwork, Outcome, ParseFor
from bisenet.evaluation.survey import split_by_ids, survey
from bisenet.geometry.boxes import Box
from bisenet.images.folder_tree import look_below
from bisenet.images.sources import read_path
from bisenet.parser import FramingName

_TOP = [BY_NAME[name].id for name in ("l_brow", "r_brow", "l_eye", "r_eye", "eye_g")]
_ADVICE = "Other orders: --labels. Masks that leave classes open: --partial."


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


def reader(root: Path) -> Read:
    """Reads files below a folder by their paths there."""
    return lambda name: read_path(root / name)


def evaluate(
    root: Path,
    pairs: Sequence[Pair],
    labelling: Labelling,
    network: EvaluatedNetwork,
    parse_for: ParseFor,
    framing: FramingName,
    progress: Callable[[float, str], None] = lambda _share, _what: None,
) -> Outcome:
    """Score a network on every pair below a folder, at its mask's size.

    ``Outcome.problems`` lists the pairs that could not be scored.

    Args:
        root, pairs: as ``find_pairs`` takes and gives them.
        labelling: what the masks' ids mean.
        network, parse_for, framing, progress: as ``runner.evaluate`` takes them.

    Raises:
        ValueError: none of the pairs can be scored.
    """
    read = reader(root)
    seen = survey(pairs, read, progress)
    checked, unknown = split_by_ids(seen.checked, labelling, _ADVICE)
    outcome = runner.evaluate(checked, read, labelling, [(network, parse_for)], framing, progress)
    problems = (*seen.problems, *unknown, *outcome.problems)
    if not outcome.photos:
        first = problems[0]
        raise ValueError(f"None of the pairs can be scored. {first.name}: {first.reason}")
    return dataclasses.replace(outcome, problems=problems)


def true_box(truth: NDArray[np.uint8], width: int, height: int) -> Box | None:
    """Box of the largest face in a mask ``(H, W)``, from brow to chin, in the photo's pixels.

    Args:
        truth: class ids.
        width: of the photo, pixels.
        height: of the photo, pixels.

    Returns:
        x0, y0, x1, y1; None where the mask shows no face.
    """
    face = largest_face(truth)
    if face is None:
        return None
    x0, y0, x1, y1 = face.box
    brows = np.flatnonzero((np.isin(truth, _TOP) & face.region).any(1))
    top = int(brows[0]) if len(brows) else y0
    fx, fy = width / truth.shape[1], height / truth.shape[0]
    return (x0 * fx, top * fy, x1 * fx, y1 * fy)
