"""Files of a whole batch: the table as CSV or Parquet, the masks as a zip in pieces."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pandas as pd

from bisenet.images.sources import Names, fitting
from bisenet.output import encode


def table_csv(table: pd.DataFrame) -> bytes:
    """The tidy table as UTF-8 CSV with a header."""
    return encode.table_csv(table)


def table_parquet(table: pd.DataFrame) -> bytes:
    """The tidy table as Parquet, compressed."""
    out = io.BytesIO()
    table.to_parquet(out, index=False, compression="zstd")
    return out.getvalue()


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write the tidy table, as Parquet or CSV by the file's suffix.

    Raises:
        ValueError: another suffix.
        OSError: it cannot be written.
    """
    check_table_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet = path.suffix.lower() == ".parquet"
    path.write_bytes(table_parquet(table) if parquet else table_csv(table))


def check_table_path(path: Path) -> None:
    """Raise a ValueError where the suffix is none that ``write_table`` knows."""
    if path.suffix.lower() not in (".csv", ".parquet"):
        raise ValueError(f"{path.name}: a table ends in .csv or .parquet.")


def stream_zip(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """A zip of files that are compressed already, in pieces; one file is in memory at a time.

    Args:
        files: path inside and bytes of each.
    """
    pieces = _Pieces()
    with zipfile.ZipFile(pieces, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files:
            archive.writestr(name, data)
            yield pieces.taken()
    yield pieces.taken()


def mask_files(masks: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Photos' names and masks as files of a zip: the photo's path, ending in ``.png``."""
    names = Names()
    for name, mask in masks:
        parts = PurePosixPath(name).with_suffix("").parts
        yield names.free(f"{'/'.join(fitting(part) for part in parts)}.png"), mask


class _Pieces(io.RawIOBase):
    """What is written to it can be taken away; it cannot go back, so zipfile never asks it to."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._buffer += data
        return len(data)

    def taken(self) -> bytes:
        piece = bytes(self._buffer)
        self._buffer.clear()
        return piece
