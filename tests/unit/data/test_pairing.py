from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from bisenet.data.pairing import Pair, pair_up


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


@pytest.mark.parametrize(
    "names",
    [
        ("CelebA-HQ-img/0.jpg", "mask/0.png"),
        ("CelebAMask-HQ/CelebA-HQ-img/29999.jpg", "CelebAMask-HQ/mask/29999.png"),
        ("A.jpg", "a.png"),
        ("images/Anna.JPG", "masks/ANNA.png"),
        ("images/0.jpg", "masks/00000.png"),
        ("00012.jpg", "12_mask.png"),
        ("images/a_seg.jpg", "masks/a_seg.png"),
    ],
)
def test_names_as_the_published_repositories_leave_them_pair_up(names: tuple[str, str]) -> None:
    assert pairs_of(*names) == [names]
    assert pairs_of(*reversed(names)) == [names]
    assert problems_of(*names) == {}


def test_the_same_name_goes_before_one_that_is_alike() -> None:
    names = ("images/1.jpg", "images/01.jpg", "masks/01.png", "images/B.jpg", "masks/b.png")
    assert pairs_of(*names, "masks/1.png") == [
        ("images/1.jpg", "masks/1.png"),
        ("images/01.jpg", "masks/01.png"),
        ("images/B.jpg", "masks/b.png"),
    ]
    assert pairs_of(*names) == [("images/01.jpg", "masks/01.png"), ("images/B.jpg", "masks/b.png")]
    assert problems_of(*names) == {"images/1.jpg": "No mask has its name."}


@pytest.mark.parametrize(
    ("photo", "folder"),
    [
        ("CelebA-HQ-img/2001.jpg", "CelebAMask-HQ-mask-anno/1/"),
        ("CelebAMask-HQ/CelebA-HQ-img/2001.jpg", "CelebAMask-HQ/CelebAMask-HQ-mask-anno/1/"),
        ("data/CelebAMask-HQ/CelebA-HQ-img/2001.jpg", "data/CelebAMask-HQ-mask-anno/1/"),
        ("images/02001.jpg", "masks/"),
        ("2001.jpg", ""),
    ],
)
def test_a_file_a_part_is_one_mask(photo: str, folder: str) -> None:
    parts = [f"{folder}02001_{part}.png" for part in ("hair", "skin", "u_lip", "neck_l", "neck")]
    (pair,) = pair_up([*parts, photo]).pairs
    assert (pair.photo, pair.mask) == (photo, parts[1])
    assert [(part.class_id, part.name) for part in pair.parts] == [
        (1, parts[1]),
        (14, parts[4]),
        (17, parts[0]),
        (12, parts[2]),
        (15, parts[3]),
    ]
    assert problems_of(*parts, photo) == {}


def test_part_files_beside_a_whole_mask_or_without_a_photo() -> None:
    photos = ["CelebA-HQ-img/0.jpg", "CelebA-HQ-img/2.jpg"]
    parts = [f"CelebAMask-HQ-mask-anno/0/0000{i}_hair.png" for i in (0, 1)]
    names = [*photos, *parts, "mask/0.png"]
    assert pairs_of(*names) == [(photos[0], "mask/0.png")]
    assert problems_of(*names) == {
        photos[1]: "No mask has its name.",
        parts[1]: "No photo has its name.",
    }


def test_a_photo_whose_name_ends_as_a_part_does_is_a_photo() -> None:
    assert pairs_of("images/her_hair.jpg", "masks/her_hair.png") == [
        ("images/her_hair.jpg", "masks/her_hair.png")
    ]
    assert pairs_of("her_hair.jpg", "her_hair.png") == [("her_hair.jpg", "her_hair.png")]
    assert problems_of("his_nose.png") == {"his_nose.png": "No mask has its name."}


def test_a_name_of_thousands_of_digits_is_a_name() -> None:
    long = "9" * 5_000
    assert pairs_of(f"images/{long}.jpg", f"masks/0{long}.png") == [
        (f"images/{long}.jpg", f"masks/0{long}.png")
    ]
