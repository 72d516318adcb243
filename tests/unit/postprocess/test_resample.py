"""From coarse logits to labels at the photo's resolution, however the crop lies in it."""

from __future__ import annotations

import numpy as np
import pytest

from bisenet.geometry.crops import square_crop
from bisenet.postprocess import resample
from bisenet.postprocess.logits import LogitGrid
from bisenet.postprocess.resample import label_window, warp_plane
from tests.unit.logits import logits_at, noise


@pytest.mark.parametrize(("side", "turn"), [(300.0, 0.0), (310.0, 21.0), (57.0, -140.0)])
def test_every_pixel_of_a_turned_crop_gets_the_class_that_leads_there(
    side: float, turn: float
) -> None:
    logits = noise()
    crop = square_crop((200.3, 180.8), side, turn, 128, (400, 420))
    labels, covered = label_window(LogitGrid(logits, 128), crop.matrix, crop.window)
    x, y, width, height = crop.window
    rows, columns = np.mgrid[:height, :width]
    points = crop.to_crop(np.stack([columns.ravel() + x, rows.ravel() + y], 1).astype(float))
    inside = ((points > 0.1) & (points < 126.9)).all(1)
    assert covered.ravel()[inside].all()
    assert not covered.ravel()[((points < -1) | (points > 128)).any(1)].any()
    wanted = logits_at(logits, points[inside], 128)
    lead = np.sort(wanted, axis=0)
    # Noise has winners that are smaller than the samples are apart; a network's have not.
    same = labels.ravel()[inside] == wanted.argmax(0)
    assert same[lead[-1] - lead[-2] > 0.05].mean() > 0.999
    assert same.mean() > 0.995


@pytest.mark.parametrize("turn", [0.0, 28.0])
def test_a_disc_comes_back_where_it_was(turn: float) -> None:
    """A disc in the photo, seen in the crop's coarse logits, keeps its centre and its size."""
    shape, middle, radius = (900, 900), np.array([431.7, 466.2]), 140.0
    crop = square_crop((450, 450), 600, turn, 512, shape)
    axis = np.linspace(0, 511, 64)
    at = crop.to_photo(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2))
    inside = radius - np.hypot(*(at - middle).T)
    logits = np.zeros((19, 64, 64), np.float32)
    logits[1] = inside.reshape(64, 64) / 10
    labels, _ = label_window(LogitGrid(logits, 512), crop.matrix, crop.window)
    ys, xs = np.nonzero(labels == 1)
    centre = np.array([xs.mean() + crop.window[0], ys.mean() + crop.window[1]])
    assert np.hypot(*(centre - middle)) < 0.1
    assert np.sqrt(len(xs) / np.pi) == pytest.approx(radius, abs=0.5)


def test_strips_join_without_a_seam(monkeypatch: pytest.MonkeyPatch) -> None:
    logit_grid = LogitGrid(noise(), 128)
    crop = square_crop((100, 100), 150, 12, 128, (200, 200))
    whole, _ = label_window(logit_grid, crop.matrix, crop.window)
    monkeypatch.setattr(resample, "STRIP_PIXELS", 1700)
    strips, _ = label_window(logit_grid, crop.matrix, crop.window)
    # The nearest cell is rounded to a thousandth of a pixel, from each strip's own origin.
    assert (whole == strips).mean() > 0.9999


def test_boundaries_at_24_megapixels_are_no_stairs() -> None:
    """A straight boundary stays within a pixel of a line, though a logit cell has 47 pixels."""
    logits = np.zeros((19, 64, 64), np.float32)
    axis = np.arange(64, dtype=np.float32)
    logits[1] = axis[None, :] - 0.37 * axis[:, None] - 20.2
    crop = square_crop((2000, 2000), 3000, 5, 512, (4000, 6000))
    window = (1800, 900, 500, 2200)
    labels, _ = label_window(LogitGrid(logits, 512), crop.matrix, window)
    edges = labels.argmax(axis=1)
    rows = np.flatnonzero((edges > 0) & (labels[:, -1] == 1))
    assert len(rows) > 500
    line = np.polyval(np.polyfit(rows, edges[rows], 1), rows)
    assert np.abs(line - edges[rows]).max() < 1.0


def test_confidence_is_read_between_samples() -> None:
    logit_grid = LogitGrid(noise(), 128)
    ramp = np.tile(np.arange(logit_grid.confidence.shape[0], dtype=np.float32), (61, 1))
    crop = square_crop((50, 50), 64, 0, 128, (100, 100))
    values = warp_plane(ramp, logit_grid, crop.matrix, (30, 40, 20, 3))
    steps = np.diff(values[0])
    assert steps == pytest.approx(np.full(19, 2 * 60 / 127), abs=0.07)


@pytest.mark.parametrize("turn", [0.0, 33.0])
def test_a_plane_on_a_large_photo_is_warped_small_and_enlarged(turn: float) -> None:
    """A slope comes back as it is, wherever the warp reads it from."""
    logit_grid = LogitGrid(noise(), 128)
    n = logit_grid.samples
    slope = np.add.outer(np.arange(n), 2 * np.arange(n)).astype(np.float32)
    crop = square_crop((1000, 900), 1500, turn, 128, (1801, 2003))
    window = (700, 601, 523, 400)
    values = warp_plane(slope, logit_grid, crop.matrix, window)
    rows, columns = np.mgrid[:400, :523]
    points = np.stack([columns.ravel() + 700, rows.ravel() + 601], 1).astype(float)
    x, y = (crop.to_crop(points) / logit_grid.step).T
    assert np.abs(values - (y + 2 * x).reshape(400, 523))[8:-8, 8:-8].max() < 0.2
