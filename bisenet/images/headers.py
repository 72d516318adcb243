"""What stands before a picture's pixels, read with measure.

A few megabytes can hold millions of chunks, segments, tags or frames, and a reader that takes them
one by one is busy for minutes before it knows the picture's size. A photo has some hundreds.
"""

from __future__ import annotations

import io
import math
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

# Reads until a picture's size is known, and bytes of those that are no larger than a segment of a
# JPEG: a profile takes 255 of them at most, and what else a camera adds fewer.
HEADER_READS, HEADER_BYTES, _SEGMENT = 2_000, 16 * 2**20, 2**16
# Reads while pixels are decoded, or frames counted: a strip a row, three planes apart.
DECODE_READS = 300_000
# Strips or tiles of a TIFF; the numbers that any other of its tags may have; and the pages that
# are counted.
MAX_PIECES, MAX_NUMBERS, MAX_PAGES = 250_000, 250_000, 1_000
# Scans of a JPEG of the largest size, and as many more of a smaller one.
MAX_SCANS = 100
# A scan's marker, its length and its number of components: no other bytes look alike.
_SCAN = re.compile(rb"\xff\xda\x00(?:\x08\x01|\x0a\x02|\x0c\x03|\x0e\x04)")
_PIECES = {273, 279, 324, 325}
_SUBFILE, _TILE_WIDTH, _TILE_LENGTH = 254, 322, 323
_REDUCED = 1
_BYTE, _SHORT = 1, 3
# Types whose values Pillow makes a Python number each of: all but bytes and text.
_NUMERIC = {3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18}


class HeaderError(ValueError):
    """A file has far more before its pixels than a photo has."""


class Metered(io.RawIOBase):
    """A binary file that is read so many times and no more.

    Args:
        source: the file; it stays open.
    """

    def __init__(self, source: BinaryIO):
        super().__init__()
        self._source = source
        self.reads, self.small_bytes = HEADER_READS, HEADER_BYTES

    def allow_decoding(self) -> None:
        """From here on pixels are read, or frames counted."""
        self.reads, self.small_bytes = DECODE_READS, 1 << 40

    def read(self, size: int | None = -1, /) -> bytes:
        """Up to ``size`` bytes.

        Raises:
            HeaderError: it was read too often.
        """
        data = self._source.read(-1 if size is None else size)
        self.reads -= 1
        if len(data) <= _SEGMENT:
            self.small_bytes -= len(data)
        if self.reads < 0 or self.small_bytes < 0:
            raise HeaderError("The file has more in front of its pixels than a photo has.")
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a place."""
        return self._source.seek(offset, whence)

    def tell(self) -> int:
        """The place."""
        return self._source.tell()

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True


@dataclass(frozen=True)
class _Entry:
    """A tag of a TIFF: its type, how many values, and the first where it stands in the tag."""

    tag: int
    kind: int
    count: int
    value: int


def check_tiff(source: BinaryIO, max_pixels: int) -> None:
    """Refuse a TIFF whose tags say more than a photo's; any other file passes.

    Pillow makes a tuple for each strip or tile when it opens a file, and libtiff makes room for
    a whole tile, however small the picture is.

    Raises:
        HeaderError: too many strips, tiles or numbers, or a tile of more than ``max_pixels``.
    """
    first = next(_directories(source), ())
    wide, high = (
        max((entry.value for entry in first if entry.tag == tag), default=0)
        for tag in (_TILE_WIDTH, _TILE_LENGTH)
    )
    many = any(
        entry.count > (MAX_PIECES if entry.tag in _PIECES else MAX_NUMBERS)
        for entry in first
        if entry.tag in _PIECES or entry.kind in _NUMERIC
    )
    if many or wide * high > max_pixels:
        raise HeaderError("The TIFF has too many parts, or too large ones.")


def check_scans(image: Image.Image, data: bytes, max_pixels: int) -> None:
    """Refuse a JPEG that goes over its pixels thousands of times, for a few bytes each time.

    A progressive one has about ten scans.

    Raises:
        HeaderError: more work than ``MAX_SCANS`` scans of a picture of ``max_pixels``.
    """
    if image.format in ("JPEG", "MPO"):
        scans = sum(1 for _ in _SCAN.finditer(data))
        if scans * image.width * image.height > MAX_SCANS * max_pixels:
            raise HeaderError("The JPEG has more scans than a photo has.")


def check_tiles(image: Image.Image, max_pixels: int) -> None:
    """Refuse a HEIC whose tiles hold far more pixels than a picture may have, all being decoded.

    A thousand of them may lie on the same few pixels, and may be the same tile in the file.

    Raises:
        HeaderError: more than twice ``max_pixels``: at the rim tiles reach out of a picture.
    """
    tiles = image.info.get("tiling")
    if isinstance(tiles, dict):
        sides = ("num_columns", "num_rows", "tile_width", "tile_height")
        if math.prod(int(tiles.get(side, 1)) for side in sides) > 2 * max_pixels:
            raise HeaderError("The tiles hold more pixels than a picture may have.")


def tiff_pages(source: BinaryIO) -> int:
    """Pages of a TIFF, smaller copies of a page aside; of very many, ``MAX_PAGES``."""
    pages = 0
    for entries in _directories(source):
        kind = next((e.value for e in entries if e.tag == _SUBFILE), 0)
        pages += not kind & _REDUCED
        if pages >= MAX_PAGES:
            break
    return pages


def _directories(source: BinaryIO) -> Iterator[tuple[_Entry, ...]]:
    """The tags of one page of a TIFF after the other; none where it is no TIFF, or damaged."""
    source.seek(0)
    head = source.read(16)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 16:
        return
    big = head[2] == 43  # as Pillow tells a BigTIFF
    number, counter = (struct.Struct(order + kind) for kind in (("Q", "Q") if big else ("L", "H")))
    form = struct.Struct(order + ("HHQ8s" if big else "HHL4s"))
    (offset,) = number.unpack(head[8:16] if big else head[4:8])
    seen: set[int] = set()
    while offset and offset not in seen and offset < 1 << 62 and len(seen) < 2 * MAX_PAGES:
        seen.add(offset)
        source.seek(offset)
        counted = source.read(counter.size)
        if len(counted) < counter.size:
            return
        length = min(counter.unpack(counted)[0], 0xFFFF) * form.size
        data = source.read(length + number.size)
        whole = min(len(data), length) // form.size * form.size
        yield tuple(
            _Entry(tag, kind, count, _first(kind, raw, number, order))
            for tag, kind, count, raw in form.iter_unpack(data[:whole])
        )
        if len(data) < length + number.size:
            return
        (offset,) = number.unpack(data[length:])


def _first(kind: int, raw: bytes, number: struct.Struct, order: str) -> int:
    """A tag's first value where it stands in the tag itself."""
    if kind == _BYTE:
        return raw[0]
    if kind == _SHORT:
        return int(struct.unpack(f"{order}H", raw[:2])[0])
    return int(number.unpack(raw)[0])
