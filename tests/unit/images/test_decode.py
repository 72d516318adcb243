from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from bisenet.images.decode import (
    ImageError,
    display_name,
    load_image,
    read_photo,
    stored_size,
    upright_size,
)

QUADRANTS = np.zeros((40, 60, 3), dtype=np.uint8)
QUADRANTS[:20, :30] = (200, 30, 30)
QUADRANTS[20:, 30:] = (30, 60, 200)


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, **options)
    return out.getvalue()


def png_that_declares(width: int, height: int) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b""))
    )
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "TIFF", "HEIF", "GIF"])
def test_every_format_becomes_rgb(kind: str) -> None:
    decoded = load_image(encode(Image.fromarray(QUADRANTS), kind))
    assert decoded.mode == "RGB"
    assert decoded.size == (60, 40)
    difference = np.abs(np.asarray(decoded, dtype=int) - QUADRANTS)
    assert np.median(difference) <= 8


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "LA", "RGBA", "YCbCr", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = Image.fromarray(np.full((8, 8), 128, dtype=np.uint8))
    if mode == "I;16":
        source = Image.fromarray(np.full((8, 8), 128 * 257, dtype=np.uint16))
    else:
        source = grey.convert(mode)
    data = encode(source, "TIFF" if mode in ("CMYK", "YCbCr") else "PNG")
    decoded = np.asarray(load_image(data), dtype=int)
    assert decoded.shape == (8, 8, 3)
    assert np.abs(decoded - 128).max() <= 3


def test_black_and_white_becomes_rgb() -> None:
    bits = Image.fromarray(np.array([[0, 255], [255, 0]], dtype=np.uint8)).convert("1")
    decoded = np.asarray(load_image(encode(bits, "PNG")))
    assert decoded[..., 1].tolist() == [[0, 255], [255, 0]]


def test_sixteen_bits_are_scaled_by_their_range_not_by_their_content() -> None:
    dark = Image.fromarray(np.full((4, 4), 200, dtype=np.uint16))
    assert np.asarray(load_image(encode(dark, "PNG"))).max() <= 1


def test_transparency_lies_over_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert np.asarray(load_image(encode(clear, "PNG"))).min() == 255
    palette = Image.fromarray(np.zeros((4, 4), dtype=np.uint8)).convert("P")
    assert np.asarray(load_image(encode(palette, "PNG", transparency=0))).min() == 255


