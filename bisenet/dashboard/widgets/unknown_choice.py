"""What mask files have where no view looked: 0, as the background, or 255, unknown."""

from __future__ import annotations

import streamlit as st

from bisenet.classes import UNKNOWN


def choose(all_covered: bool, key: str) -> int:
    """The value; draws a switch where a part of a photo was not looked at, else it is 0."""
    if all_covered:
        return 0
    unknown = st.toggle(
        f"Unknown as {UNKNOWN}",
        key=key,
        help=f"Masks have 0, the background, where nobody looked. On: {UNKNOWN}, which "
        "`evaluate --partial` and trainings leave out.",
    )
    return UNKNOWN if unknown else 0
