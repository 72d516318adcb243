from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bisenet.data.faces import DataError, find_faces
from bisenet.evaluation.folder_score import read_as_people_do
from bisenet.evaluation.masks import survey
from bisenet.evaluation.pairing import pair_up
from bisenet.evaluation.sources import Files
from bisenet.images.decode import load_image


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One photo, stored on its side with a mark to turn it, and its upright mask."""
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    photo = Image.fromarray(pixels)
    exif = photo.getexif()
    exif[0x0112] = 6
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
    photo.save(tmp_path / "images" / "a.png", exif=exif)
    Image.fromarray(np.ones((60, 40), np.uint8)).save(tmp_path / "masks" / "a.png")
    return tmp_path


def test_the_command_reads_a_turned_photo_as_the_page_does(folder: Path) -> None:
    image, mask = read_as_people_do(find_faces(folder, "bisenet")[0])
    np.testing.assert_array_equal(image, np.asarray(load_image(folder / "images" / "a.png")))
    assert image.shape[:2] == mask.shape == (60, 40)
    names = ("images/a.png", "masks/a.png")
    files = Files([(name, (folder / name).read_bytes()) for name in names])
    assert len(survey(pair_up(files.names).pairs, files.read).checked) == 1


def test_a_photo_of_another_size_is_named(folder: Path) -> None:
    Image.new("RGB", (50, 60)).save(folder / "images" / "a.png")
    with pytest.raises(DataError, match=r"a\.png: 50 x 60, but its mask .* is 40 x 60"):
        read_as_people_do(find_faces(folder, "bisenet")[0])
    (folder / "images" / "a.png").write_bytes(b"no photo")
    with pytest.raises(DataError, match="not an image"):
        read_as_people_do(find_faces(folder, "bisenet")[0])
