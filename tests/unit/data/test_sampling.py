from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from bisenet.classes import BY_NAME
from bisenet.data.augment import CROP_RULES, NO_AUGMENT, AugmentConfig, CropRule
from bisenet.data.faces import find_faces, find_photos, load_faces
from bisenet.data.sampling import (
    Draw,
    EpochSampler,
    FaceDataset,
    Source,
    repeat_factors,
)
from tests.unit.training.helpers import face, write_faces


def source(root: Path, count: int, keep: bool = True, crop: CropRule = "aligned") -> Source:
    files = find_faces(write_faces(root, count), "bisenet")
    faces, counts = load_faces(files, keep)
    assert (faces is not None) == keep
    return Source(root.name, files, counts, faces, crop=crop)


def test_rare_classes_are_repeated() -> None:
    counts = np.zeros((100, 19), np.int64)
    counts[:, 1] = 1
    counts[:4, BY_NAME["hat"].id] = 1
    counts[:50, BY_NAME["ear_r"].id] = 1
    factors = repeat_factors(counts, 0.25)
    assert factors[:4] == pytest.approx(2.5)
    assert (factors[4:] == 1).all()


def test_epochs_are_the_same_for_the_same_seed_and_show_every_face() -> None:
    factors = [np.array([1.0, 2.5, 1.0, 1.0])]
    first, again = EpochSampler(factors, 7), EpochSampler(factors, 7)
    shown = []
    for epoch in range(6):
        first.set_epoch(epoch, 96, 1)
        again.set_epoch(epoch, 96, 1)
        batches = list(first)
        assert batches == list(again)
        assert len(batches) == len(first)
        shown.append([d.index for batch in batches for d in batch])
        assert set(shown[-1]) == {0, 1, 2, 3}
    assert {len(s) for s in shown} == {5, 6}
    assert shown[0] != shown[1]


def test_a_last_small_batch_is_left_out_unless_it_is_the_only_one() -> None:
    sampler = EpochSampler([np.ones(7)], 0)
    sampler.set_epoch(0, 64, 3)
    assert [len(b) for b in sampler] == [3, 3]
    sampler.set_epoch(0, 64, 16)
    assert [len(b) for b in sampler] == [7]


def test_data_sets_have_their_shares_of_every_epoch() -> None:
    factors = [np.ones(3), np.ones(50), np.array([0.0, 1.0, 0.0])]
    sampler = EpochSampler(factors, 0, shares=(2, 1, 1), samples=80)
    for epoch in range(2):
        sampler.set_epoch(epoch, 64, 8)
        draws = [draw for batch in sampler for draw in batch]
        assert len(draws) == 80 == 8 * len(sampler)
        assert Counter(d.source for d in draws) == {0: 40, 1: 20, 2: 20}
        # Each photo of a small set comes as often as any other; one left out never does.
        assert set(Counter(d.index for d in draws if d.source == 0).values()) <= {13, 14}
        assert len({d.index for d in draws if d.source == 1}) == 20
        assert {d.index for d in draws if d.source == 2} == {1}
        # Not one set after the other.
        assert len({d.source for d in draws[:20]}) == 3


def test_shares_need_an_epochs_length_and_something_to_show() -> None:
    with pytest.raises(ValueError, match="number of samples"):
        EpochSampler([np.ones(2), np.ones(2)], 0, (1, 1))
    with pytest.raises(ValueError, match="no photo to show"):
        EpochSampler([np.ones(2), np.zeros(2)], 0, (1, 1), samples=4)


@pytest.mark.parametrize("keep", [True, False])
def test_samples_depend_on_the_draw_alone(tmp_path: Path, keep: bool) -> None:
    data = FaceDataset([source(tmp_path, 4, keep)], AugmentConfig(), seed=3)
    image, mask = data[Draw(epoch=1, position=5, index=2, size=32)]
    again, _ = data[Draw(epoch=1, position=5, index=2, size=32)]
    other, _ = data[Draw(epoch=2, position=5, index=2, size=32)]
    assert image.shape == (3, 32, 32)
    assert mask.shape == (32, 32)
    assert image.equal(again)
    assert not image.equal(other)


def test_a_gentle_draw_takes_the_gentle_augmentation(tmp_path: Path) -> None:
    data = FaceDataset([source(tmp_path, 2)], AugmentConfig(), seed=0, gentle=NO_AUGMENT)
    image, mask = data.sample(Draw(epoch=0, position=0, index=1, size=64, gentle=True))
    np.testing.assert_array_equal(image, face(1)[0])
    np.testing.assert_array_equal(mask, face(1)[1])


def test_photos_are_shown_once_they_have_labels(tmp_path: Path) -> None:
    files = find_photos(write_faces(tmp_path, 3))
    faces, counts = load_faces(files)
    unlabelled = Source("u", files, counts, faces, full=False, unlabelled=True)
    assert unlabelled.shown is not None
    assert not unlabelled.shown.any()
    unlabelled.relabel([face(0)[1], None, face(2)[1]])
    assert unlabelled.shown.tolist() == [True, False, True]
    np.testing.assert_array_equal(unlabelled.face(2)[1], face(2)[1])
    assert unlabelled.counts[:, 17].tolist() == [
        int((face(0)[1] == 17).sum()),
        0,
        int((face(2)[1] == 17).sum()),
    ]
    with pytest.raises(ValueError, match="in memory only"):
        Source("u", files, counts).relabel([None] * 3)


@pytest.mark.parametrize("crop", CROP_RULES)
def test_every_crop_rule_shows_photos(tmp_path: Path, crop: CropRule) -> None:
    made = source(tmp_path, 2, crop=crop)
    made.full = False
    data = FaceDataset([made], AugmentConfig(), seed=1)
    for position in range(12):
        image, mask = data.sample(Draw(0, position, position % 2, 64))
        assert image.shape == (64, 64, 3)
        assert set(np.unique(mask)) <= {*range(19), 255}


def test_only_full_labels_are_cut_out_and_recoloured(tmp_path: Path) -> None:
    made = source(tmp_path, 1)
    config = AugmentConfig()
    assert made.augmentation(config) == config
    made.full = False
    partial = made.augmentation(config)
    assert (partial.accessory, partial.scene, partial.recolor_hair) == (0, 0, 0)
    assert partial.geometries == config.geometries
    made.crop = "loose"
    assert made.augmentation(config).geometries == CROP_RULES["loose"][0]
