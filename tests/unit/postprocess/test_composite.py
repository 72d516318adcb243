"""Faces painted on the photo's composite."""

from __future__ import annotations

import numpy as np
import pytest

from bisenet.classes import BACKGROUND
from bisenet.geometry.crops import square_crop
from bisenet.postprocess.composite import Composite


def test_where_heads_overlap_the_stronger_claim_wins() -> None:
    """Two crops side by side, each sure of its own class everywhere."""
    shape = (200, 300)
    composite = Composite(shape, several=True)
    for class_id, x in ((1, 100), (17, 200)):
        logits = np.zeros((19, 16, 16), np.float32)
        logits[class_id] = 5
        composite.paint(logits, square_crop((x, 100), 160, 0, 128, shape), None)
    row = composite.mask[100]
    assert (row[30:140] == 1).all()
    assert (row[160:270] == 17).all()
    left, right = composite.finished()
    assert (left.mask[100, 30:140] == 1).all()
    assert (left.mask[100, 160:] == BACKGROUND).all()
    assert np.array_equal(np.maximum(left.mask, right.mask), composite.mask)


@pytest.mark.parametrize("side", [90.0, 500.0])
def test_one_face_alone_is_as_one_of_several(side: float) -> None:
    """Whether its crop lies in the photo or holds all of it."""
    shape = (120, 150)
    logits = np.random.default_rng(2).normal(0, 2, (19, 16, 16)).astype(np.float32)
    crop = square_crop((80, 50), side, 20, 128, shape)
    alone, one = Composite(shape, several=False), Composite(shape, several=True)
    for composite in (alone, one):
        composite.paint(logits, crop, None)
    assert np.array_equal(alone.mask, one.mask)
    assert np.array_equal(alone.confidence, one.confidence)
    assert np.array_equal(alone.instance_ids, one.instance_ids)
    assert alone.mask.shape == alone.confidence.shape == shape
    assert set(np.unique(alone.instance_ids)) == ({0, 1} if side < 100 else {1})
    assert (alone.confidence[alone.instance_ids == 0] == 1).all()
    (face,), (other,) = alone.finished(), one.finished()
    assert np.array_equal(face.mask, alone.mask)
    assert face.score == other.score > 0
