from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix as reference

from bisenet.data.label_mapping import IGNORE
from bisenet.evaluation.calibration import expected_calibration_error
from bisenet.evaluation.scoring import face_height, pooled, score, thumbnail, without_ignored
from bisenet.postprocess.results import Parsing
from tests.conftest import ROOT


def parsing_of(mask: np.ndarray, confidence: float, owner: np.ndarray | None = None) -> Parsing:
    return Parsing(
        image=np.zeros((*mask.shape, 3), np.uint8),
        mask=mask,
        confidence=np.full(mask.shape, confidence, np.float32),
        faces=(),
        instance_ids=np.ones(mask.shape, np.uint8) if owner is None else owner,
    )


def test_a_photo_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, IGNORE]], np.uint8)
    found = np.array([[0, 1, 1, 1], [0, 0, 2, 5]], np.uint8)
    one = score(truth, parsing_of(found, 0.9))
    # background: 3 right of 4 in either. skin: 2 right of 4 in either. brow: a false alarm.
    assert one.miou == pytest.approx((3 / 4 + 2 / 4 + 0) / 3)
    assert one.confusion.sum() == 7
    total, counts = pooled([one, one])
    assert (total.images, total.confusion.sum()) == (2, 14)
    assert total.miou == pytest.approx(one.miou)
    # 5 of 7 pixels are right, at a confidence of 0.9.
    assert expected_calibration_error(counts) == pytest.approx(0.9 - 5 / 7, abs=1e-6)


def test_pooled_counts_are_those_of_all_pixels_together() -> None:
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 19, (3, 20, 20)).astype(np.uint8)
    found = np.where(rng.random(truths.shape) < 0.6, truths, (truths + 1) % 19).astype(np.uint8)
    total, _ = pooled(score(t, parsing_of(f, 0.5)) for t, f in zip(truths, found, strict=True))
    wanted = reference(truths.ravel(), found.ravel(), labels=np.arange(19))
    np.testing.assert_array_equal(total.confusion, wanted)


def test_pixels_beyond_the_faces_have_no_say_in_calibration() -> None:
    mask = np.zeros((10, 10), np.uint8)
    owner = np.zeros((10, 10), np.uint8)
    owner[:5] = 1
    one = score(mask, parsing_of(mask, 0.8, owner))
    assert one.calibration[:, 0].sum() == 50
    assert one.confusion.sum() == 100


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="prediction"):
        score(np.zeros((2, 2), np.uint8), parsing_of(np.zeros((2, 3), np.uint8), 1.0))


def test_the_height_is_that_of_the_largest_face() -> None:
    truth = np.full((100, 100), 17, np.uint8)
    truth[10:60, 10:50] = 1
    truth[20:25, 20:30] = 10
    truth[60:80, 10:50] = 14
    truth[5:12, 80:90] = 1
    assert face_height(truth) == 50
    assert face_height(np.full((10, 10), 17, np.uint8)) == 0


def test_a_thumbnail_is_small_and_ignored_pixels_can_be_drawn() -> None:
    small = Image.open(io.BytesIO(thumbnail(Image.new("RGB", (400, 200)))))
    assert small.size == (96, 48)
    drawn = without_ignored(np.array([[3, IGNORE]], np.uint8))
    assert drawn.tolist() == [[3, 0]]
    assert drawn.dtype == np.uint8


def test_the_package_imports_neither_torch_nor_streamlit() -> None:
    script = (
        "import sys; from bisenet.evaluation import bootstrap, report, runner, sources, survey;"
        "print([m for m in ('torch', 'streamlit') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert done.stdout.strip() == "[]"
