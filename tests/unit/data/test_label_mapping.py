from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from bisenet.classes import BY_NAME, LABEL_ORDERS
from bisenet.data.label_mapping import IGNORE, guess_order, of_mapping, of_order
from tests.conftest import LABELLED, needs_labelled_faces


def counts_of(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.bincount(mask.ravel(), minlength=256)


@pytest.mark.parametrize("order", LABEL_ORDERS)
def test_a_known_order_knows_its_19_ids(order: str) -> None:
    labelling = of_order(order)
    assert [labelling.lut[i] for i in range(19)] == [BY_NAME[n].id for n in LABEL_ORDERS[order]]
    assert labelling.unknown(counts_of(np.arange(19, dtype=np.uint8))) == ""
    assert (
        labelling.unknown(counts_of(np.array([0, 19, 255], np.uint8)))
        == "Ids 19, 255 are no class here."
    )


def test_a_mapping_knows_what_it_names_and_ignores_what_it_is_told_to() -> None:
    labelling = of_mapping({0: 0, 7: 17, 200: None})
    assert labelling.lut[[0, 7, 200]].tolist() == [0, 17, IGNORE]
    assert labelling.unknown(counts_of(np.array([0, 7, 200], np.uint8))) == ""
    assert labelling.unknown(counts_of(np.array([7, 8], np.uint8))) == "Id 8 is no class here."


@needs_labelled_faces
@pytest.mark.parametrize("order", LABEL_ORDERS)
def test_the_order_of_real_masks_is_guessed_and_explained(order: str) -> None:
    counts = np.zeros(256, np.int64)
    to_order = np.array([LABEL_ORDERS[order].index(n) for n in LABEL_ORDERS["celebamask-hq"]])
    for path in sorted((LABELLED / "val" / "masks").iterdir())[:10]:
        counts += counts_of(to_order[np.asarray(Image.open(path))].astype(np.uint8))
    guess = guess_order(counts)
    assert (guess.order, guess.clear) == (order, True)
    assert "hair in the order of" in guess.why
    assert f"Id {LABEL_ORDERS[order].index('hair')} covers" in guess.why


def test_masks_that_tell_nothing_are_not_guessed_at() -> None:
    guess = guess_order(counts_of(np.array([0, 0, 1, 1], np.uint8)))
    assert not guess.clear
    assert "too little" in guess.why
    assert not guess_order(np.zeros(256, np.int64)).clear
