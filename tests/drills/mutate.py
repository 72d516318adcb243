"""Good files become odd ones: by bytes, by numbers in their headers, and by what they declare."""

from __future__ import annotations

import random
import struct
import zlib
from collections.abc import Callable

from tests.drills import corpus

_NUMBERS = (0, 1, 2, 3, 4, 5, 9, 127, 128, 255, 32_766, 32_767, 32_768, 48_584, 60_000, 65_500)
_LARGE = (65_535, 65_536, 2**24, 2**31 - 1, 2**31, 2**32 - 2, 2**32 - 1)

_Mutation = Callable[[random.Random, bytearray], None]


def mutated(rng: random.Random) -> tuple[str, bytes]:
    """A file made by chance: what it was, and its bytes. One in eight is as good as it was."""
    kind, mode = rng.choice(corpus.KINDS)
    data = bytearray(corpus.whole(kind, mode, rng.randrange(corpus.VARIANTS)))
    if rng.random() < 0.125:
        return f"{kind} {mode} whole", bytes(data)
    names = []
    for _ in range(rng.choice((1, 1, 1, 2, 3, 6))):
        if not data:
            break
        change = rng.choice(_MUTATIONS)
        names.append(change.__name__)
        change(rng, data)
    if kind == "PNG" and rng.random() < 0.7:
        _mend_checksums(data)
    return f"{kind} {mode} {'+'.join(names)}", bytes(data)


def flip(rng: random.Random, data: bytearray) -> None:
    """Some bytes, most often near the start, where headers are."""
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        data[_place(rng, data)] = rng.randrange(256)


def number(rng: random.Random, data: bytearray) -> None:
    """Two or four bytes as a number on an edge."""
    size, order = rng.choice((2, 4)), rng.choice("<>")
    value = rng.choice(_NUMBERS + _LARGE) & (2 ** (8 * size) - 1)
    at = _place(rng, data)
    data[at : at + size] = struct.pack(order + {2: "H", 4: "I"}[size], value)


def cut(rng: random.Random, data: bytearray) -> None:
    """The end is missing."""
    del data[rng.randrange(len(data)) :]


def leave_out(rng: random.Random, data: bytearray) -> None:
    """A piece is missing."""
    at = _place(rng, data)
    del data[at : at + rng.choice((1, 2, 4, 16, 100, 1000))]


def twice(rng: random.Random, data: bytearray) -> None:
    """A piece stands there twice, or many times."""
    at, size = _place(rng, data), rng.choice((1, 4, 12, 64, 500))
    data[at:at] = data[at : at + size] * rng.choice((1, 1, 3, 100))


def insert(rng: random.Random, data: bytearray) -> None:
    """Something else in between."""
    at = _place(rng, data)
    data[at:at] = rng.randbytes(rng.choice((1, 2, 7, 200)))


def swap(rng: random.Random, data: bytearray) -> None:
    """The first part of this file, the rest of another format's."""
    other = corpus.whole(*rng.choice(corpus.KINDS), rng.randrange(corpus.VARIANTS))
    at = rng.randrange(len(data))
    data[at:] = other[min(at, len(other)) :]


def declare(rng: random.Random, data: bytearray) -> None:
    """Another width or height in the header, where the format has them in one place."""
    sizes = [rng.choice(_NUMBERS + _LARGE) for _ in range(2)]
    if data[:4] == b"\x89PNG" and len(data) > 24:
        data[16:24] = struct.pack(">II", *(n & 0xFFFFFFFF for n in sizes))
        _mend_checksums(data)
    elif data[:3] == b"GIF" and len(data) > 30:
        at = rng.choice((6, data.find(b",", 13) + 5))
        data[at : at + 4] = struct.pack("<HH", *(n & 0xFFFF for n in sizes))
    elif data[:2] == b"BM" and len(data) > 26:
        data[18:26] = struct.pack("<II", *(n & 0xFFFFFFFF for n in sizes))
    elif data[:2] == b"\xff\xd8":
        at = max(data.find(b"\xff\xc0"), data.find(b"\xff\xc2"))
        data[at + 5 : at + 9] = struct.pack(">HH", *(n & 0xFFFF for n in sizes))
    elif (at := data.find(b"ispe")) > 0:
        data[at + 8 : at + 16] = struct.pack(">II", *(n & 0xFFFFFFFF for n in sizes))
    else:
        number(rng, data)


def tag(rng: random.Random, data: bytearray) -> None:
    """One entry of a TIFF's first directory, or of EXIF's: type, count or value."""
    start = max(data.find(b"II*\0"), data.find(b"MM\0*"), 0)
    if start + 8 >= len(data):
        return number(rng, data)
    order = "<" if data[start : start + 2] == b"II" else ">"
    (offset,) = struct.unpack(f"{order}I", data[start + 4 : start + 8])
    at = start + offset + 2 + 12 * rng.randrange(20)
    if at + 12 > len(data):
        return number(rng, data)
    place, form = rng.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H")))
    value = rng.choice((*_NUMBERS, *_LARGE, rng.randint(254, 340)))
    size = struct.calcsize(form)
    data[at + place : at + place + size] = struct.pack(order + form, value & (2 ** (8 * size) - 1))


_MUTATIONS: tuple[_Mutation, ...] = (
    *(flip, flip, number, number, declare, declare, tag),
    *(cut, leave_out, twice, insert, swap),
)


def _place(rng: random.Random, data: bytearray) -> int:
    if not data:
        return 0
    return rng.randrange(min(len(data), rng.choice((32, 200, len(data)))))


def _mend_checksums(data: bytearray) -> None:
    """A PNG whose chunks' checksums are right again, so that what they hold is looked at."""
    at = 8
    while at + 12 <= len(data):
        (size,) = struct.unpack(">I", data[at : at + 4])
        end = at + 8 + size
        if end + 4 > len(data):
            return
        data[end : end + 4] = struct.pack(">I", zlib.crc32(data[at + 4 : end]))
        at = end + 4
