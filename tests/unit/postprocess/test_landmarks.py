"""Reading a face off labels of which a part is hidden, turned away or said twice."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.classes import BY_NAME
from bisenet.geometry.crops import Crop, square_crop
from bisenet.postprocess.landmarks import Landmarks, face_crop, find_landmarks

GRID, SIZE = 64, 512
# An aligned crop's parts: column, row, half width, half height, shares of its side.
FACE = {
    "l_brow": (0.62, 0.42, 0.06, 0.012),
    "r_brow": (0.38, 0.42, 0.06, 0.012),
    "l_eye": (0.622, 0.479, 0.035, 0.02),
    "r_eye": (0.378, 0.479, 0.035, 0.02),
    "nose": (0.5, 0.577, 0.05, 0.07),
    "u_lip": (0.5, 0.735, 0.07, 0.017),
    "l_lip": (0.5, 0.769, 0.07, 0.017),
}
CROP = square_crop((256.0, 256.0), 512.0, 0.0, SIZE, (512, 512))


def _logits(parts: dict[str, tuple[float, float, float, float]]) -> NDArray[np.float32]:
    """Sure logits of skin about the middle, with these parts on it."""
    labels = np.zeros((GRID, GRID), np.uint8)
    axis = np.linspace(0, 1, GRID)
    xs, ys = np.meshgrid(axis, axis)
    labels[np.hypot((xs - 0.5) / 0.28, (ys - 0.55) / 0.36) < 1] = BY_NAME["skin"].id
    for name, (x, y, across, down) in parts.items():
        inside = (np.abs(xs - x) <= across) & (np.abs(ys - y) <= down)
        labels[inside] = BY_NAME[name].id
    return np.asarray((np.arange(19)[:, None, None] == labels) * 12.0, np.float32)


def _read(*hidden: str, **put: tuple[float, float, float, float]) -> Landmarks:
    marks = find_landmarks(
        _logits({k: v for k, v in {**FACE, **put}.items() if k not in hidden}), CROP
    )
    assert marks is not None
    return marks


def _same_frame(marks: Landmarks, shift: float = 20, ratio: float = 1.12) -> None:
    frame: Crop = face_crop(marks, SIZE, (512, 512))
    assert np.hypot(frame.centre[0] - 256, frame.centre[1] - 258) < shift
    assert 512 / ratio < frame.side < 512 * ratio
    assert abs(frame.roll) < 5


def test_a_whole_face_is_complete() -> None:
    marks = _read()
    assert marks.complete
    assert marks.both_eyes
    assert marks.score > 0.95
    _same_frame(marks)


@pytest.mark.parametrize(
    "hidden",
    [
        pytest.param(("l_eye", "r_eye"), id="closed eyes"),
        pytest.param(("l_eye", "r_eye", "l_brow", "r_brow"), id="a fringe"),
        pytest.param(("u_lip", "l_lip"), id="a hand on the mouth"),
        pytest.param(("u_lip", "l_lip", "nose"), id="a mask"),
    ],
)
def test_what_is_hidden_is_put_where_the_rest_has_it(hidden: tuple[str, ...]) -> None:
    marks = _read(*hidden)
    assert not marks.complete
    assert marks.score > 0.9
    _same_frame(marks)


def test_one_eye_is_enough_for_a_profile() -> None:
    marks = _read("r_eye", "r_brow", l_eye=(0.45, 0.479, 0.03, 0.02), nose=(0.36, 0.61, 0.04, 0.06))
    assert marks.complete
    assert not marks.both_eyes
    assert marks.score > 0.9


def test_sunglasses_of_two_lenses_are_read_about_their_middle() -> None:
    """The network is surest in one lens; framed by that lens alone the face came out skewed."""
    logits = _logits({**FACE, "eye_g": (0.5, 0.48, 0.2, 0.045)})
    logits[:, :, GRID // 2 :] *= 0.6
    marks = find_landmarks(logits, CROP)
    assert marks is not None
    assert marks.score > 0.9
    _same_frame(marks)


def test_an_eye_in_an_impossible_place_does_not_cost_the_face() -> None:
    marks = _read(l_eye=(0.55, 0.72, 0.015, 0.015), u_lip=(0.45, 0.735, 0.04, 0.017))
    assert marks.complete
    assert marks.score > 0.9


def test_parts_in_no_order_are_no_face() -> None:
    marks = find_landmarks(
        _logits(
            {
                "l_eye": (0.5, 0.75, 0.03, 0.02),
                "nose": (0.75, 0.5, 0.05, 0.05),
                "u_lip": (0.5, 0.3, 0.07, 0.02),
            }
        ),
        CROP,
    )
    assert marks is None or marks.score == 0


@pytest.mark.parametrize("kept", ["nose", "u_lip", "l_eye", "eye_g"])
def test_a_single_part_is_no_face(kept: str) -> None:
    parts = {"eye_g": (0.5, 0.48, 0.2, 0.045), **FACE}
    marks = find_landmarks(_logits({kept: parts[kept]}), CROP)
    assert marks is None or marks.score == 0
