"""A batch on the disk: a folder a photo, finished when its mark is there, so that a run resumes.

The mark, ``photo.json``, is written last and moved into place in one step: a run that was cut off
leaves none, and that photo is parsed again. It says which file it was (the SHA-256 of its bytes),
what it was parsed with, and holds the photo's rows of the tidy table.
"""

from __future__ import annotations

import errno
import hashlib
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from bisenet.batch.items import TIDY, Parse, ParsedPhoto, measured
from bisenet.images.folder_tree import MARK, UNFINISHED, read_mark
from bisenet.images.sources import Source, fitting
from bisenet.measure.regions import measure_regions
from bisenet.output import encode

# 2: the table says which regions are cut off, and shares of what was looked at.
_VERSION = 2
# What concerns one photo's folder alone. A full or a read-only disk concerns all of them.
_ITS_OWN = {
    *(errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EACCES, errno.EPERM),
    *(errno.EILSEQ, errno.EINVAL, errno.ELOOP),
}


class ResultsError(ValueError):
    """A photo's results cannot be written where they belong; the message is for people."""


@dataclass(frozen=True)
class Outcome:
    """A photo that is finished: where, whether it was before this run, and what to know of it."""

    folder: Path
    resumed: bool
    regions: int
    milliseconds: float
    notices: tuple[str, ...]


class Folder:
    """The folder that a batch is written to.

    Args:
        out: made if it is not there.
        settings: what decides the result beside the photo: weights, framing. A photo that was
            parsed with others is parsed again.
        unknown: what the masks have where no view looked, as ``encode.mask_png`` takes it.
    """

    def __init__(self, out: Path, settings: Mapping[str, str], unknown: int = 0):
        self.out = out
        self._settings: dict[str, str | int] = {**settings, "unknown": unknown}
        self._unknown = unknown
        self._taken: set[Path] = set()
        self._lock = threading.Lock()
        try:
            out.mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise ResultsError(f"{out} cannot be a folder: a file has that name.") from error

    def finish(self, source: Source, parse: Parse) -> Outcome:
        """Parse a photo and write its files, unless that was done before.

        Raises:
            ImageError, ArchiveError: the photo cannot be read.
            ResultsError: its files cannot be written in their place, those of others perhaps.
            OSError: nothing can be written, as on a full disk.
        """
        data = source.read()
        sha256 = hashlib.sha256(data).hexdigest()
        identity = {"version": _VERSION, "sha256": sha256, **self._settings}
        folder = self._place(source, sha256)
        before = _read_mark(folder)
        if before is not None and all(before.get(k) == v for k, v in identity.items()):
            return Outcome(folder, True, before["regions"], 0.0, tuple(before["notices"]))
        with _in_its_place(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # In this order: one of the two always tells whose pictures these are.
            (folder / UNFINISHED).touch()
            (folder / MARK).unlink(missing_ok=True)
        parsed = parse(data, lambda photo, parsing: measured(photo, parsing, source.name))
        with _in_its_place(folder):
            regions = self._write(folder, parsed)
            _write_mark(
                folder,
                {
                    **identity,
                    "photo": source.name,
                    "regions": regions,
                    "notices": list(parsed.notices),
                    "rows": _plain_rows(parsed.rows),
                },
            )
        milliseconds = sum(parsed.parsing.timings.values())
        return Outcome(folder, False, regions, milliseconds, parsed.notices)

    def table(self) -> pd.DataFrame:
        """The tidy table of every finished photo here, of earlier runs too, by name."""
        marks = [mark for path in self.out.rglob(MARK) if (mark := _read_mark(path.parent))]
        marks.sort(key=lambda mark: str(mark["photo"]))
        rows = [row for mark in marks for row in mark["rows"]]
        # JSON has no NaN: a missing share comes back as None.
        return pd.DataFrame(rows, columns=list(TIDY)).astype({"head_share": float, "cut_off": bool})

    def _write(self, folder: Path, parsed: ParsedPhoto) -> int:
        regions = measure_regions(parsed.parsing)
        (folder / "mask.png").write_bytes(encode.mask_png(parsed.parsing, self._unknown))
        (folder / "overlay.png").write_bytes(encode.overlay_png(parsed.parsing))
        (folder / "regions.csv").write_bytes(encode.regions_csv(regions))
        return len(regions)

    def _place(self, source: Source, sha256: str) -> Path:
        """A folder named as the photo; the next number where that is another photo's."""
        path = PurePosixPath(source.place or source.name)
        parts = [part for part in path.with_suffix("").parts if part not in ("/", "..", ".")]
        wanted = self.out.joinpath(*(fitting(part) for part in parts or ["photo"]))
        folder, count = wanted, 1
        with self._lock:
            while folder in self._taken or not _is_free(folder, source.name, sha256):
                count += 1
                folder = wanted.with_name(f"{wanted.name}-{count}")
            self._taken.add(folder)
        return folder


def _is_free(folder: Path, name: str, sha256: str) -> bool:
    """Whether no other photo's results are there: this one's may be, or an older copy's."""
    mark = read_mark(folder)
    return mark is None or mark["photo"] == name or mark["sha256"] == sha256


def _plain_rows(rows: pd.DataFrame) -> list[list[Any]]:
    split = rows.to_json(orient="split", index=False, double_precision=15)
    data: list[list[Any]] = json.loads(split)["data"]
    return data


def _read_mark(folder: Path) -> dict[str, Any] | None:
    mark = read_mark(folder)
    return mark if mark is not None and mark["version"] == _VERSION else None


@contextmanager
def _in_its_place(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in _ITS_OWN:
            raise
        reason = error.strerror or "unknown"
        if isinstance(error, FileExistsError | NotADirectoryError):
            reason = "a file stands where its folder belongs. Move that file away"
        raise ResultsError(f"Its results cannot be written to {folder}: {reason}.") from error


def _write_mark(folder: Path, mark: Mapping[str, Any]) -> None:
    part = folder / UNFINISHED
    part.write_text(json.dumps(mark), encoding="utf-8")
    part.replace(folder / MARK)
