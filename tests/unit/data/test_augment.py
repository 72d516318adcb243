from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.classes import BY_NAME, CLASSES, EARRING, GLASSES, HAT, NECKLACE
from bisenet.data import backgrounds, photometric
from bisenet.data.accessories import paste_accessory
from bisenet.data.augment import (
    IGNORE,
    NO_AUGMENT,
    WIDE,
    AugmentConfig,
    Geometry,
    augment,
    draw_matrix,
    fill_outside,
    mirror,
    occlude,
    replace_background,
    warp_pair,
)
from tests.unit.training.helpers import face

EVERYTHING = AugmentConfig(accessory=1, scene=1, recolor_cloth=1, recolor_hair=1, patch=1, mirror=1)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_mirror_swaps_left_and_right() -> None:
    mask = np.array([[c.id for c in CLASSES]], np.uint8)
    image = np.arange(19 * 3, dtype=np.uint8).reshape(1, 19, 3)

    mirrored_image, mirrored = mirror(image, mask)

    names = [CLASSES[i].name for i in mirrored[0, ::-1]]
    swaps = {"l_brow": "r_brow", "l_eye": "r_eye", "l_ear": "r_ear"}
    swaps |= {right: left for left, right in swaps.items()}
    assert names == [swaps.get(c.name, c.name) for c in CLASSES]
    np.testing.assert_array_equal(mirrored_image[:, ::-1], image)


def test_mirror_keeps_ignored_pixels_and_undoes_itself() -> None:
    image, mask = face(1)
    mask[:5] = IGNORE
    twice_image, twice = mirror(*mirror(image, mask))
    assert (mirror(image, mask)[1][:5] == IGNORE).all()
    np.testing.assert_array_equal(twice_image, image)
    np.testing.assert_array_equal(twice, mask)


def test_without_changes_a_sample_is_the_photo() -> None:
    image, mask = face(1)
    out, out_mask = augment(rng(), image, mask, 64, NO_AUGMENT)
    np.testing.assert_array_equal(out, image)
    np.testing.assert_array_equal(out_mask, mask)


def test_a_mirrored_sample_swaps_labels() -> None:
    image, mask = face(1)
    config = dataclasses.replace(NO_AUGMENT, mirror=1.0)
    _, out = augment(rng(), image, mask, 64, config)
    left, right = BY_NAME["l_eye"].id, BY_NAME["r_eye"].id
    np.testing.assert_array_equal(out[:, ::-1] == right, mask == left)
    np.testing.assert_array_equal(out[:, ::-1] == left, mask == right)


@pytest.mark.parametrize("config", [AugmentConfig(), EVERYTHING])
def test_the_seed_decides_everything(config: AugmentConfig) -> None:
    donors = [face(i) for i in range(4)]
    before = [(image.copy(), mask.copy()) for image, mask in donors]
    for seed in range(12):
        first = augment(rng(seed), *donors[0], 48, config, donors, donors)
        again = augment(rng(seed), *donors[0], 48, config, donors, donors)
        np.testing.assert_array_equal(first[0], again[0])
        np.testing.assert_array_equal(first[1], again[1])
        assert first[0].shape == (48, 48, 3)
        assert set(np.unique(first[1])) <= {*range(19), IGNORE}
    for (image, mask), (old_image, old_mask) in zip(donors, before, strict=True):
        np.testing.assert_array_equal(image, old_image)
        np.testing.assert_array_equal(mask, old_mask)


def test_different_seeds_differ() -> None:
    image, mask = face(0)
    samples = {augment(rng(seed), image, mask, 48)[0].tobytes() for seed in range(8)}
    assert len(samples) == 8


PHOTOMETRIC: list[Callable[[np.random.Generator, NDArray[np.uint8]], NDArray[np.uint8]]] = [
    photometric.color_jitter,
    photometric.low_light,
    photometric.uneven_light,
    photometric.blur,
    photometric.light,
    lambda generator, image: photometric.add_noise(generator, image, 9),
    lambda _, image: photometric.jpeg(image, 20),
    lambda _, image: photometric.greyscale(image),
    lambda generator, image: photometric.recolor_region(generator, image, face(1)[1], "cloth"),
    lambda generator, image: photometric.recolor_region(generator, image, face(1)[1], "hair"),
]


@pytest.mark.parametrize("change", PHOTOMETRIC)
def test_light_changes_are_seeded_and_leave_the_photo_alone(
    change: Callable[[np.random.Generator, NDArray[np.uint8]], NDArray[np.uint8]],
) -> None:
    image, _ = face(1)
    before = image.copy()
    first, again = change(rng(3), image), change(rng(3), image)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(image, before)
    assert first.dtype == np.uint8
    assert first.shape == image.shape


@pytest.mark.parametrize(
    "make",
    [
        backgrounds.gradient,
        backgrounds.noise,
        backgrounds.stripes,
        lambda r, s: backgrounds.make_scene(r, s),
    ],
)
def test_scenes_are_seeded(make: Callable[[np.random.Generator, int], NDArray[np.uint8]]) -> None:
    first, again = make(rng(5), 40), make(rng(5), 40)
    np.testing.assert_array_equal(first, again)
    assert first.shape == (40, 40, 3)
    assert first.dtype == np.uint8


