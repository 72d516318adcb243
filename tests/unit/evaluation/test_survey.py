from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image

from bisenet.data import masks
from bisenet.data.label_mapping import of_mapping, of_order
from bisenet.data.masks import MaskError, mask_ids, true_classes
from bisenet.data.pairing import Pair, pair_up
from bisenet.evaluation.survey import split_by_ids, survey
from bisenet.images import decode


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
        (encoded(Image.new("RGB", (4, 4), "red")), "this one is in colour"),
        (encoded(Image.new("RGBA", (4, 4))), "this one is in colour or transparent"),
        (encoded(Image.fromarray(np.full((4, 4), 256, np.uint16))), "numbers beyond 255"),
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
    good, bad = split_by_ids(result.checked, of_order("bisenet"), "Choose.")
    assert good == []
    assert bad[0].name == "a.png"
    assert bad[0].reason == "Ids 19, 255 are no class here. Choose."


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "I;16", "I"])
def test_ids_saved_as_grey_of_another_kind_are_read(mode: str) -> None:
    ids = np.array([[0, 1, 2], [18, 19, 255]], np.uint8)
    image = Image.fromarray(ids)
    if mode.startswith("I"):
        image = Image.fromarray(ids.astype(np.uint16 if mode == "I;16" else np.int32))
    data = encoded(image if mode.startswith("I") else image.convert(mode), "TIFF")
    np.testing.assert_array_equal(mask_ids(data), ids)


def test_a_mask_of_half_the_photo_is_its_mask() -> None:
    files = {
        "a.jpg": photo(1024, 768),
        "b.jpg": photo(101, 67),
        "c.jpg": photo(8, 7),
        "d.jpg": photo(8, 6),
        "a.png": mask_png(np.ones((384, 512))),
        "b.png": mask_png(np.ones((33, 50))),
        "c.png": mask_png(np.ones((6, 8))),
        "d.png": mask_png(np.ones((8, 6))),
    }
    result = survey([Pair(k, f"{k}.jpg", f"{k}.png") for k in "abcd"], reader(files))
    assert [(c.pair.key, c.width, c.height) for c in result.checked] == [
        ("a", 1024, 768),
        ("b", 101, 67),
    ]
    assert [one.name for one in result.problems] == ["c.jpg", "d.jpg"]
    truth = true_classes(result.checked[0].pair, reader(files), of_order("bisenet"), (1024, 768))
    assert truth.shape == (768, 1024)


def test_files_that_show_a_part_each_need_no_order() -> None:
    skin, hair = np.zeros((6, 8)), np.zeros((6, 8))
    skin[1:5], hair[4:] = 255, 255
    whole = mask_png(np.full((6, 8), 2))
    files = {
        **{"0.jpg": photo(16, 12), "1.jpg": photo(8, 6), "2.jpg": photo(8, 6)},
        "00000_hair.png": encoded(Image.open(io.BytesIO(mask_png(hair))).convert("RGB")),
        "00000_skin.png": mask_png(skin),
        "1.png": whole,
        "00002_skin.png": mask_png(skin),
        "00002_hair.png": whole[:40],
    }
    result = survey(pair_up(files).pairs, reader(files))
    drawn, other = result.checked
    wanted = np.zeros((6, 8), np.uint8)
    wanted[1:5], wanted[4:] = 1, 17
    order = of_order("celebamask-hq")
    np.testing.assert_array_equal(true_classes(drawn.pair, reader(files), order), wanted)
    assert set(np.unique(true_classes(other.pair, reader(files), order))) == {10}
    assert result.counts[2] == result.counts.sum() == 48, "only whole masks tell an order"
    assert not result.named
    assert survey([drawn.pair], reader(files)).named
    assert split_by_ids([drawn], of_mapping({}), "") == ([drawn], [])
    assert [(p.name, p.reason) for p in result.problems] == [
        ("00002_skin.png", "00002_hair.png: This is not an image that can be read.")
    ]


def test_a_place_is_held_while_a_mask_or_its_parts_are_decoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        **{"0.jpg": photo(8, 6), "1.jpg": photo(8, 6)},
        **{name: mask_png(np.zeros((6, 8))) for name in ("00000_hair.png", "00000_skin.png")},
        "1.png": mask_png(np.zeros((6, 8))),
    }
    held, decoded = list[bytes](), list[int]()

    @contextmanager
    def place(data: bytes) -> Iterator[None]:
        held.append(data)
        yield
        held.pop()

    @contextmanager
    def opened(source: BinaryIO) -> Iterator[Image.Image]:
        decoded.append(len(held))
        with decode.opened(source) as image:
            yield image

    monkeypatch.setattr(masks, "opened", opened)
    assert len(survey(pair_up(files).pairs, reader(files), place=place).checked) == 2
    assert (decoded, held) == ([1, 1, 1], [])
