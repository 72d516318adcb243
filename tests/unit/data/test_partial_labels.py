from __future__ import annotations

import numpy as np

from bisenet.classes import BY_NAME
from bisenet.data.partial_labels import (
    NOT_HAIR,
    SKIN_PART,
    UNKNOWN,
    decided_classes,
    overruled,
    possible_classes,
)

HAIR, SKIN, HAT, BACKGROUND = (BY_NAME[n].id for n in ("hair", "skin", "hat", "background"))


def test_what_a_value_may_be() -> None:
    possible = possible_classes()
    assert possible.shape == (256, 19)
    np.testing.assert_array_equal(possible[:19], np.eye(19, dtype=bool))
    assert possible[UNKNOWN].all()
    assert not possible[NOT_HAIR, HAIR]
    assert possible[NOT_HAIR].sum() == 18
    assert possible[SKIN_PART, [SKIN, BACKGROUND]].all()
    assert not possible[SKIN_PART, [HAIR, HAT]].any()


def test_what_a_value_decides() -> None:
    decided = decided_classes()
    assert decided[:19].all()
    assert not decided[UNKNOWN].any()
    assert np.flatnonzero(decided[NOT_HAIR]).tolist() == [HAIR]
    assert decided[SKIN_PART, HAT]
    assert not decided[SKIN_PART, SKIN]


def test_what_is_known_overrules_a_guess() -> None:
    guess = np.array([[HAIR, HAIR, SKIN, SKIN, UNKNOWN, HAIR, UNKNOWN, HAT]], np.uint8)
    truth = np.array(
        [[HAIR, NOT_HAIR, NOT_HAIR, HAIR, NOT_HAIR, UNKNOWN, UNKNOWN, SKIN_PART]], np.uint8
    )
    expected = [HAIR, NOT_HAIR, SKIN, HAIR, NOT_HAIR, HAIR, UNKNOWN, SKIN_PART]
    assert overruled(guess, truth)[0].tolist() == expected
