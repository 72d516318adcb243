from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bisenet.classes import BY_NAME
from bisenet.data.faces import (
    DataError,
    class_pixels,
    find_faces,
    find_photos,
    load_faces,
    photo_hashes,
    read_face,
    read_hashes,
)
from tests.conftest import LABELLED, needs_labelled_faces
from tests.unit.training.helpers import face, write_faces


def problem(root: Path, labels: str = "bisenet") -> str:
    """What a run would say before it starts."""
    with pytest.raises(DataError) as error:
        load_faces(find_faces(root, labels))
    return str(error.value)


def test_folders_of_images_and_masks(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path, 3), "bisenet")
    assert [f.image.stem for f in files] == ["000", "001", "002"]
    image, mask = read_face(files[1])
    expected_image, expected = face(1)
    np.testing.assert_array_equal(image, expected_image)
    np.testing.assert_array_equal(mask, expected)


def test_celebamask_order_is_mapped_to_ours(tmp_path: Path) -> None:
    write_faces(tmp_path, 1)
    Image.fromarray(np.full((64, 64), 13, np.uint8)).save(tmp_path / "masks" / "000.png")
    _, mask = read_face(find_faces(tmp_path, "celebamask-hq")[0])
    assert (mask == BY_NAME["hair"].id).all()


