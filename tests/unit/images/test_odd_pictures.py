"""Pictures that ended the process, took minutes, or came out wrong; and what is right."""

from __future__ import annotations

import io
import struct
import time
import zlib

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image, ImageCms

from bisenet.dashboard.session.gallery import DISPLAY_SIDE, display_size
from bisenet.dashboard.widgets import pictures
from bisenet.data.masks import MaskError, mask_ids
from bisenet.images import colors
from bisenet.images.decode import (
    EXTENSIONS,
    FORMATS,
    MAX_PIXELS,
    MAX_SIDE,
    ImageError,
    check_size,
    read_photo,
    stored_size,
    upright_size,
)
from tests.conftest import CASES
from tests.drills import corpus


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def png(width: int, height: int, depth: int = 1) -> bytes:
    """A black PNG, some bytes for any size."""
    header = corpus.png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0))
    rows = zlib.compress(bytes((1 + (width * depth + 7) // 8) * height), 9)
    end = corpus.png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + header + corpus.png_chunk(b"IDAT", rows) + end


@pytest.mark.parametrize(
    ("width", "height", "says"),
    [
        (70_000, 150, "70,000 x 150; the limit is 65,500 pixels a side"),
        (1, 60_000_000, "65,500 pixels a side"),
        (65_501, 1, "65,500 pixels a side"),
        (30_000, 30_000, "900 megapixels"),
        (8_001, 8_000, "64 megapixels"),
    ],
)
def test_a_picture_beyond_the_limits_is_refused_before_it_is_decoded(
    width: int, height: int, says: str
) -> None:
    header = struct.pack(">II", width, height) + b"\1\0\0\0\0"
    data = png(1, 1)[:8] + corpus.png_chunk(b"IHDR", header) + png(1, 1)[33:]
    with pytest.raises(ImageError, match=says):
        read_photo(data)
    with pytest.raises(MaskError, match=says):
        mask_ids(data)
    if width * height < 2 * 89_478_485:  # beyond which Pillow opens nothing
        assert upright_size(data) == (width, height)


@given(st.integers(-1, 10**10), st.integers(-1, 10**10))
def test_sizes_are_refused_just_where_the_limits_are(width: int, height: int) -> None:
    fits = min(width, height) > 0 and width * height <= MAX_PIXELS
    if fits and max(width, height) <= MAX_SIDE:
        check_size(width, height)
        shown = display_size(height, width)
        assert min(shown) >= 1
        assert max(shown) <= DISPLAY_SIDE
    else:
        with pytest.raises(ImageError):
            check_size(width, height)


@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 4000), st.just(3))))
@example(np.zeros((1, 4000, 3), np.uint8))
@settings(max_examples=20, deadline=None)
def test_a_shown_picture_is_never_too_wide_nor_without_pixels(pixels: NDArray[np.uint8]) -> None:
    for picture in (pixels, pixels.transpose(1, 0, 2).copy()):
        shown = pictures.fitted(picture)
        assert min(shown.size) >= 1
        assert max(shown.size) <= pictures.WIDEST


@given(
    arrays.arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40), st.just(3))),
    st.sampled_from(["PNG", "BMP", "TIFF"]),
)
@settings(max_examples=40, deadline=None)
def test_what_was_saved_without_loss_is_read_as_it_was(
    pixels: NDArray[np.uint8], kind: str
) -> None:
    data = encode(Image.fromarray(pixels), kind)
    assert np.array_equal(read_photo(data).pixels, pixels)
    assert upright_size(data) == stored_size(io.BytesIO(data)) == pixels.shape[1::-1]


def test_a_pixel_that_is_no_number_becomes_what_is_around_it() -> None:
    assert np.unique(read_photo(CASES / "one-nan.tif").pixels).tolist() == [128]


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_change_nothing_else(odd: float) -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32) * np.ones((64, 1), np.float32)
    good = read_photo(encode(Image.fromarray(ramp), "TIFF")).pixels
    for where in ((0, 0), (63, 255), (30, 100)):
        ramp[where] = odd
    bad = read_photo(encode(Image.fromarray(ramp), "TIFF")).pixels
    assert np.abs(bad.astype(int) - good).max() <= 1
    nothing = np.full((8, 8), odd, np.float32)
    assert read_photo(encode(Image.fromarray(nothing), "TIFF")).pixels.max() == 0


