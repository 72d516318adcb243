from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from bisenet.evaluation.pairs import Pair, pair_up


def pairs_of(*names: str) -> list[tuple[str, str]]:
    return [(p.photo, p.mask) for p in pair_up(names).pairs]


def problems_of(*names: str) -> dict[str, str]:
    return {p.name: p.reason for p in pair_up(names).problems}


@pytest.mark.parametrize(
    "names",
    [
        ("images/a.jpg", "masks/a.png"),
        ("val/images/a.jpg", "val/masks/a.png"),
        ("images/val/a.jpg", "masks/val/a.png"),
        ("Photos/a.jpeg", "Labels/a.png"),
        ("images/a.png", "masks/a.png"),
        ("images/a_seg.png", "masks/a_seg_mask.png"),
        ("a.jpg", "a.png"),
        ("a.jpg", "a_mask.png"),
        ("a.png", "a-mask.png"),
        ("set/a.JPG", "set/a.PNG"),
        ("a.heic", "a_labels.tif"),
        ("a.jpg", "masks/a.png"),
    ],
)
def test_known_layouts_pair_up(names: tuple[str, str]) -> None:
    assert pairs_of(*names) == [names]
    assert pairs_of(*reversed(names)) == [names]
    assert problems_of(*names) == {}


def test_pairs_come_in_the_order_of_their_numbers() -> None:
    names = [f"{folder}/{i}.png" for i in (10, 2, 1) for folder in ("images", "masks")]
    assert [PurePosixPath(p.photo).stem for p in pair_up(names).pairs] == ["1", "2", "10"]


def test_the_same_name_in_two_sets_stays_apart() -> None:
    names = [f"{s}/{f}" for s in ("train", "val") for f in ("images/1.jpg", "masks/1.png")]
    assert pair_up(names).pairs == (
        Pair("train/1", "train/images/1.jpg", "train/masks/1.png"),
        Pair("val/1", "val/images/1.jpg", "val/masks/1.png"),
    )


def test_each_file_without_a_twin_is_named() -> None:
    names = ("images/a.jpg", "images/b.jpg", "masks/b.png", "masks/c.png")
    assert pairs_of(*names) == [("images/b.jpg", "masks/b.png")]
    assert problems_of(*names) == {
        "images/a.jpg": "No mask has its name.",
        "masks/c.png": "No photo has its name.",
    }


def test_side_by_side_a_lonely_png_is_a_mask_and_a_lonely_jpeg_a_photo() -> None:
    names = ("a.jpg", "a.png", "b.png", "c.jpg")
    assert pairs_of(*names) == [("a.jpg", "a.png")]
    assert problems_of(*names) == {
        "b.png": "No photo has its name.",
        "c.jpg": "No mask has its name.",
    }


def test_photos_alone_are_all_without_a_mask() -> None:
    assert problems_of("a.png", "b.png") == dict.fromkeys(
        ("a.png", "b.png"), "No mask has its name."
    )


def test_a_second_photo_of_a_name_is_left_out() -> None:
    names = ("images/a.jpg", "images/a.webp", "masks/a.png")
    assert pairs_of(*names) == [("images/a.jpg", "masks/a.png")]
    assert "Another photo" in problems_of(*names)["images/a.webp"]


def test_a_jpeg_is_no_mask_and_a_text_is_neither() -> None:
    wrong = problems_of("images/a.jpg", "masks/a.jpg", "notes.txt", "masks/b.txt")
    assert "lost its exact ids" in wrong["masks/a.jpg"]
    assert wrong["images/a.jpg"] == "No mask has its name."
    assert "neither" in wrong["notes.txt"]
    assert "Save it as PNG" in wrong["masks/b.txt"]


def test_nothing_gives_nothing() -> None:
    assert pair_up([]).pairs == pair_up([]).problems == ()
