"""What of a face's labels is the person's own."""

from __future__ import annotations

import numpy as np

from bisenet.classes import BY_NAME
from bisenet.measure.regions import own_parts

HAIR, SKIN, CLOTH, HAT = (BY_NAME[name].id for name in ("hair", "skin", "cloth", "hat"))
WINDOW, BOX = (100, 50, 200, 200), (150.0, 70.0, 210.0, 140.0)


def drawn() -> np.ndarray:
    """A head of 60 x 70 in a window, its hair and its clothes."""
    labels = np.zeros((200, 200), np.uint8)
    labels[20:90, 50:110] = SKIN
    labels[5:20, 45:115] = HAIR
    labels[90:200, 30:130] = CLOTH
    return labels


def test_a_whole_person_stays_as_it_is() -> None:
    labels = drawn()
    kept, strange = own_parts(labels, WINDOW, BOX)
    assert kept is labels
    assert strange == ()


def test_a_neighbours_sleeve_is_left_out_and_named() -> None:
    labels = drawn()
    labels[120:140, 160:190] = HAIR
    labels[100:110, 170:180] = HAIR
    labels[10:60, 180:200] = CLOTH
    kept, strange = own_parts(labels, WINDOW, BOX)
    np.testing.assert_array_equal(kept, drawn())
    assert [(one.class_id, one.parts, one.area_px) for one in strange] == [
        (CLOTH, 1, 1000),
        (HAIR, 2, 700),
    ]
    assert labels[130, 170] == HAIR, "what was given is left alone"


def test_a_speck_is_no_region_and_nobodys() -> None:
    labels = drawn()
    labels[50, 80] = HAT  # one of 5,250 pixels is 0.019 %
    kept, strange = own_parts(labels, WINDOW, BOX)
    assert HAT not in kept
    assert strange == ()
    labels[50:52, 80] = HAT
    assert HAT in own_parts(labels, WINDOW, BOX)[0]


def test_a_hand_before_the_face_and_a_collar_apart_cost_nothing() -> None:
    labels = drawn()
    labels[60:66] = 0  # a hand from side to side
    labels[90:94] = 0  # a white collar that was taken for the wall
    kept, strange = own_parts(labels, WINDOW, BOX)
    assert kept is labels
    assert strange == ()


def test_what_hangs_on_through_clothes_alone_is_no_hair_of_this_head() -> None:
    labels = drawn()
    labels[150:160, 130:150] = HAIR
    kept, strange = own_parts(labels, WINDOW, BOX)
    assert not (kept[150:160, 130:150] == HAIR).any()
    assert [one.class_id for one in strange] == [HAIR]


def test_without_a_face_nothing_is_left_out() -> None:
    labels = np.full((9, 9), CLOTH, np.uint8)
    assert own_parts(labels, (0, 0, 9, 9), (0.0, 0.0, 9.0, 9.0))[0] is labels
    assert own_parts(labels[:0], (0, 0, 9, 0), (0.0, 0.0, 9.0, 9.0))[0].size == 0
