"""Files of a whole batch: the table as CSV or Parquet, the masks as a zip."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import pandas as pd

from bisenet.images.sources import Names, fitting
from bisenet.output.encode import table_csv as table_csv


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


def masks_zip(masks: Iterable[tuple[str, bytes]]) -> bytes:
    """Masks as a zip, each under its photo's path, ending in ``.png``.

    Args:
        masks: a photo's name and its mask's PNG, which is stored as it is.
    """
    names = Names()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, mask in masks:
            parts = PurePosixPath(name).with_suffix("").parts
            archive.writestr(names.free(f"{'/'.join(fitting(part) for part in parts)}.png"), mask)
    return out.getvalue()
