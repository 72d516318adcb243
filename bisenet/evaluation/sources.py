"""Uploaded files, zips and loose ones, under one set of names."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from bisenet.images.archives import SkippedFile
from bisenet.images.decode import MAX_BYTES
from bisenet.images.sources import is_zip, photos_of_zip

# All files of an upload; they stay in memory while their session lasts.
MAX_TOTAL_BYTES = 1 << 30
MAX_FILES = 5_000

Reader = Callable[[], bytes]


class Files:
    """Files by name, each read when it is asked for.

    Args:
        uploaded: names and bytes. One zip counts as its contents; of several
            zips each is a folder of the zip's name, so ``images.zip`` and ``masks.zip`` pair up.

    Attributes:
        problems: what cannot be used, one by one.
        nbytes: memory that the files take.
    """

    def __init__(self, uploaded: Iterable[tuple[str, bytes]]):
        files = list(uploaded)
        self.problems: list[SkippedFile] = []
        self.nbytes = sum(len(data) for _, data in files)
        self._readers: dict[str, Reader] = {}
        if self.nbytes > MAX_TOTAL_BYTES:
            self.problems.append(SkippedFile("All files", _too_large(self.nbytes)))
            return
        for name, data in files:
            if is_zip(name):
                self._add_zip(name, data, alone=len(files) == 1)
            else:
                self._add_file(name, data)
        self._drop_beyond_limit()

    @property
    def names(self) -> tuple[str, ...]:
        """What can be read, in the order in which it came."""
        return tuple(self._readers)

    def read(self, name: str) -> bytes:
        """A file's bytes.

        Raises:
            ArchiveError: it is damaged inside its zip.
        """
        return self._readers[name]()

    def _add_zip(self, name: str, data: bytes, alone: bool) -> None:
        inside, refused = photos_of_zip(name, io.BytesIO(data))
        self.problems += refused
        folder = "" if alone else f"{PurePosixPath(name).stem}/"
        for source in inside:
            self._add(folder + source.name, source.read)

    def _add_file(self, name: str, data: bytes) -> None:
        if not data:
            self.problems.append(SkippedFile(name, "The file is empty (0 bytes)."))
        elif len(data) > MAX_BYTES:
            size = f"{len(data) / 2**20:.0f} MB; the limit is {MAX_BYTES // 2**20} MB"
            self.problems.append(SkippedFile(name, f"It has {size}. Save a smaller copy."))
        else:
            self._add(name, lambda: data)

    def _add(self, name: str, reader: Reader) -> None:
        if name in self._readers:
            self.problems.append(
                SkippedFile(
                    name,
                    "Two files have this name; the first one is used. Bring a folder or a zip, "
                    "where photos and masks lie apart.",
                )
            )
            return
        self._readers[name] = reader

    def _drop_beyond_limit(self) -> None:
        if len(self._readers) > MAX_FILES:
            self.problems.append(
                SkippedFile(
                    "All files",
                    f"There are {len(self._readers):,}; the limit is {MAX_FILES:,}. "
                    "Divide them into several sets.",
                )
            )
            self._readers = {}


def _too_large(nbytes: int) -> str:
    return (
        f"Together they have {nbytes / 2**20:,.0f} MB; the limit is "
        f"{MAX_TOTAL_BYTES // 2**20:,} MB. Divide them into several sets."
    )
