"""The 19 classes, their twins, and other data sets' label orders."""

from __future__ import annotations

import re

import numpy as np
import pytest

from bisenet import classes
from bisenet.classes import BY_NAME, CLASSES, LABEL_ORDERS, NUM_CLASSES


def test_ids_follow_the_published_checkpoints() -> None:
    assert [c.id for c in CLASSES] == list(range(19)) == list(range(NUM_CLASSES))
    assert " ".join(c.name for c in CLASSES) == (
        "background skin l_brow r_brow l_eye r_eye eye_g l_ear r_ear ear_r nose mouth u_lip l_lip "
        "neck neck_l cloth hair hat"
    )
    assert len(BY_NAME) == len({c.title for c in CLASSES}) == 19
    assert CLASSES[classes.BACKGROUND].name == "background"


def test_colours_are_19_different_hex_strings() -> None:
    assert all(re.fullmatch(r"#[0-9a-f]{6}", c.color) for c in CLASSES)
    assert len({c.color for c in CLASSES}) == 19
    palette = classes.palette()
    assert palette.dtype == np.uint8
    assert ["#" + bytes(row).hex() for row in palette.tolist()] == [c.color for c in CLASSES]


def test_mirroring_swaps_left_and_right_and_nothing_else() -> None:
    lut = classes.mirror_lut()
    assert np.array_equal(lut[lut], np.arange(256)), "mirrored twice is the picture again"
    for c in CLASSES:
        twin = CLASSES[lut[c.id]]
        mirrored = {"l_": "r_", "r_": "l_"}.get(c.name[:2], c.name[:2]) + c.name[2:]
        # l_lip is the lower lip: it has no right one.
        assert twin.name == (mirrored if mirrored in BY_NAME else c.name)
    assert set(lut[NUM_CLASSES:]) == set(range(NUM_CLASSES, 256))


@pytest.mark.parametrize("order", LABEL_ORDERS)
def test_a_label_order_reaches_every_class_once(order: str) -> None:
    lut = classes.label_lut(order)
    assert sorted(lut[:19]) == list(range(19))
    assert (lut[19:] == 255).all()


def test_celebamask_order() -> None:
    lut = classes.label_lut("celebamask-hq")
    theirs = {"nose": 2, "eye_g": 3, "l_brow": 6, "hair": 13, "neck": 17, "cloth": 18}
    assert {name: int(lut[i]) for name, i in theirs.items()} == {n: BY_NAME[n].id for n in theirs}


def test_an_unknown_order_gets_a_sentence() -> None:
    with pytest.raises(
        ValueError, match="Unknown label order 'lapa'; choose one of: bisenet, cele"
    ):
        classes.label_lut("lapa")
