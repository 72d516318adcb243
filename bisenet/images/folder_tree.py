"""What lies below a folder: its photos, and in words what of it is skipped."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bisenet.images.archives import SkippedFile, is_junk
from bisenet.images.decode import EXTENSIONS

# A photo's folder of results: the mark is written last, the unfinished mark first.
MARK = "photo.json"
UNFINISHED = f".{MARK}.part"
RESULTS = ("mask.png", "overlay.png", "regions.csv", MARK)
_SHOWN = 3


@dataclass(frozen=True)
class Tree:
    """A folder's photos, by path; what is skipped in it, in a few sentences; what cannot be read.

    Hidden files and what systems leave behind are skipped without a word.
    """

    photos: tuple[Path, ...]
    skipped: tuple[SkippedFile, ...]
    unreadable: tuple[SkippedFile, ...]


def look_below(folder: Path) -> Tree:
    """Find the photos of a folder and of all below it; links to folders are not followed.

    Results of earlier runs are told by the mark beside them, wherever they lie: in a folder of
    results inside this one, or among the photos themselves.
    """
    photos: list[Path] = []
    others: list[str] = []
    zips: list[str] = []
    links: list[str] = []
    unreadable: list[SkippedFile] = []
    results = 0

    def cannot(error: OSError) -> None:
        reason = error.strerror or "unreadable"
        where = spoken(error.filename or folder)
        unreadable.append(SkippedFile(where, f"This folder cannot be opened: {reason}."))

    for where, folders, files in os.walk(folder, onerror=cannot):
        here = Path(where)
        folders[:] = [name for name in folders if not is_junk(name)]
        links += [
            spoken((here / f).relative_to(folder)) for f in folders if (here / f).is_symlink()
        ]
        of_a_run = set(RESULTS) if holds_results(here, files) else set()
        for name in files:
            path = here / name
            below = spoken(path.relative_to(folder))
            if name in of_a_run:
                results += 1
            elif is_junk(name):
                continue
            elif path.suffix.lower().lstrip(".") in EXTENSIONS and path.is_file():
                photos.append(path)
            else:
                (zips if path.suffix.lower() == ".zip" else others).append(below)
    said = [
        _sentence(others, "file is no photo and is skipped", "files are no photos and are skipped"),
        _sentence(zips, "zip is not opened; name it by itself", "zips are not opened; name each"),
        _sentence(links, "link to a folder is not followed", "links to folders are not followed"),
    ]
    if results:
        files_are = "file of earlier results is" if results == 1 else "files of earlier results are"
        said.append(f"{results:,} {files_are} skipped.")
    skipped = tuple(SkippedFile(spoken(folder), text) for text in said if text)
    return Tree(tuple(sorted(photos)), skipped, tuple(unreadable))


def holds_results(folder: Path, names: Collection[str]) -> bool:
    """Whether a folder with files of these names is one that a run wrote, or was writing."""
    return UNFINISHED in names or (MARK in names and read_mark(folder) is not None)


def read_mark(folder: Path) -> dict[str, Any] | None:
    """What the mark in a folder of results says, or None where there is none of ours."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(mark, dict) and mark.keys() >= {
        *("version", "photo", "sha256", "rows", "regions", "notices")
    }
    return mark if ours else None


def spoken(path: Path | str) -> str:
    """A path as text that can be printed and saved, also where its bytes are not UTF-8."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _sentence(names: Sequence[str], one: str, several: str) -> str:
    if not names:
        return ""
    what = f"1 {one}" if len(names) == 1 else f"{len(names):,} {several}"
    return f"{what}: {_listed(sorted(names))}."


def _listed(names: Iterable[str]) -> str:
    shown = list(names)
    more = len(shown) - _SHOWN
    return ", ".join(shown[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