def test_scenes_do_without_scikit_image(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backgrounds, "bundled_pictures", tuple)
    for seed in range(20):
        assert backgrounds.make_scene(rng(seed), 32).shape == (32, 32, 3)


def test_the_background_of_a_photo_has_no_person() -> None:
    image = np.full((64, 64, 3), 40, np.uint8)
    mask = np.zeros((64, 64), np.uint8)
    image[20:44, 20:44], mask[20:44, 20:44] = 255, 1
    assert backgrounds.background_of(image, mask).max() < 60


def test_recolouring_touches_its_region_only() -> None:
    image, mask = face(1)
    changed = photometric.recolor_region(rng(), image, mask, "cloth")
    cloth = (mask == BY_NAME["cloth"].id).astype(np.uint8)
    far = cv2.dilate(cloth, np.ones((9, 9))) == 0
    np.testing.assert_array_equal(changed[far], image[far])
    assert (changed[mask == BY_NAME["cloth"].id] != image[mask == BY_NAME["cloth"].id]).any()


def test_a_shrunk_photo_and_its_mask_stay_together() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    mask = np.zeros((128, 128), np.uint8)
    image[32:96, 48:80], mask[32:96, 48:80] = 255, 1
    geometry = Geometry(zoom=(0.5, 0.5), roll=0, shift=0, perspective=0, aspect=0)
    matrix = draw_matrix(rng(), geometry, (128, 128), 128)

    small, small_mask, inside = warp_pair(image, mask, matrix, 128)

    assert (small_mask == 1).sum() == 32 * 16
    np.testing.assert_array_equal(small[..., 0] > 127, small_mask == 1)
    assert inside.sum() == pytest.approx(64 * 64, rel=0.07)
    assert (small_mask[~inside] != 1).all()


def test_geometry_stays_within_its_ranges() -> None:
    zooms, turns = [], []
    for seed in range(300):
        flat = dataclasses.replace(WIDE, perspective=0.0, aspect=0.0)
        matrix = draw_matrix(rng(seed), flat, (512, 512), 512)
        zooms.append(np.sqrt(np.linalg.det(matrix[:2, :2])))
        turns.append(abs(np.rad2deg(np.arctan2(matrix[1, 0], matrix[0, 0]))))
    assert WIDE.zoom[0] <= min(zooms) < 0.42
    assert 1.5 < max(zooms) <= WIDE.zoom[1]
    assert 30 < max(turns) <= WIDE.roll


def test_what_the_photo_does_not_reach_is_background_or_ignored() -> None:
    image, mask = face(1)
    geometry = Geometry(zoom=(0.5, 0.5), roll=0, shift=0, perspective=0, aspect=0)
    matrix = draw_matrix(rng(), geometry, (64, 64), 64)
    labels = set()
    for seed in range(30):
        warped, warped_mask, inside = warp_pair(image, mask, matrix, 64)
        fill_outside(rng(seed), image, warped, warped_mask, inside, matrix, [])
        outside = np.unique(warped_mask[~inside]).tolist()
        assert len(outside) == 1
        labels.add(outside[0])
    assert labels == {0, IGNORE}


def test_a_pasted_face_keeps_its_labels_and_loses_its_background() -> None:
    image, mask = face(1)
    scene = np.full_like(image, 9)
    inside = np.ones(mask.shape, bool)
    pasted, labels = replace_background(image, mask, inside, scene)
    np.testing.assert_array_equal(labels, mask)
    far = cv2.dilate((mask > 0).astype(np.uint8), np.ones((9, 9))) == 0
    assert (pasted[far] == 9).all()
    core = cv2.erode((mask > 0).astype(np.uint8), np.ones((11, 11))) > 0
    np.testing.assert_array_equal(pasted[core], image[core])


def test_an_occluder_of_scene_is_background() -> None:
    for seed in range(10):
        image, mask = np.zeros((96, 96, 3), np.uint8), np.ones((96, 96), np.uint8)
        occlude(rng(seed), image, mask, [])
        assert set(np.unique(mask)) == {0, 1}
        assert (image[mask == 1] == 0).all()


@pytest.mark.parametrize("which", [GLASSES, HAT, NECKLACE, EARRING])
def test_an_accessory_is_copied_with_its_label(which: int) -> None:
    donor, donor_mask = np.full((64, 64, 3), 200, np.uint8), face(2)[1]
    window = {GLASSES: (24, 32, 16, 48), HAT: (4, 14, 10, 54), NECKLACE: (49, 52, 16, 48)}
    top, bottom, left, right = window.get(which, (40, 46, 8, 14))
    donor_mask[top:bottom, left:right] = which
    image, mask = face(2)

    out, out_mask = paste_accessory(rng(), image, mask, (donor, donor_mask))

    assert (out_mask == which).sum() > 0
    assert (out[out_mask == which].mean() > 140) & (out[-1, -1] == image[-1, -1]).all()


def test_an_accessory_that_is_worn_already_is_not_copied() -> None:
    image, mask = face(1)
    _, out = paste_accessory(rng(), image, mask, face(3))
    np.testing.assert_array_equal(out, mask)


def test_no_third_party_face_in_the_backgrounds() -> None:
    assert not {Path(p).stem for p in backgrounds._PICTURES} & {"astronaut", "camera", "lfw_subset"}
