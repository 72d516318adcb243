from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix as reference
from sklearn.metrics import f1_score, jaccard_score, precision_score, recall_score

from bisenet.evaluation.metrics import (
    Scores,
    boundary_counts,
    boundary_f1,
    confusion_matrix,
    iou_and_f1,
    mean_of,
    precision_and_recall,
)


def test_confusion_matches_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 17, (40, 40)).astype(np.uint8)
    found = np.where(rng.random((40, 40)) < 0.7, truth, rng.integers(0, 17, (40, 40)))
    found = found.astype(np.uint8)

    matrix = confusion_matrix(truth, found)
    iou, f1 = iou_and_f1(matrix)

    labels = np.arange(19)
    np.testing.assert_array_equal(matrix, reference(truth.ravel(), found.ravel(), labels=labels))
    present = labels[:17]
    flat = (truth.ravel(), found.ravel())
    np.testing.assert_allclose(iou[:17], jaccard_score(*flat, labels=present, average=None))
    np.testing.assert_allclose(f1[:17], f1_score(*flat, labels=present, average=None))
    assert np.isnan(iou[17:]).all()


def test_scores_by_hand() -> None:
    truth = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)
    found = np.array([[0, 1, 1, 1], [0, 0, 2, 5]], np.uint8)
    scores = Scores()
    scores.add(truth, found)
    # background: 3 right, 4 true, 3 found. skin: 2 right, 3 true, 3 found. brow: false alarm.
    assert scores.miou == pytest.approx((3 / 4 + 2 / 4 + 0) / 3)
    assert scores.mean_f1 == pytest.approx((4 / 6 + 0) / 2)
    report = scores.as_dict()
    per_class = report["per_class"]
    assert isinstance(per_class, dict)
    assert per_class["skin"]["pixels"] == 3
    assert per_class["skin"]["images"] == 1
    assert per_class["l_brow"] == {
        "iou": 0.0,
        "f1": 0.0,
        "pixels": 0,
        "images": 0,
        "boundary_f1": 0.0,
    }
    assert per_class["hat"]["iou"] is None


def test_pixels_are_pooled_over_pictures() -> None:
    large, small = np.ones((10, 10), np.uint8), np.ones((1, 10), np.uint8)
    scores = Scores(with_boundary=False)
    scores.add(large, large)
    own = scores.add(small, np.zeros_like(small))
    assert own == 0
    assert scores.confusion[1].tolist()[:2] == [10, 100]
    assert scores.miou == pytest.approx((100 / 110 + 0) / 2)
    assert "mean_boundary_f1" not in scores.as_dict()


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match="prediction"):
        Scores().add(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8))


def test_boundary_f1_forgives_small_shifts_only() -> None:
    truth = np.zeros((200, 200), np.uint8)
    truth[50:150, 50:150] = 1
    scores = {}
    for shift in (0, 2, 12):
        found = np.roll(truth, shift, axis=1)
        scores[shift] = boundary_f1(boundary_counts(truth, found))[1]
    assert scores[0] == scores[2] == 1  # the tolerance is 0.75% of the diagonal: 2 pixels
    # Only top and bottom still match: 2 sides of 4, less their ends.
    assert scores[12] == pytest.approx(0.5, abs=0.07)


def test_boundary_of_a_missed_or_invented_class_is_zero_and_absent_is_left_out() -> None:
    truth = np.zeros((20, 20), np.uint8)
    found = truth.copy()
    truth[5:9, 5:9], found[12:15, 12:15] = 1, 2
    scores = boundary_f1(boundary_counts(truth, found))
    assert scores[1] == scores[2] == 0
    assert np.isnan(scores[3:]).all()
    assert mean_of(scores[1:]) == 0


def test_mean_of_nothing_is_zero() -> None:
    assert mean_of(np.array([np.nan, np.nan])) == 0


def test_precision_and_recall_match_scikit_learn() -> None:
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 5, 2000).astype(np.uint8)
    found = np.where(rng.random(2000) < 0.6, truth, rng.integers(0, 5, 2000)).astype(np.uint8)
    precision, recall = precision_and_recall(confusion_matrix(truth, found))
    options = {"labels": np.arange(5), "average": None}
    np.testing.assert_allclose(precision[:5], precision_score(truth, found, **options))
    np.testing.assert_allclose(recall[:5], recall_score(truth, found, **options))
    assert np.isnan(precision[5:]).all()
    assert np.isnan(recall[5:]).all()


def test_boundaries_do_not_depend_on_where_a_region_lies_nor_on_the_frame() -> None:
    rng = np.random.default_rng(3)
    truth = np.zeros((120, 120), np.uint8)
    truth[40:70, 40:80] = 1
    found = truth.copy()
    found[rng.random(found.shape) < 0.02] = 1
    two_pixels = 2 / float(np.hypot(120, 120))
    small = boundary_counts(truth, found, two_pixels)[1]
    large = boundary_counts(np.pad(truth, 60), np.pad(found, 60), two_pixels / 2)[1]
    assert small.tolist() == large.tolist()
    assert small[2] == 2 * (30 + 40) - 4
    corner = np.zeros((120, 120), np.uint8)
    corner[:30, :40] = 1
    # The frame's edge is no boundary: two sides of four are left.
    assert boundary_counts(corner, corner, two_pixels)[1].tolist() == [30 + 40 - 1] * 4
