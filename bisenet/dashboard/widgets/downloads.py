"""Download buttons that leave the page as it is."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import streamlit as st

from bisenet.output import encode

_MIME = {
    "png": "image/png",
    "csv": "text/csv",
    "json": "application/json",
    "parquet": "application/vnd.apache.parquet",
    "zip": "application/zip",
    "jpg": "image/jpeg",
}


def button(
    label: str,
    data: bytes | Callable[[], bytes],
    file_name: str,
    hint: str = "",
    disabled: bool = False,
) -> None:
    """A download; data that takes time to make is given as a function and made on the click.

    A CSV gets a byte-order mark, so that Excel shows its umlauts.
    """
    if file_name.endswith(".csv"):
        data = _marked(data)
    st.download_button(
        label,
        data,
        file_name,
        _MIME[file_name.rsplit(".", 1)[-1]],
        key=f"download-{label}-{file_name}",
        icon=":material/download:",
        on_click="ignore",
        help=hint or None,
        disabled=disabled,
    )


def csv(label: str, table: pd.DataFrame, file_name: str) -> None:
    """The numbers behind a chart or a table."""
    button(label, encode.table_csv(table), file_name)


def _marked(data: bytes | Callable[[], bytes]) -> bytes | Callable[[], bytes]:
    if isinstance(data, bytes):
        return encode.with_mark(data)
    return lambda: encode.with_mark(data())
