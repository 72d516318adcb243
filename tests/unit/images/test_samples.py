from __future__ import annotations

import io

import numpy as np
from PIL import Image

from bisenet.classes import BY_NAME
from bisenet.images import samples


def test_variations_are_photos_of_their_own_and_masks_move_along() -> None:
    base = np.asarray(samples.varied_base())
    height, width = base.shape[:2]
    left, right = BY_NAME["l_eye"].id, BY_NAME["r_eye"].id
    mask = np.zeros((height, width), np.uint8)
    mask[:, : width // 2], mask[:, width // 2 :] = right, left
    files = dict(samples.labelled_variations(lambda _: mask))
    photos = [name for name in files if name.startswith("images/")]
    assert len(photos) == len(samples.VARIATIONS) == len({files[name] for name in photos})
    for one in samples.VARIATIONS:
        photo = Image.open(io.BytesIO(files[f"images/astronaut-{one.name}.jpg"]))
        moved = np.asarray(Image.open(io.BytesIO(files[f"masks/astronaut-{one.name}.png"])))
        assert moved.shape == photo.size[::-1]
        # The person's own left stays on the right of the picture, mirrored or not.
        if not one.roll:
            assert (moved[:, -1] == left).all()
            assert (moved[:, 0] == right).all()