def test_palette_masks_are_read_by_index(tmp_path: Path) -> None:
    write_faces(tmp_path, 1)
    picture = Image.fromarray(face(0)[1])
    picture.putpalette([i // 3 for i in range(768)])
    picture.save(tmp_path / "masks" / "000.png")
    np.testing.assert_array_equal(read_face(find_faces(tmp_path, "bisenet")[0])[1], face(0)[1])


def release(root: Path, number: int = 2001) -> Path:
    """One face in CelebAMask-HQ's own layout, photo twice the masks' size."""
    masks = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
    masks.mkdir(parents=True)
    (root / "CelebA-HQ-img").mkdir()
    Image.new("RGB", (64, 64), (9, 8, 7)).save(root / "CelebA-HQ-img" / f"{number}.jpg")
    rows = {"skin": (0, 32), "l_eye": (4, 10), "eye_g": (8, 20), "hair": (24, 32)}
    for name, box in rows.items():
        part = np.zeros((32, 32), np.uint8)
        part[box[0] : box[1]] = 255
        Image.fromarray(part).convert("RGB").save(masks / f"{number:05d}_{name}.png")
    return root


def test_the_release_is_composed_with_small_parts_on_top(tmp_path: Path) -> None:
    image, mask = read_face(find_faces(release(tmp_path))[0])
    names = {name: BY_NAME[name].id for name in ("skin", "l_eye", "eye_g", "hair")}
    assert image.shape == (32, 32, 3)
    assert mask[0, 0] == names["skin"]
    assert (mask[4:8] == names["l_eye"]).all()
    assert (mask[8:20] == names["eye_g"]).all()
    assert (mask[24:] == names["hair"]).all()


def test_the_release_without_masks_names_the_photo(tmp_path: Path) -> None:
    release(tmp_path)
    Image.new("RGB", (64, 64)).save(tmp_path / "CelebA-HQ-img" / "7.jpg")
    assert "7.jpg: No mask has its name." in problem(tmp_path)


def test_unequal_parts_are_named(tmp_path: Path) -> None:
    release(tmp_path)
    path = tmp_path / "CelebAMask-HQ-mask-anno" / "1" / "02001_hair.png"
    Image.new("L", (16, 16)).save(path)
    assert "02001_hair.png is not of the size" in problem(tmp_path)


def test_ids_out_of_range_are_named(tmp_path: Path) -> None:
    write_faces(tmp_path, 3)
    bad = np.zeros((64, 64), np.uint8)
    bad[0, :2] = 19, 77
    Image.fromarray(bad).save(tmp_path / "masks" / "001.png")
    message = problem(tmp_path)
    assert "001.png" in message
    assert "19, 77" in message


def test_a_size_mismatch_is_named(tmp_path: Path) -> None:
    write_faces(tmp_path, 2)
    Image.new("RGB", (60, 64)).save(tmp_path / "images" / "001.png")
    message = problem(tmp_path)
    assert "001.png: 60 x 64" in message
    assert "64 x 64" in message


@pytest.mark.parametrize(("folder", "other"), [("images", "masks"), ("masks", "images")])
def test_a_missing_twin_is_named(tmp_path: Path, folder: str, other: str) -> None:
    write_faces(tmp_path, 2)
    (tmp_path / folder / "001.png").unlink()
    message = problem(tmp_path)
    assert f"{tmp_path / other / '001.png'}: No" in message


@pytest.mark.parametrize("content", [b"", b"not an image", None])
@pytest.mark.parametrize("folder", ["images", "masks"])
def test_an_unreadable_file_is_named(tmp_path: Path, folder: str, content: bytes | None) -> None:
    write_faces(tmp_path, 2)
    path = tmp_path / folder / "001.png"
    path.write_bytes(path.read_bytes()[:-60] if content is None else content)
    assert f"{path}: " in problem(tmp_path)


def test_a_mask_in_colour_is_named(tmp_path: Path) -> None:
    write_faces(tmp_path, 1)
    Image.new("RGB", (64, 64), "red").save(tmp_path / "masks" / "000.png")
    assert "000.png: A mask has one byte a pixel" in problem(tmp_path)


def test_empty_and_foreign_folders(tmp_path: Path) -> None:
    assert "expected images/ and masks/" in problem(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    assert f"{tmp_path / 'images'}: no images" in problem(tmp_path)


def test_every_bad_file_is_told_at_once(tmp_path: Path) -> None:
    write_faces(tmp_path, 30)
    for i in range(25):
        (tmp_path / "images" / f"{i:03d}.png").write_bytes(b"x")
    message = problem(tmp_path)
    assert "000.png" in message
    assert "019.png" in message
    assert "and 5 more" in message


def test_partial_masks_keep_their_values_and_full_ones_refuse_them(tmp_path: Path) -> None:
    write_faces(tmp_path, 1)
    ids = np.array(Image.open(tmp_path / "masks" / "000.png"))
    ids[0, :3] = 252, 254, 255
    Image.fromarray(ids).save(tmp_path / "masks" / "000.png")
    mask = read_face(find_faces(tmp_path, "bisenet", partial=True)[0])[1]
    assert mask[0, :3].tolist() == [252, 254, 255]
    np.testing.assert_array_equal(mask[1:], face(0)[1][1:])
    assert class_pixels(mask).sum() == mask.size - 3
    assert "Ids 252, 254, 255 are no class" in problem(tmp_path)
    ids[0, 0] = 40
    Image.fromarray(ids).save(tmp_path / "masks" / "000.png")
    with pytest.raises(DataError, match="Id 40 is no class"):
        read_face(find_faces(tmp_path, "bisenet", partial=True)[0])


def test_photos_without_labels_are_unknown_all_over(tmp_path: Path) -> None:
    write_faces(tmp_path, 2)
    files = find_photos(tmp_path)
    assert [f.image.name for f in files] == ["000.png", "001.png"]
    image, mask = read_face(files[1])
    np.testing.assert_array_equal(image, face(1)[0])
    assert (mask == 255).all()
    with pytest.raises(DataError, match="no such folder"):
        find_photos(tmp_path / "nowhere")


def test_held_out_lists_hold_for_copies_too(tmp_path: Path) -> None:
    files = find_faces(write_faces(tmp_path / "own", 2), "bisenet")
    own = [hashlib.sha256(f.image.read_bytes()).hexdigest() for f in files]
    assert photo_hashes(files) == own
    copies = find_faces(write_faces(tmp_path / "copy", 2), "bisenet")
    table = f"stem,sha256\n000,{'a' * 64}\n001,{'b' * 64}\n"
    (tmp_path / "copy" / "sources.csv").write_text(table)
    assert photo_hashes(copies) == ["a" * 64, "b" * 64]

    listed = tmp_path / "held-out.txt"
    listed.write_text(f"# two\n{'A' * 64}  # the first\n\n")
    assert read_hashes(listed) == {"a" * 64}
    listed.write_text(f"{'a' * 64}\nMary_0001.jpg\n")
    with pytest.raises(DataError, match=r"held-out\.txt, line 2: 'mary_0001.jpg' is no SHA-256"):
        read_hashes(listed)


@needs_labelled_faces
def test_the_shared_faces_are_sound() -> None:
    files = find_faces(LABELLED / "val", "celebamask-hq")
    _, counts = load_faces(files[:6], keep=False)
    assert len(files) == 98
    assert (counts.sum(1) == 512 * 512).all()
    assert (counts[:, BY_NAME["nose"].id] > 0).all()
