"""Where the photos of a batch come from: files, folders, zips. Bytes are read when asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from bisenet.images.archives import Archive, ArchiveError, SkippedFile
from bisenet.images.decode import EXTENSIONS, MAX_BYTES, ImageError, display_name
from bisenet.images.folder_tree import look_below, spoken

MAX_PHOTOS = 2_000
MAX_TOTAL_BYTES = 1 << 30
# File systems take 255 bytes; a number or a suffix may follow.
MAX_NAME_BYTES = 240
_KEPT_BYTES = 200


@dataclass(frozen=True)
class Source:
    """A photo to come: a name that no other of the batch has, and a way to its bytes.

    ``read`` raises ``ImageError`` or ``ArchiveError`` with a sentence for people. ``place`` is
    where its files go below a folder of results; by default where its name says.
    """

    name: str
    read: Callable[[], bytes] = field(repr=False)
    place: str = ""


@dataclass(frozen=True)
class PhotoSources:
    """What a batch was given: photos to parse, and what was refused beforehand.

    ``skipped`` are a folder's other files, in a few sentences: nobody asked for those.
    """

    sources: tuple[Source, ...]
    refused: tuple[SkippedFile, ...]
    skipped: tuple[SkippedFile, ...] = ()


def from_files(
    files: Iterable[tuple[str, BinaryIO]],
    max_photos: int = MAX_PHOTOS,
    max_bytes: int = MAX_TOTAL_BYTES,
) -> PhotoSources:
    """Photos and zips of photos as they were uploaded.

    Args:
        files: name and open file of each; the files stay open, and are read one by one.
        max_photos: those beyond are refused.
        max_bytes: of all files together; those beyond are refused.
    """
    sources: list[Source] = []
    refused: list[SkippedFile] = []
    names = Names()
    total = 0
    for name, file in files:
        total += file.seek(0, 2)
        if total > max_bytes:
            refused.append(
                SkippedFile(
                    name, f"More than {_size(max_bytes)} in all. Put it into another batch."
                )
            )
        elif is_zip(name):
            inside, bad = photos_of_zip(name, file)
            sources += [replace(source, name=names.free(source.name)) for source in inside]
            refused += bad
        else:
            sources.append(Source(names.free(display_name(name)), partial(_read_file, file)))
    for source in sources[max_photos:]:
        refused.append(
            SkippedFile(source.name, f"More than {max_photos:,} photos. Put it into another batch.")
        )
    return PhotoSources(tuple(sources[:max_photos]), tuple(refused))


def from_paths(paths: Sequence[Path], stack: ExitStack) -> PhotoSources:
    """Photos, folders (with all below them) and zips on the disk; a photo's name is its path.

    Args:
        paths: a photo may be missing: it is refused when it is read.
        stack: closes the zips.
    """
    sources: dict[str, Source] = {}
    refused: list[SkippedFile] = []
    skipped: list[SkippedFile] = []
    for path in paths:
        found: list[Source] = []
        name = spoken(path)
        if path.is_dir():
            tree = look_below(path)
            refused += tree.unreadable
            skipped += tree.skipped
            for below in tree.photos:
                place = spoken(below.relative_to(path).as_posix())
                found.append(Source(spoken(below), partial(read_path, below), place))
        elif is_zip(path.name):
            try:
                file = stack.enter_context(path.open("rb"))
            except OSError as error:
                reason = error.strerror or "unreadable"
                refused.append(SkippedFile(name, f"It cannot be opened: {reason}."))
                continue
            inside, bad = photos_of_zip(name, file)
            found += [replace(s, name=f"{name}/{s.name}", place=s.name) for s in inside]
            refused += bad
        else:
            found.append(Source(name, partial(read_path, path), spoken(path.name)))
        # The same path given twice, or within a folder that was given, is one photo.
        sources |= {source.name: source for source in found}
    return PhotoSources(tuple(sources.values()), tuple(refused), tuple(skipped))


def is_zip(name: str) -> bool:
    """Whether a file's name says that it is a zip."""
    return name.lower().endswith(".zip")


class Names:
    """Gives each photo a name of its own: a second ``x.jpg`` becomes ``x (2).jpg``."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, name: str) -> str:
        """The name, numbered where it is taken."""
        path = PurePosixPath(name)
        free, count = name, 1
        while free in self._taken:
            count += 1
            free = str(path.with_name(f"{path.stem} ({count}){path.suffix}"))
        self._taken.add(free)
        return free


def fitting(part: str) -> str:
    """A folder's or a file's name, without suffix, that every file system takes.

    A name of more than ``MAX_NAME_BYTES`` is cut, and a mark of the whole name keeps it apart.
    """
    encoded = part.encode("utf-8", "backslashreplace")
    if len(encoded) <= MAX_NAME_BYTES:
        return part
    start = encoded[:_KEPT_BYTES].decode("utf-8", "ignore").rstrip()
    return f"{start}-{hashlib.sha256(encoded).hexdigest()[:8]}"


def photos_of_zip(name: str, file: BinaryIO) -> tuple[list[Source], list[SkippedFile]]:
    """A zip's photos under their paths inside, and what was refused under the zip's name too."""
    try:
        archive = Archive.open(file, EXTENSIONS)
    except ArchiveError as error:
        refused = [SkippedFile(f"{name}: {one.name}", one.reason) for one in error.refused]
        return [], [SkippedFile(name, str(error)), *refused]
    return (
        [Source(m.name, partial(archive.read, m)) for m in archive.members],
        [SkippedFile(f"{name}: {one.name}", one.reason) for one in archive.refused],
    )


def read_path(path: Path) -> bytes:
    """A file's bytes; raises ``ImageError`` where it cannot be opened or is too large."""
    try:
        size = path.stat().st_size
        if size <= MAX_BYTES:
            return path.read_bytes()
    except OSError as error:
        reason = error.strerror or "unreadable"
        raise ImageError(f"It cannot be opened: {reason}.") from error
    raise ImageError(
        f"The file is {size / 2**20:,.0f} MB; the limit is {MAX_BYTES // 2**20} MB. "
        "Save a smaller copy and try again."
    )


def _read_file(file: BinaryIO) -> bytes:
    # One more byte than is allowed is enough to be refused for it.
    file.seek(0)
    return file.read(MAX_BYTES + 1)


def _size(count: int) -> str:
    return f"{count / 2**30:.0f} GB" if count >= 2**30 else f"{count / 2**20:.0f} MB"
