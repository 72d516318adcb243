from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.evaluation.bootstrap import MIN_PHOTOS, Differences, compare
from bisenet.evaluation.metrics import confusion_matrix, iou_and_f1, mean_of
from bisenet.evaluation.report import difference_table, verdict
from bisenet.evaluation.scoring import PhotoScore

Array = NDArray[np.uint8]


def scored(truth: Array, found: Array) -> PhotoScore:
    matrix = confusion_matrix(truth, found)
    edges, inside = np.zeros((19, 4), np.int64), matrix.sum(1)
    return PhotoScore(matrix, None, edges, inside, np.zeros((15, 3)), 0.0)


def noisy(seed: int, share: float, photos: int = 30, classes: int = 6) -> list[PhotoScore]:
    """The same truths for every seed; ``share`` of the pixels predicted at random."""
    truths = np.random.default_rng(9).integers(0, classes, (photos, 40, 40)).astype(np.uint8)
    rng = np.random.default_rng(seed)
    wrong = rng.random(truths.shape) < share
    found = np.where(wrong, rng.integers(0, classes, truths.shape), truths).astype(np.uint8)
    return [scored(t, f) for t, f in zip(truths, found, strict=True)]


def test_identical_networks_do_not_differ() -> None:
    a = noisy(0, 0.3)
    for found in compare(a, a).values():
        assert (found.low[:6] == 0).all()
        assert (found.high[:6] == 0).all()
        assert not found.differs.any()
        assert not found.mean_differs


def test_equally_good_networks_have_0_inside() -> None:
    found = compare(noisy(0, 0.3), noisy(1, 0.3))["iou"]
    inside = (found.low[:6] <= 0) & (found.high[:6] >= 0)
    assert inside.sum() >= 5  # of twenty intervals, one may miss by chance
    assert found.mean[2] < 0 < found.mean[3]


def test_a_truly_worse_one_has_0_outside() -> None:
    found = compare(noisy(0, 0.2), noisy(1, 0.4))
    for one in found.values():
        assert (one.high[:6] < 0).all()
        assert one.differs[:6].all()
        assert one.mean_differs
        assert one.mean[3] < 0
    assert verdict(found["iou"], "IoU").startswith("Beyond chance, B is worse at background, skin")


def test_a_class_counts_the_photos_whose_truth_shows_it() -> None:
    truths = np.zeros((5, 8, 8), np.uint8)
    truths[:2, 0] = 3
    found = np.full_like(truths, 3)
    scores = [scored(t, f) for t, f in zip(truths, found, strict=True)]
    assert compare(scores, scores)["iou"].photos[[0, 3]].tolist() == [5, 2]


def test_scores_are_those_of_the_pooled_counts() -> None:
    a, b = noisy(0, 0.2), noisy(1, 0.3)
    found = compare(a, b)
    for k, (name, keep) in enumerate({"iou": slice(0, 19), "f1": slice(1, 19)}.items()):
        for scores, values, mean in ((a, found[name].first, 0), (b, found[name].second, 1)):
            pooled = iou_and_f1(np.sum([s.confusion for s in scores], axis=0))[k]
            np.testing.assert_allclose(values, pooled)
            assert found[name].mean[mean] == pytest.approx(mean_of(pooled[keep]))


def test_the_interval_holds_what_a_plain_bootstrap_finds() -> None:
    a, b = noisy(0, 0.2, photos=12), noisy(1, 0.25, photos=12)
    found = compare(a, b, draws=4000, seed=3)["iou"]
    rng, plain = np.random.default_rng(4), []
    for _ in range(4000):
        drawn = rng.integers(0, 12, 12)
        sides = [iou_and_f1(np.sum([s[i].confusion for i in drawn], axis=0))[0] for s in (a, b)]
        plain.append(sides[1] - sides[0])
    low, high = np.percentile(np.array(plain)[:, :6], [2.5, 97.5], axis=0)
    np.testing.assert_allclose(found.low[:6], low, atol=0.006)
    np.testing.assert_allclose(found.high[:6], high, atol=0.006)


def test_the_same_seed_gives_the_same_interval() -> None:
    a, b = noisy(0, 0.2), noisy(1, 0.3)
    np.testing.assert_array_equal(compare(a, b)["f1"].low, compare(a, b)["f1"].low)


def test_few_photos_never_differ_and_that_is_said() -> None:
    found = compare(noisy(0, 0.1, MIN_PHOTOS - 1), noisy(1, 0.6, MIN_PHOTOS - 1))["iou"]
    assert not found.differs.any()
    assert not found.mean_differs
    assert "these are 9" in verdict(found, "IoU")


def test_a_class_of_few_photos_is_told_apart() -> None:
    a, b = noisy(0, 0.1), noisy(1, 0.5)
    rare = np.full((4, 4), 18, np.uint8)
    a += [scored(rare, rare)] * 3
    b += [scored(rare, np.zeros_like(rare))] * 3
    found = compare(a, b)["iou"]
    assert found.photos[18] == 3
    assert not found.differs[18]
    assert "Fewer than 10 photos show one class, too few to tell." in verdict(found, "IoU")


def test_stray_predictions_are_no_photos_of_a_class() -> None:
    plain = np.zeros((8, 8), np.uint8)
    stray = plain.copy()
    stray[0, 0] = 18
    a, b = [scored(plain, plain)] * 20, [scored(plain, stray)] * 20
    found = compare(a, b)["iou"]
    assert found.photos.tolist()[:1] + found.photos.tolist()[18:] == [20, 0]
    assert not found.differs[18]
    assert found.differs[0]


def test_the_table_has_the_classes_that_occur_and_the_mean() -> None:
    found = compare(noisy(0, 0.2), noisy(1, 0.4))["f1"]
    table = difference_table(found)
    assert table["title"].tolist()[-1] == "Mean"
    assert len(table) == 7
    np.testing.assert_allclose(table["difference"], table["b"] - table["a"])


def test_sides_must_match() -> None:
    with pytest.raises(ValueError, match="same photos"):
        compare(noisy(0, 0.1), noisy(0, 0.1)[:-1])
    with pytest.raises(ValueError, match="one or more"):
        compare([], [])


def test_no_difference_is_said() -> None:
    a = noisy(0, 0.3)
    found: Differences = compare(a, a)["iou"]
    assert verdict(found, "IoU").startswith("No class differs beyond chance. The mean IoU does not")