def test_bands_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).random((40, 30)).astype(np.float32)
    values[10:12, 5:9] = np.nan
    clear = Image.effect_noise((30, 40), 90).convert("RGBA")
    clear.putalpha(Image.effect_noise((30, 40), 90))
    files = [encode(Image.fromarray(values), "TIFF"), encode(clear, "PNG")]
    at_once = [read_photo(data).pixels for data in files]
    monkeypatch.setattr(colors, "BAND_PIXELS", 70)
    for data, wanted in zip(files, at_once, strict=True):
        assert np.array_equal(read_photo(data).pixels, wanted)


@pytest.mark.parametrize("name", ["palette-with-profile.png", "rgb-with-profile.png"])
def test_a_profile_counts_for_a_palette_as_for_any_picture(name: str) -> None:
    pixels = read_photo(CASES / name).pixels.reshape(-1, 3)
    assert np.abs(pixels.astype(int) - (0, 181, 64)).max() <= 1


@pytest.mark.parametrize("mode", ["P", "RGB", "RGBA", "L", "LA", "I;16"])
def test_a_profile_counts_in_every_mode(mode: str) -> None:
    """A linear grey of 60 is an sRGB grey of 133."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(struct.unpack_from(">I", data, 128)[0]):
        name, at, size = struct.unpack_from(">4sII", data, 132 + 12 * number)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            data[at : at + size] = (b"curv" + bytes(8)).ljust(size, b"\0")
    grey = Image.new("L", (4, 4), 60)
    if mode == "I;16":
        grey = Image.fromarray(np.full((4, 4), 60 * 257, np.uint16))
    image = grey if mode == "I;16" else grey.convert(mode)
    pixels = read_photo(encode(image, "PNG", icc_profile=bytes(data))).pixels
    assert np.abs(pixels.astype(int) - 133).max() <= 2


def test_a_vast_profile_is_ignored_and_not_kept() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    vast = profile + bytes(colors.MAX_PROFILE_BYTES)
    image = Image.new("RGB", (4, 4), (60, 180, 75))
    before = colors._small_is_srgb.cache_info().currsize
    pixels = read_photo(encode(image, "TIFF", icc_profile=vast)).pixels
    assert pixels[0, 0].tolist() == [60, 180, 75]
    assert colors._small_is_srgb.cache_info().currsize == before


def test_the_first_of_several_pages_is_said() -> None:
    photo = read_photo(CASES / "three-pages.tif")
    assert photo.notices == ("This file holds 3 pages; the first page is parsed.",)
    pages = [Image.new("RGB", (64, 64), color) for color in ("red", "lime", "blue")]
    heic = encode(pages[0], "HEIF", save_all=True, append_images=pages[1:], primary_index=2)
    several = read_photo(heic)
    assert several.notices == ("This file holds 3 pictures; the main one is parsed.",)
    assert several.pixels[9, 9].argmax() == 2
    assert read_photo(encode(pages[0], "TIFF")).notices == ()
    assert read_photo(encode(pages[0], "HEIF")).notices == ()


def test_a_thumbnail_is_no_page() -> None:
    def page(subfile: int, following: int) -> bytes:
        entries = [(254, 4, 1, subfile), (256, 4, 1, 4), (257, 4, 1, 4), (258, 3, 1, 8)]
        entries += [(259, 3, 1, 1), (262, 3, 1, 1), (273, 4, 1, 8), (279, 4, 1, 16)]
        tags = b"".join(struct.pack("<HHII", *entry) for entry in entries)
        return struct.pack("<H", len(entries)) + tags + struct.pack("<I", following)

    length = len(page(0, 0))
    two = b"II*\0" + struct.pack("<I", 24) + bytes(16) + page(0, 24 + length) + page(1, 0)
    assert read_photo(two).notices == ()
    pages = b"II*\0" + struct.pack("<I", 24) + bytes(16) + page(0, 24 + length) + page(0, 24)
    assert "2 pages" in read_photo(pages).notices[0], "and the second one leads back to the first"


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_a_turned_tiff_tells_its_upright_size(turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    data = encode(Image.new("RGB", (40, 20)), "TIFF", exif=exif)
    assert upright_size(data) == read_photo(data).image.size


@pytest.mark.skipif("AVIF" not in FORMATS, reason="this Pillow has no AVIF decoder")
def test_avif_is_read() -> None:
    assert "avif" in EXTENSIONS
    photo = read_photo(encode(Image.new("RGB", (64, 48), (200, 40, 30)), "AVIF"))
    assert np.abs(photo.pixels.astype(int) - (200, 40, 30)).max() <= 6


def test_a_cameras_several_pictures_are_read() -> None:
    assert {"jfif", "jpe", "mpo"} <= set(EXTENSIONS)
    pictures_ = [Image.new("RGB", (64, 48), color) for color in ("red", "blue")]
    photo = read_photo(encode(pictures_[0], "MPO", save_all=True, append_images=pictures_[1:]))
    assert photo.pixels[0, 0].argmax() == 0
    assert photo.notices == ("This file holds 2 pictures; the main one is parsed.",)


@pytest.mark.parametrize("name", corpus.BOMBS)
def test_a_file_made_to_take_long_is_refused_soon(name: str) -> None:
    data = corpus.BOMBS[name]()
    began = time.process_time()
    with pytest.raises(ImageError, match=r"than a photo has|damaged"):
        read_photo(data)
    assert time.process_time() - began < 5


def test_a_progressive_jpeg_is_read() -> None:
    noise = Image.effect_noise((300, 200), 60).convert("RGB")
    wanted = Image.open(io.BytesIO(encode(noise, "JPEG", progressive=True)))
    pixels = read_photo(encode(noise, "JPEG", progressive=True)).pixels
    assert np.array_equal(pixels, np.asarray(wanted))


def test_a_heic_whose_tiles_are_far_more_than_the_picture_is_refused() -> None:
    data = heic_of_one_tile(512, 31, 512)
    with pytest.raises(ImageError, match="or more parts, than a photo has"):
        read_photo(data)
    assert read_photo(heic_of_one_tile(64, 4, 256)).pixels.shape == (256, 256, 3)


def test_animations_of_very_many_frames_are_not_counted_for_long() -> None:
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 1, 1, 0) + b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", 1, 1, 0x80, 0, 0) + bytes(6)
    photo = read_photo(head + frame * 300_000 + b";")
    assert photo.notices == (
        "This file is an animation of very many frames; the first frame is parsed.",
    )


def heic_of_one_tile(tile: int, count: int, side: int) -> bytes:
    """A HEIC whose grid is ``count`` times ``count`` times the same tile."""
    whole = Image.new("RGB", (2 * tile, 2 * tile), (9, 120, 50))
    data = bytearray(encode(whole, "HEIF", tile_size=tile))
    meta = _box(data, b"meta", 0)
    iref = _box(data, b"iref", meta + 12)
    dimg = _box(data, b"dimg", iref + 12)
    grid, old, first = struct.unpack(">HHH", data[dimg + 8 : dimg + 14])
    more = 2 * (count * count - old)
    iloc = _box(data, b"iloc", meta + 12)
    version, sizes, base_size = data[iloc + 8], data[iloc + 12], data[iloc + 13] >> 4
    assert (version, sizes, base_size) == (1, 0x44, 4)
    at, grid_at = iloc + 16, 0
    for _ in range(struct.unpack(">H", data[iloc + 14 : iloc + 16])[0]):
        item, method, _, base, extents = struct.unpack(">HHHIH", data[at : at + 12])
        at += 12
        for _ in range(extents):
            (offset,) = struct.unpack(">I", data[at : at + 4])
            if item == grid:
                grid_at = base + offset + (_box(data, b"idat", meta + 12) + 8) * (method == 1)
            if method == 0:
                data[at : at + 4] = struct.pack(">I", offset + more)
            at += 8
    data[grid_at + 2 : grid_at + 4] = bytes([count - 1, count - 1])
    data[grid_at + 4 : grid_at + 8] = struct.pack(">HH", side, side)
    declared = struct.pack(">II", 2 * tile, 2 * tile)
    data = data.replace(
        b"ispe" + bytes(4) + declared, b"ispe" + bytes(4) + struct.pack(">II", side, side)
    )
    for start in (dimg, iref, meta):
        (length,) = struct.unpack(">I", data[start : start + 4])
        data[start : start + 4] = struct.pack(">I", length + more)
    references = struct.pack(">HH", grid, count * count) + struct.pack(">H", first) * count * count
    data[dimg + 8 : dimg + 12 + 2 * old] = references
    return bytes(data)


def _box(data: bytes | bytearray, kind: bytes, start: int) -> int:
    """Where a box begins, at or behind ``start``."""
    return data.index(kind, start) - 4
