"""Zips from strangers: what in them can be used, and a reason for all that cannot.

Nothing is ever unpacked to disk. A bad entry is refused by itself and the rest goes on; only what
makes the whole archive useless or dangerous refuses all of it.
"""

from __future__ import annotations

import io
import lzma
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from bisenet.images.decode import MAX_BYTES

MAX_ARCHIVE_BYTES = 1 << 30
MAX_ENTRIES = 5_000
# All that is unpacked, together: photos hardly compress, so this is twice the largest archive.
MAX_TOTAL_BYTES = 2 << 30
# Photos compress to a half at best; plain colour in a BMP a hundredfold. Deflate ends at 1,032.
MAX_RATIO = 200
RATIO_FROM_BYTES = 1 << 20
# What zipfile would read into memory before anyone could count: 1 kB an entry is a long path.
MAX_DIRECTORY_BYTES = MAX_ENTRIES * 1024

_ARCHIVES = {"zip", "7z", "rar", "tar", "gz", "tgz", "bz2", "tbz", "xz", "txz", "zst", "jar", "iso"}
_JUNK = {"thumbs.db", "desktop.ini"}
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_CHUNK = 1 << 20
# What zipfile and the decompressors raise on a damaged zip; a method unknown to them is a
# RuntimeError too.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    RuntimeError,
    ValueError,
)
_END = struct.Struct("<4s4H2LH")
_END64_LOCATOR = struct.Struct("<4sLQL")
_END64 = struct.Struct("<4sQ2H2L4Q")


@dataclass(frozen=True)
class Member:
    """A file that can be read: its cleaned path inside, parts joined by ``/``, and its bytes."""

    name: str
    size: int


@dataclass(frozen=True)
class SkippedFile:
    """A file, here an entry of a zip, that takes no part; ``reason`` is a sentence for people."""

    name: str
    reason: str


class ArchiveError(ValueError):
    """An archive, or one of its files, cannot be read; the message is a sentence for people.

    ``refused`` names the entries that were refused, where that is why.
    """

    def __init__(self, message: str, refused: tuple[SkippedFile, ...] = ()):
        super().__init__(message)
        self.refused = refused


class Archive:
    """A zip whose usable files can be read one by one; a context manager.

    ``members`` are in the archive's order. Directories and what systems leave behind
    (``__MACOSX``, ``.DS_Store``, ``Thumbs.db``, dot files) are passed over without a word. Reading
    is safe from several threads.
    """

    def __init__(self, opened: zipfile.ZipFile, accept: Collection[str]):
        self._zip = opened
        self._infos: dict[str, zipfile.ZipInfo] = {}
        refused: list[SkippedFile] = []
        suffixes = {suffix.lower().lstrip(".") for suffix in accept}
        for info in opened.infolist():
            if _is_folder(info):
                continue
            name, reason = _clean(info.filename)
            if not reason and is_junk(name):
                continue
            reason = reason or _objection(info, name, suffixes)
            if not reason and name in self._infos:
                reason = "Another file of this name stands in the zip; the first one is used."
            if reason:
                refused.append(SkippedFile(_showable(name), reason))
            else:
                self._infos[name] = info
        self.refused = tuple(refused)
        self.members = tuple(Member(name, info.file_size) for name, info in self._infos.items())

    @classmethod
    def open(cls, source: bytes | BinaryIO, accept: Collection[str]) -> Archive:
        """Look through a zip.

        Args:
            source: the zip's bytes, or an open seekable file, which stays open.
            accept: suffixes of the files that are wanted, as ``images.EXTENSIONS``.

        Raises:
            ArchiveError: not a zip, damaged, too large, empty, or nothing in it can be used.
        """
        file = io.BytesIO(source) if isinstance(source, bytes) else source
        _check_outside(file)
        try:
            opened = zipfile.ZipFile(file)
        except _DAMAGE as error:
            raise ArchiveError("This is not a zip that can be read. Make it again.") from error
        if len(opened.infolist()) > MAX_ENTRIES:
            raise _too_many()
        archive = cls(opened, accept)
        archive._check_inside()
        return archive

    def read(self, member: Member) -> bytes:
        """A file's bytes, never more than ``images.MAX_BYTES``, whatever its header claims.

        Raises:
            ArchiveError: it is damaged, larger than it claims, or not of this archive.
        """
        info = self._infos.get(member.name)
        if info is None:
            raise ArchiveError("There is no such file in the zip.")
        limit = min(info.file_size, MAX_BYTES)
        parts, got = [], 0
        try:
            with self._zip.open(info) as file:
                while chunk := file.read(min(_CHUNK, limit - got + 1)):
                    got += len(chunk)
                    if got > limit:
                        raise ArchiveError("The file in the zip is larger than the zip says.")
                    parts.append(chunk)
        except ArchiveError:
            raise
        except _DAMAGE as error:
            raise ArchiveError("The file is damaged inside the zip. Make the zip again.") from error
        if got != info.file_size:
            raise ArchiveError("The file is damaged inside the zip. Make the zip again.")
        return b"".join(parts)

    def close(self) -> None:
        """Let the archive go; a file that was handed in stays open."""
        self._zip.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _check_inside(self) -> None:
        if not self.members and not self.refused:
            raise ArchiveError("The zip is empty.")
        if not self.members:
            most, _ = Counter(one.reason for one in self.refused).most_common(1)[0]
            files = "its one file was" if len(self.refused) == 1 else "its files were"
            raise ArchiveError(
                f"Nothing in the zip can be used: {files} refused. {most}", self.refused
            )
        total = sum(member.size for member in self.members)
        if total > MAX_TOTAL_BYTES:
            raise ArchiveError(
                f"The zip unpacks to {total / 2**30:.1f} GB; the limit is "
                f"{MAX_TOTAL_BYTES / 2**30:.0f} GB. Divide it into several."
            )


