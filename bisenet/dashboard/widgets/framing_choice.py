"""Whether files are photos to search for faces, or faces that somebody has cut out already."""

from __future__ import annotations

import streamlit as st

from bisenet.parser import FramingName

TITLES: dict[FramingName, str] = {"auto": "Photos", "whole": "Aligned face crops"}


def choose(label: str, default: FramingName, key: str) -> FramingName:
    """The choice, kept for the session under ``key``."""
    chosen = st.segmented_control(
        label,
        list(TITLES),
        format_func=TITLES.__getitem__,
        default=default,
        required=True,
        key=key,
        persist_state="session",
        help="In photos, faces are searched first, and what lies far from them is not looked at. "
        "Aligned face crops are parsed as they are, one face each, which takes less time.",
    )
    return chosen or default