@pytest.mark.parametrize(
    ("orientation", "first_pixel_at"), [(1, (0, 0)), (3, (-1, -1)), (6, (0, -1)), (8, (-1, 0))]
)
def test_exif_orientation_is_applied(orientation: int, first_pixel_at: tuple[int, int]) -> None:
    stored = Image.new("RGB", (30, 20), "black")
    stored.paste("white", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = np.asarray(load_image(encode(stored, "PNG", exif=exif)))
    assert upright.shape[:2] == ((20, 30) if orientation in (1, 3) else (30, 20))
    assert upright[first_pixel_at].tolist() == [255, 255, 255]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_jpeg_is_turned_upright_as_pillow_does(orientation: int) -> None:
    noise = np.random.default_rng(orientation).integers(0, 256, (23, 41, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(Image.fromarray(noise), "JPEG", quality=90, exif=exif)
    wanted = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(read_photo(data).pixels, np.asarray(wanted))


@pytest.mark.parametrize(
    ("kind", "value"), [(3, b"\0\0\0\0"), (3, b"\x09\0\0\0"), (2, b"6\0\0\0"), (11, b"\0\0\xc0@")]
)
def test_a_jpeg_with_an_orientation_that_is_none_stays_as_it_is(kind: int, value: bytes) -> None:
    """0, 9, a text, and six and nothing as a real number, which EXIF does not know either."""
    entry = struct.pack("<HHI", 0x0112, kind, 1) + value
    exif = b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", 1) + entry + bytes(4)
    plain = encode(Image.fromarray(QUADRANTS), "JPEG")
    odd = encode(Image.fromarray(QUADRANTS), "JPEG", exif=exif)
    assert np.array_equal(read_photo(odd).pixels, read_photo(plain).pixels)
    assert upright_size(odd) == (60, 40)


def test_a_jpeg_in_another_colour_space_is_converted() -> None:
    photo = Image.fromarray(QUADRANTS)
    linear = _linear_profile()
    plain = read_photo(encode(photo, "JPEG", quality=95)).pixels
    converted = read_photo(encode(photo, "JPEG", quality=95, icc_profile=linear)).pixels
    assert converted[5, 5, 0] > plain[5, 5, 0] + 10, "a linear 200 is brighter than an sRGB 200"
    four = encode(photo.convert("CMYK"), "JPEG", quality=95)
    assert read_photo(four).pixels[5, 5] == pytest.approx((200, 30, 30), abs=6)


def _linear_profile() -> bytes:
    """sRGB's profile with its three tone curves made straight."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for number in range(struct.unpack_from(">I", data, 128)[0]):
        name, at, size = struct.unpack_from(">4sII", data, 132 + 12 * number)
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            # A curve without entries is the identity (ICC.1, curveType).
            data[at : at + size] = (b"curv" + bytes(8)).ljust(size, b"\0")
    return bytes(data)


@pytest.mark.parametrize("kept", [0.4, 0.9, 0.999])
def test_a_jpeg_that_was_cut_off_is_refused(kept: float) -> None:
    data = encode(Image.effect_noise((200, 200), 90).convert("RGB"), "JPEG")
    with pytest.raises(ImageError, match="damaged or incomplete"):
        read_photo(data[: int(kept * len(data))])


def test_a_jpeg_with_something_behind_it_is_read() -> None:
    data = encode(Image.fromarray(QUADRANTS), "JPEG")
    assert np.array_equal(read_photo(data + b"more").pixels, read_photo(data).pixels)


def test_colours_that_are_srgb_already_stay_as_they_are() -> None:
    colors = np.random.default_rng(5).integers(0, 256, (40, 50, 3)).astype(np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = load_image(encode(Image.fromarray(colors), "PNG", icc_profile=profile))
    assert np.array_equal(np.asarray(image), colors)
    assert "icc_profile" not in image.info


def test_a_colour_profile_is_converted_and_a_broken_one_ignored() -> None:
    grey = Image.new("RGB", (4, 4), (100, 150, 200))
    lab_like = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = np.asarray(load_image(encode(grey, "PNG", icc_profile=lab_like)), dtype=int)
    broken = np.asarray(load_image(encode(grey, "PNG", icc_profile=b"no profile")), dtype=int)
    assert np.abs(same - (100, 150, 200)).max() <= 1
    assert np.abs(broken - (100, 150, 200)).max() == 0


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"GIF is not what this is", "not an image"),
        (b"%PDF-1.7 and so on", "not an image"),
        (encode(Image.fromarray(QUADRANTS), "JPEG")[:400], "damaged or incomplete"),
        (encode(Image.effect_noise((64, 64), 90), "PNG")[:-2000], "damaged or incomplete"),
        (png_that_declares(0, 20), "no pixels|damaged|not an image"),
        (png_that_declares(30_000, 30_000), "900 megapixels"),
        (png_that_declares(9_000, 9_000), "81 megapixels"),
    ],
)
def test_bad_files_are_one_clear_sentence(data: bytes, says: str) -> None:
    with pytest.raises(ImageError, match=says):
        load_image(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize(("turn", "size"), [(1, (40, 20)), (3, (40, 20)), (6, (20, 40))])
def test_a_file_tells_its_upright_size(kind: str, turn: int, size: tuple[int, int]) -> None:
    image = Image.new("RGB", (40, 20))
    exif = image.getexif()
    exif[0x0112] = turn
    data = encode(image, kind, exif=exif)
    assert stored_size(io.BytesIO(data)) == (40, 20)
    assert upright_size(data) == size == load_image(data).size


def test_a_header_is_read_without_decoding() -> None:
    assert stored_size(io.BytesIO(png_that_declares(9_000, 8_000))) == (9_000, 8_000)
    for data in (b"notes", png_that_declares(30_000, 30_000)):
        with pytest.raises(ImageError, match="not an image"):
            stored_size(io.BytesIO(data))


def test_a_file_over_the_limit_is_refused_before_decoding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bisenet.images.decode.MAX_BYTES", 100)
    with pytest.raises(ImageError, match="the limit is"):
        load_image(encode(Image.fromarray(QUADRANTS), "BMP"))


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"nothing\.jpg cannot be opened"):
        load_image(tmp_path / "nothing.jpg")


def test_an_animation_gives_its_first_frame_and_says_so() -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "lime", "blue")]
    data = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    photo = read_photo(data)
    assert photo.image.getpixel((5, 5)) == (255, 0, 0)
    assert "3 frames" in photo.notices[0]
    assert read_photo(encode(frames[0], "PNG")).notices == ()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\me.jpg", "me.jpg"),
        ("a\x00b\nc\u202e.png", "abc.png"),
        ("what?<b>.jpg", "what__b_.jpg"),
        ("...", "photo"),
        ("", "photo"),
        ("жінка 女.heic", "жінка 女.heic"),
    ],
)
def test_names_are_safe_to_show(name: str, shown: str) -> None:
    assert display_name(name) == shown


def test_long_names_keep_their_ends() -> None:
    shown = display_name("a" * 300 + ".jpg")
    assert len(shown) == 60
    assert shown.endswith(".jpg")