def _check_outside(file: BinaryIO) -> None:
    """Size of the file and of its directory, before zipfile reads all of that into memory."""
    try:
        size = file.seek(0, io.SEEK_END)
        directory = _directory_bytes(file, size)
        file.seek(0)
    except (OSError, ValueError) as error:
        raise ArchiveError("The zip cannot be read. Choose it again.") from error
    if size == 0:
        raise ArchiveError("The file is empty (0 bytes). Choose the zip again.")
    if size > MAX_ARCHIVE_BYTES:
        raise ArchiveError(
            f"The zip is {size / 2**30:.1f} GB; the limit is {MAX_ARCHIVE_BYTES / 2**30:.0f} GB. "
            "Divide it into several."
        )
    if directory > MAX_DIRECTORY_BYTES:
        raise _too_many()


def _directory_bytes(file: BinaryIO, size: int) -> int:
    """What the zip's end record says its directory takes, found where zipfile finds it."""
    tail_at = max(0, size - _END.size - (1 << 16))
    file.seek(tail_at)
    tail = file.read()
    start = len(tail) - _END.size
    if not (start >= 0 and tail.startswith(b"PK\5\6", start) and tail.endswith(b"\0\0")):
        start = tail.rfind(b"PK\5\6")
    if start < 0 or start + _END.size > len(tail):
        return 0
    claimed = int(_END.unpack_from(tail, start)[5])
    at = tail_at + start - _END64_LOCATOR.size - _END64.size
    if at < 0:
        return claimed
    file.seek(at)
    signature, *_, bytes64, _offset = _END64.unpack(file.read(_END64.size))
    return max(claimed, int(bytes64)) if signature == b"PK\6\6" else claimed


def _too_many() -> ArchiveError:
    return ArchiveError(
        f"The zip holds too many files; the limit is {MAX_ENTRIES:,}. Divide it into several."
    )


def _is_folder(info: zipfile.ZipInfo) -> bool:
    return info.is_dir() or (info.filename.endswith("\\") and info.file_size == 0)


def _clean(name: str) -> tuple[str, str]:
    """A relative path without empty parts, and why it is refused if it is."""
    # Windows PowerShell 5.1 parts folders with backslashes, against the format.
    name = unicodedata.normalize("NFC", name).replace("\\", "/")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return name, "Its path is absolute and leads out of the zip."
    parts = name.split("/")
    if ".." in parts:
        return name, "Its path leads out of the zip (..)."
    if any(unicodedata.category(c) == "Cc" for c in name):
        return name, "Its name has control characters."
    return "/".join(part for part in parts if part not in ("", ".")), ""


def is_junk(name: str) -> bool:
    """Whether a path, with ``/``, is hidden or one that systems leave behind."""
    parts = name.split("/")
    return (
        not name
        or "__MACOSX" in parts
        or any(part.startswith(".") for part in parts)
        or parts[-1].lower() in _JUNK
    )


def _objection(info: zipfile.ZipInfo, name: str, suffixes: set[str]) -> str:
    """Why an entry is refused, by what its header says; empty where it is not."""
    suffix = PurePosixPath(name).suffix.lower().lstrip(".")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "It is a link, not a file."
    if kind not in (0, stat.S_IFREG):
        return "It is not an ordinary file."
    if info.flag_bits & 0x1:
        return "It is locked with a password. Make the zip without one."
    if suffix in _ARCHIVES and suffix not in suffixes:
        return "An archive inside an archive is not opened. Unpack it first."
    if suffix not in suffixes:
        kind_of_file = f"a .{suffix} file" if suffix else "a file without a suffix"
        return f"It is {kind_of_file}, which is not used here."
    if info.compress_type not in _METHODS:
        return "It is compressed in a way that is not known here. Make the zip again."
    if info.file_size == 0:
        return "The file is empty (0 bytes)."
    if info.file_size > MAX_BYTES:
        return (
            f"It unpacks to {info.file_size / 2**20:,.0f} MB; the limit is {MAX_BYTES // 2**20} MB."
        )
    ratio = info.file_size / max(info.compress_size, 1)
    if info.file_size > RATIO_FROM_BYTES and ratio > MAX_RATIO:
        return f"It unpacks to {ratio:,.0f} times its size, which no photo does."
    return ""


def _showable(name: str, limit: int = 120) -> str:
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C") or "(no name)"
    return name if len(name) <= limit else f"{name[: limit // 2]}…{name[-(limit // 2 - 1) :]}"
