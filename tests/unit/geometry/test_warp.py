from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from bisenet.geometry import warp as warping
from bisenet.geometry.warp import nearest, warp
from bisenet.images.decode import MAX_SIDE

LONG = [(40_000, 150), (150, 40_000), (MAX_SIDE, 3), (3, MAX_SIDE), (1, MAX_SIDE), (32_768, 1)]


def noise(shape: tuple[int, ...]) -> NDArray[np.uint8]:
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), LONG)
@pytest.mark.parametrize("axis", [0, 1])
def test_a_long_picture_is_mirrored_to_its_last_pixel(height: int, width: int, axis: int) -> None:
    """OpenCV by itself raises, or leaves what lies beyond 32,767 black."""
    mask = noise((height, width))
    matrix = np.array([[1.0, 0, 0], [0, 1, 0]])
    matrix[1 - axis] = -matrix[1 - axis]
    matrix[1 - axis, 2] = (height, width)[axis] - 1
    mirrored = warp(mask, matrix, (width, height), cv2.INTER_NEAREST)
    assert np.array_equal(mirrored, np.flip(mask, axis))


@pytest.mark.parametrize(("height", "width"), LONG)
def test_a_small_plane_is_spread_over_a_long_picture(height: int, width: int) -> None:
    plane = np.linspace(0, 1, 50, dtype=np.float32) * np.ones((50, 1), np.float32)
    matrix = np.array([[49 / max(1, width - 1), 0, 0], [0, 49 / max(1, height - 1), 0]])
    spread = np.asarray(warp(plane, matrix, (width, height), border=cv2.BORDER_REPLICATE))
    wanted = np.linspace(0, 1, width, dtype=np.float32) if width > 1 else plane[:1, 0]
    assert np.abs(spread - wanted).max() < 0.02


@pytest.mark.parametrize(("height", "width"), LONG)
def test_the_nearest_pixels_of_a_long_picture(height: int, width: int) -> None:
    rows, columns = np.arange(height) // 256, np.arange(width) // 256
    pixels = np.stack(np.broadcast_arrays(rows[:, None], columns, 0), axis=-1).astype(np.uint8)
    size = (max(1, width // 100), max(1, height // 100))
    small = nearest(pixels, size)
    assert small.shape == (size[1], size[0], 3)
    middle = (np.arange(size[1]) + 0.5) * height / size[1]
    assert np.array_equal(small[:, 0, 0], middle.astype(int) // 256)


@settings(max_examples=60, deadline=None)
@given(
    sides=st.tuples(*[st.integers(1, 90)] * 4),
    turn=st.floats(-180, 180),
    scale=st.floats(0.05, 20),
    shift=st.tuples(*[st.floats(-100, 100)] * 2),
    way=st.sampled_from([cv2.INTER_LINEAR, cv2.INTER_NEAREST]),
    border=st.sampled_from([cv2.BORDER_CONSTANT, cv2.BORDER_REPLICATE]),
)
def test_in_parts_it_is_what_it_is_at_once(
    sides: tuple[int, int, int, int],
    turn: float,
    scale: float,
    shift: tuple[float, float],
    way: int,
    border: int,
) -> None:
    source = cv2.blur(noise(sides[:2]), (9, 9)).reshape(sides[:2])
    cos, sin = scale * np.cos(np.radians(turn)), scale * np.sin(np.radians(turn))
    matrix = np.array([[cos, sin, shift[0]], [-sin, cos, shift[1]]])
    at_once = np.asarray(warp(source, matrix, sides[2:], way, border, 9)).astype(int)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warping, "LONGEST", 25)
        parts = np.asarray(warp(source, matrix, sides[2:], way, border, 9)).astype(int)
    # OpenCV rounds places to fractions of a pixel, from the corner of what it is given.
    differs = np.abs(parts - at_once) > (8 if way == cv2.INTER_LINEAR else 0)
    assert differs.mean() < 0.05 or differs.sum() <= 4


@settings(max_examples=60, deadline=None)
@given(shape=st.tuples(*[st.integers(1, 120)] * 2), size=st.tuples(*[st.integers(1, 120)] * 2))
def test_the_nearest_pixels_are_opencvs(shape: tuple[int, int], size: tuple[int, int]) -> None:
    pixels = noise((*shape, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(warping, "LONGEST", 0)
        ours = nearest(pixels, size)
    # Where a middle lies just between two pixels, either is the nearest.
    rows, columns = (
        ((2 * np.arange(wanted) + 1) * length) % (2 * wanted) != 0
        for wanted, length in zip(size[::-1], shape, strict=True)
    )
    clear = np.ix_(rows, columns)
    assert np.array_equal(ours[clear], nearest(pixels, size)[clear])
