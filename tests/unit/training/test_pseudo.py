from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bisenet.classes import BY_NAME
from bisenet.data.device_jitter import jitter
from bisenet.data.partial_labels import NOT_HAIR, UNKNOWN
from bisenet.training.pseudo import LabelOptions, label_photos, mean_probabilities, plausible
from tests.unit.training.helpers import face

CPU = torch.device("cpu")


class Painted(nn.Module):
    """A network's stand-in: the class is written in a pixel's brightness (real ones: test_cuda)."""

    def forward_heads(self, x: Tensor) -> tuple[Tensor, ...]:
        grey = F.adaptive_avg_pool2d(x.mean(1, keepdim=True), (x.shape[2] // 8, x.shape[3] // 8))
        bright = (grey > 0).float() * 8
        logits = torch.zeros(len(x), 19, *grey.shape[2:])
        logits[:, 4:5] = bright  # left eye
        logits[:, 1:2] = 8 - bright
        return (logits,)


def test_left_and_right_change_places_in_the_mirror() -> None:
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    images[..., :32] = 255
    options = LabelOptions(sizes=(64,))
    means = mean_probabilities(Painted(), images, options)  # type: ignore[arg-type]
    assert means.sum(1).allclose(torch.ones(1, 64, 64), atol=1e-5)
    # The stand-in calls bright pixels a left eye in both images; mirrored, that is a right eye.
    assert means[0, 4, 32, 4] == pytest.approx(0.5, abs=0.01)
    assert means[0, 5, 32, 4] == pytest.approx(0.5, abs=0.01)
    assert means[0, 1, 32, 60] > 0.9
    alone = mean_probabilities(
        Painted(),  # type: ignore[arg-type]
        images,
        LabelOptions(sizes=(64,), mirror=False),
    )
    assert alone[0, 4, 32, 4] > 0.9


def test_logits_lie_with_their_corners_on_the_pictures() -> None:
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    images[..., 32:] = 255
    means = mean_probabilities(
        Painted(),  # type: ignore[arg-type]
        images,
        LabelOptions(sizes=(64,), mirror=False),
    )
    # 8 cells over 64 pixels: cells 3 and 4 lie at 27 and 36, so the edge is half-way between.
    edge = int((means[0, 4, 32] > 0.5).nonzero()[0])
    assert edge == 32
    assert (means[0, 4] > 0.5)[:, 32:].all()


def face_mask() -> np.ndarray:
    mask = np.zeros((60, 60), np.uint8)
    mask[10:55, 15:45] = 1
    mask[20:23, 18:24], mask[20:23, 36:42] = 5, 4
    mask[28:36, 28:32], mask[42:46, 22:38] = 10, 12
    return mask


def test_faces_in_implausible_places_are_dropped() -> None:
    assert plausible(face_mask())
    assert not plausible(face_mask()[::-1])
    profile = face_mask()
    profile[:, 30:] = 0
    assert plausible(profile)
    assert not plausible(np.zeros((60, 60), np.uint8))
    only_skin = np.where(face_mask() > 0, 1, 0).astype(np.uint8)
    assert not plausible(only_skin)


def test_unsure_pixels_stay_unknown_and_truth_overrules(monkeypatch: pytest.MonkeyPatch) -> None:
    guess = face_mask()
    guess[:5] = BY_NAME["hair"].id
    probabilities = F.one_hot(torch.from_numpy(guess.astype(np.int64)), 19).float()
    probabilities[50:] = 1 / 19
    means = probabilities.permute(2, 0, 1)[None]
    monkeypatch.setattr(
        "bisenet.training.pseudo.mean_probabilities",
        lambda _model, images, *_: means.expand(len(images), -1, -1, -1),
    )
    truth = np.full((60, 60), UNKNOWN, np.uint8)
    truth[:3] = NOT_HAIR
    photo = np.zeros((60, 60, 3), np.uint8)
    done: list[int] = []
    (with_truth,) = label_photos(
        nn.Identity(),  # type: ignore[arg-type]
        [photo],
        LabelOptions(),
        CPU,
        truths=[truth],
        progress=done.append,
    )
    assert with_truth is not None
    assert (with_truth[:3] == NOT_HAIR).all()
    assert (with_truth[3:5] == BY_NAME["hair"].id).all()
    assert (with_truth[50:] == UNKNOWN).all()
    np.testing.assert_array_equal(with_truth[5:50], guess[5:50])
    assert done == [1]


def test_a_variation_keeps_labels_on_their_pixels() -> None:
    torch.manual_seed(0)
    image, mask = face(1)
    images = torch.from_numpy(np.stack([image] * 6)).permute(0, 3, 1, 2)
    # The mask's own id as the picture: what comes out must still agree with its mask.
    ids = torch.from_numpy(np.stack([mask] * 6))
    moved, masks = jitter(images, ids)
    assert moved.shape == images.shape
    assert moved.dtype == torch.float32
    assert masks.dtype == torch.uint8
    assert set(torch.unique(masks).tolist()) <= {*np.unique(mask).tolist(), 7, 8, UNKNOWN}
    assert len({tuple(m.flatten().tolist()) for m in masks}) == 6
    painted = (ids[:, None] == 17).to(torch.uint8).expand(-1, 3, -1, -1) * 200
    shown, hair = jitter(painted, ids)
    inside = hair == 17
    assert inside.any()
    assert (shown.mean(1)[inside] > 60).float().mean() > 0.9
    assert (shown.mean(1)[(hair != 17) & (hair != UNKNOWN)] < 60).float().mean() > 0.9
