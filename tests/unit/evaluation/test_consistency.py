from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from bisenet.classes import BY_NAME
from bisenet.evaluation.consistency import (
    Agreement,
    agreement,
    by_group,
    ita_degrees,
    ita_name,
    mirrored_agreement,
    utkface_groups,
)

LEFT, RIGHT, SKIN = (BY_NAME[n].id for n in ("l_eye", "r_eye", "skin"))


def test_sides_are_swapped_back() -> None:
    photo = np.zeros((4, 8, 3), np.uint8)
    photo[:, :2] = 200

    def by_side(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The person's right eye is on the picture's left."""
        mask = np.where(pixels[..., 0] > 100, LEFT, SKIN).astype(np.uint8)
        mask[:, :4][mask[:, :4] == LEFT] = RIGHT
        return mask

    steady, own = mirrored_agreement(by_side, photo)
    assert steady == Agreement(1.0, 1.0)
    assert (own[:, :2] == RIGHT).all()
    blind, _ = mirrored_agreement(
        lambda pixels: np.where(pixels[..., 0] > 100, LEFT, SKIN).astype(np.uint8), photo
    )
    assert blind.pixels == pytest.approx(0.75)
    assert blind.miou == pytest.approx(1 / 3)


def test_background_on_both_sides_does_not_count() -> None:
    first, second = np.zeros((2, 10, 10), np.uint8)
    assert agreement(first, second) == Agreement(1.0, 1.0)
    first[0, :4], second[0, :2] = SKIN, SKIN
    assert agreement(first, second) == Agreement(0.5, 0.5)


@pytest.mark.parametrize(
    ("degrees", "name"),
    [
        (60, "very light"),
        (50, "light"),
        (30, "intermediate"),
        (20, "tan"),
        (0, "brown"),
        (-40, "dark"),
    ],
)
def test_tones_by_their_angle(degrees: float, name: str) -> None:
    assert ita_name(degrees) == name


def test_the_angle_of_a_colour() -> None:
    # L* 70.0, b* 20.0 in sRGB: arctan(20 / 20) is 45 degrees.
    photo = np.full((20, 20, 3), (197, 165, 136), np.uint8)
    mask = np.full((20, 20), SKIN, np.uint8)
    assert ita_degrees(photo, mask) == pytest.approx(45, abs=2)
    assert ita_degrees(photo, np.zeros((20, 20), np.uint8)) is None


def test_names_of_files_tell_groups() -> None:
    assert utkface_groups("34_1_2_20170116") == {
        "age": "30 to 39",
        "sex": "female",
        "group": "Asian",
    }
    assert utkface_groups("100_0_0_x")["age"] == "90 and more"
    assert utkface_groups("astronaut") == {}
    assert utkface_groups("20_3_0_x") == {}


def test_means_by_group() -> None:
    table = by_group(
        [
            ({"age": "30 to 39"}, Agreement(1.0, 0.5)),
            ({"age": "0 to 9"}, Agreement(0.5, 0.5)),
            ({"age": "30 to 39"}, Agreement(0.8, 0.7)),
        ]
    )
    assert table["all"]["all"] == pytest.approx((3, 2.3 / 3, 1.7 / 3))
    assert list(table["age"]) == ["0 to 9", "30 to 39"]
    assert table["age"]["30 to 39"] == pytest.approx((2, 0.9, 0.6))
