"""Panoramas, scrolls and large photos: small faces in them are found, each once."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from bisenet.images import samples
from bisenet.parser import FaceParser
from bisenet.runtime.cancellation import Cancelled, cancelling, each_step

# The astronaut's face from hairline to chin in her picture of 512 pixels.
FACE = 128


def textured(width: int, height: int, seed: int = 0) -> Image.Image:
    """A photo without a face: pictures of things side by side, at several sizes."""
    rng = np.random.default_rng(seed)
    pictures = [data.coffee(), data.rocket(), np.repeat(data.grass()[..., None], 3, axis=2)]
    photo = Image.new("RGB", (width, height), (120, 130, 140))
    for y in range(0, height, 600):
        x = 0
        while x < width:
            picture = Image.fromarray(pictures[int(rng.integers(3))])
            tall = min(600, height - y)
            wide = round(picture.width * tall / picture.height * rng.uniform(0.8, 1.6))
            photo.paste(picture.resize((wide, tall)), (x, y))
            x += wide
    return photo


def with_face(photo: Image.Image, size: int, centre: tuple[int, int]) -> None:
    """Paste a head whose face is ``size`` pixels from hairline to chin, softly."""
    head = samples.astronaut().crop((134, 8, 314, 208))
    head = head.resize((head.width * size // FACE, head.height * size // FACE))
    y, x = np.mgrid[: head.height, : head.width]
    away = np.hypot((2 * x + 1) / head.width - 1, (2 * y + 1) / head.height - 1)
    soft = np.clip((1 - away) * 6, 0, 1)
    corner = (centre[0] - head.width // 2, centre[1] - head.height // 2)
    photo.paste(head, corner, Image.fromarray((255 * soft).astype(np.uint8)))


def found_at(parser: FaceParser, photo: Image.Image) -> list[tuple[float, float]]:
    found = parser._finder.find(np.asarray(photo))
    return sorted(face.crop.centre for face in found)


def assert_places(found: list[tuple[float, float]], wanted: list[tuple[int, int]]) -> None:
    assert len(found) == len(wanted)
    for one in wanted:
        assert any(other == pytest.approx(one, abs=25) for other in found)


@pytest.mark.parametrize("size", [(12_000, 300), (40_000, 200)])
def test_three_faces_of_a_panorama_are_parsed(parser: FaceParser, size: tuple[int, int]) -> None:
    width, height = size
    photo = textured(width, height)
    wanted = [(width // 50, height // 2), (width // 2, height // 2), (width - 90, height // 2)]
    for centre in wanted:
        with_face(photo, 100, centre)
    told: list[tuple[int, int]] = []
    parsing = parser.parse(photo, search_progress=lambda *state: told.append(state))
    boxes = sorted(face.box for face in parsing.faces)
    assert_places([((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in boxes], wanted)
    assert told[-1][0] == told[-1][1] > 8
    assert all((parsing.mask[y, x - 20 : x + 20] > 0).all() for x, y in wanted)


def test_a_face_at_every_place_of_a_scroll_is_found_once(parser: FaceParser) -> None:
    """Wherever the tiles meet."""
    photo = textured(300, 9000)
    wanted = [(150, y) for y in range(100, 8900, 431)]
    for centre in wanted:
        with_face(photo, 90, centre)
    assert_places(found_at(parser, photo), wanted)


def test_faces_of_32_pixels_are_found_in_a_large_photo(parser: FaceParser) -> None:
    photo = textured(4000, 3000)
    wanted = [(60, 60), (1990, 1510), (3950, 2900)]
    for centre in wanted:
        with_face(photo, 32, centre)
    assert_places(found_at(parser, photo), wanted)


@pytest.mark.parametrize("size", [(9000, 400), (3000, 2000)])
def test_none_is_invented_in_tiles(parser: FaceParser, size: tuple[int, int]) -> None:
    assert found_at(parser, textured(*size, seed=3)) == []


def looks(parser: FaceParser, photo: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch) -> int:
    """How many crops were verified in a photo without a face."""
    seen: list[int] = []
    infer = parser._finder._infer_pixels

    def counting(batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen.append(len(batch))
        return infer(batch)

    with monkeypatch.context() as patch:
        patch.setattr(parser._finder, "_infer_pixels", counting)
        assert parser._finder.find(photo) == []
    return sum(seen)


def test_a_photo_without_a_face_is_not_searched_for_ever(
    parser: FaceParser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Coins bear so many heads that are no faces that all of them once cost five parses."""
    coins = np.asarray(Image.fromarray(data.coins()).convert("RGB").resize((1632, 1224)))
    assert 0 < looks(parser, coins, monkeypatch) <= 25


def test_a_search_in_tiles_is_stopped_between_them(parser: FaceParser) -> None:
    photo = np.asarray(textured(12_000, 300))
    told: list[int] = []
    with each_step(cancelling(lambda: len(told) == 2)), pytest.raises(Cancelled):
        parser.parse(photo, search_progress=lambda done, _: told.append(done))
    assert told == [1, 2]
