"""Labels and confidence of a whole photo that lies upright in the crop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.geometry.crops import whole_crop
from bisenet.postprocess import upright
from bisenet.postprocess.logits import softmax
from tests.unit.logits import logits_at, noise


def test_the_whole_crop_is_labelled_as_the_published_code_does() -> None:
    torch = pytest.importorskip("torch")
    logits = noise()
    wide = torch.nn.functional.interpolate(
        torch.from_numpy(logits)[None], size=(128, 128), mode="bilinear", align_corners=True
    )[0].numpy()
    crop = whole_crop(128, 128, 128)
    labels, confidence = upright.read_whole(logits, 128, crop.matrix, (128, 128))
    lead = np.sort(wide, axis=0)
    clear = lead[-1] - lead[-2] > 1e-4
    # Noise has winners that are smaller than the samples are apart; a network's have not.
    assert (labels == wide.argmax(0))[clear].mean() > 0.999
    assert (labels == wide.argmax(0))[lead[-1] - lead[-2] > 0.05].all()
    assert clear.mean() > 0.99
    assert np.abs(confidence - softmax(wide).max(0)).mean() < 0.02


@pytest.mark.parametrize("shape", [(300, 517), (1111, 640), (90, 60), (1, 7)])
def test_a_whole_photo_of_any_shape_is_read_where_its_pixels_lie(shape: tuple[int, int]) -> None:
    logits = noise()
    crop = whole_crop(*shape, 128)
    labels, confidence = upright.read_whole(logits, 128, crop.matrix, shape)
    assert labels.shape == confidence.shape == shape
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    points = crop.to_crop(np.stack([columns.ravel(), rows.ravel()], 1).astype(float))
    wanted = logits_at(logits, points, 128)
    lead = np.sort(wanted, axis=0)
    same = labels.ravel() == wanted.argmax(0)
    assert same[lead[-1] - lead[-2] > 0.05].mean() > 0.999
    wrong = np.abs(confidence.ravel() - softmax(wanted.astype(np.float32)).max(0))
    assert wrong.mean() < 0.02


def _smooth(grid: int = 64, classes: int = 19) -> NDArray[np.float32]:
    """Regions several samples wide, as a network's are."""
    coarse = np.random.default_rng(5).normal(0, 8, (classes, grid // 8, grid // 8))
    axis = np.linspace(0, grid // 8 - 1.001, grid)
    points = np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2)
    side = grid // 8
    return (
        logits_at(coarse.astype(np.float32), points, side)
        .reshape(classes, grid, grid)
        .astype(np.float32)
    )


@pytest.mark.parametrize("shape", [(512, 512), (701, 433), (1000, 1000)])
def test_every_label_is_the_argmax(shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where blocks are read in parts."""
    monkeypatch.setattr(upright, "BLOCK_PIXELS", 10_000)
    logits = _smooth()
    crop = whole_crop(*shape, 512)
    labels, _ = upright.read_whole(logits, 512, crop.matrix, shape)
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    points = crop.to_crop(np.stack([columns.ravel(), rows.ravel()], 1).astype(float))
    wanted = logits_at(logits, points, 512)
    best = wanted.max(axis=0)
    found = np.take_along_axis(wanted, labels.reshape(1, -1).astype(int), axis=0)[0]
    assert len(np.unique(labels)) > 10
    assert (best - found).max() < 1e-4
