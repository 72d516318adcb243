from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from bisenet.evaluation.labels import of_order
from bisenet.evaluation.pairs import Pair
from bisenet.evaluation.reading import MaskError, mask_ids, split_by_ids, survey


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def mask_png(ids: object, mode: str = "L") -> bytes:
    image = Image.fromarray(np.asarray(ids, np.uint8))
    if mode == "P":
        image.putpalette([0] * 768)
    return encoded(image)


def photo(width: int, height: int) -> bytes:
    return encoded(Image.new("RGB", (width, height), "grey"), "JPEG")


@pytest.mark.parametrize("mode", ["L", "P"])
def test_ids_are_read_as_they_stand(mode: str) -> None:
    ids = np.array([[0, 1, 2], [18, 19, 255]], np.uint8)
    np.testing.assert_array_equal(mask_ids(mask_png(ids, mode)), ids)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"notes", "not an image"),
        (b"", "not an image"),
        (mask_png(np.random.default_rng(0).integers(0, 19, (99, 99)))[:3000], "damaged"),
        (encoded(Image.new("RGB", (4, 4))), "this one is RGB"),
        (encoded(Image.new("RGBA", (4, 4))), "this one is RGBA"),
        (encoded(Image.fromarray(np.zeros((4, 4), np.uint16))), "this one is I;16"),
    ],
)
def test_a_bad_mask_is_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(MaskError, match=says):
        mask_ids(data)


def reader(files: dict[str, bytes]) -> Callable[[str], bytes]:
    return files.__getitem__


def test_good_pairs_are_checked_and_each_bad_one_has_its_reason() -> None:
    files = {
        "a.jpg": photo(8, 6),
        "a.png": mask_png(np.ones((6, 8))),
        "b.jpg": photo(8, 6),
        "b.png": mask_png(np.ones((8, 8))),
        "c.jpg": b"no photo",
        "c.png": mask_png(np.ones((6, 8))),
        "d.jpg": photo(8, 6),
        "d.png": b"no mask",
    }
    pairs = [Pair(k, f"{k}.jpg", f"{k}.png") for k in "abcd"]
    told: list[str] = []
    result = survey(pairs, reader(files), lambda _share, what: told.append(what))
    (good,) = result.checked
    assert (good.pair.key, good.width, good.height) == ("a", 8, 6)
    assert result.counts[1] == 48
    assert {p.name: p.reason for p in result.problems} == {
        "b.jpg": "The photo has 8 x 6 pixels, its mask 8 x 8.",
        "c.jpg": "This is not an image that can be read.",
        "d.png": "This is not an image that can be read.",
    }
    assert told[-1] == "3 of 4 masks"


def test_a_survey_can_be_stopped() -> None:
    files = {"a.jpg": photo(2, 2), "a.png": mask_png(np.ones((2, 2)))}
    assert survey([Pair("a", "a.jpg", "a.png")], reader(files), stop=lambda: True).checked == ()
    assert survey([], reader({})).counts.sum() == 0


def test_ids_out_of_range_are_named() -> None:
    files = {"a.jpg": photo(2, 2), "a.png": mask_png([[0, 19], [255, 1]])}
    result = survey([Pair("a", "a.jpg", "a.png")], reader(files))
    good, bad = split_by_ids(result.checked, of_order("bisenet"))
    assert good == []
    assert bad[0].name == "a.png"
    assert bad[0].reason.startswith("Ids 19, 255 are no class here.")
