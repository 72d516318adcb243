from __future__ import annotations

import numpy as np
import pytest

from bisenet.classes import CLASSES, palette
from bisenet.output import render

IMAGE = np.full((6, 8, 3), 100, dtype=np.uint8)
MASK = np.zeros((6, 8), dtype=np.uint8)
MASK[1:5, 2:6] = 17


def test_overlay_blends_shown_classes_only() -> None:
    out = render.overlay(IMAGE, MASK, opacity=0.5)
    assert (out[0, 0] == 100).all()
    expected = (100 * 127 + np.array(CLASSES[17].rgb) * 128) / 255  # 0.5 is 128 of 255
    assert np.abs(out[2, 3] - expected).max() <= 0.5
    assert (render.overlay(IMAGE, MASK, 0.5, hidden={0, 17}) == IMAGE).all()


def test_opacity_runs_from_photo_to_colours() -> None:
    assert (render.overlay(IMAGE, MASK, 0.0, hidden=()) == IMAGE).all()
    assert (render.overlay(IMAGE, MASK, 1.0, hidden=()) == palette()[MASK]).all()


def test_outline_draws_the_boundary_and_leaves_the_inside() -> None:
    out = render.outline(IMAGE, MASK, thickness=1)
    assert (out[1, 2] == CLASSES[17].rgb).all()
    assert (out[2:4, 3:5] == 100).all()
    assert (out[0] == 100).all()
    assert (render.outline(IMAGE, MASK, hidden={0, 17}) == IMAGE).all()


def test_a_drawing_is_filled_or_outlined_or_both_with_lines_that_grow_with_the_photo() -> None:
    image, mask = np.full((1500, 300, 3), 100, np.uint8), np.zeros((1500, 300), np.uint8)
    mask[:, 100:200] = 17
    fill, lines, both = (render.draw(image, mask, m, 0.5)[700] for m in ("fill", "outline", "both"))
    colour = np.array(CLASSES[17].rgb)
    assert (fill[100:200] == render.overlay(IMAGE, MASK, 0.5)[2, 3]).all()
    drawn = (lines == colour).all(-1)
    assert (lines[~drawn] == 100).all()
    # 1500 pixels high: lines of round(2.5) = 2; twice as high, of 5.
    assert drawn.sum() == pytest.approx(2 * 2, abs=1)
    tall = render.draw(np.repeat(image, 2, 0), np.repeat(mask, 2, 0), "outline")[700]
    assert (tall == colour).all(-1).sum() > drawn.sum()
    assert (both[drawn] == colour).all()
    assert (both[~drawn] == fill[~drawn]).all()


def test_cut_out_carries_alpha() -> None:
    alpha = np.linspace(0, 1, 48, dtype=np.float32).reshape(6, 8)
    out = render.cut_out(IMAGE, alpha)
    assert out.shape == (6, 8, 4)
    assert (out[0, 0, 3], out[-1, -1, 3]) == (0, 255)
