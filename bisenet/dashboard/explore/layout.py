"""Where things stand on the Explore page: the photo first, its table beside it where both fit."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# Everything but the picture: the bar of pages, the strip and the toolbar; with the table's first
# rows under it; the panel of switches, the table beside it and the gaps, across.
_ABOVE = "14rem"
_ABOVE_AND_UNDER = "21rem"
_BESIDE = "53rem"
_STYLE = """<style>
.st-key-look {{
  --stage: clamp(18rem, max(100vh - {under}, min(100vh - {above}, (100vw - {beside}) / {ratio})),
    46rem);
  gap: 1.75rem;
}}
.st-key-look > :has(> .st-key-look-photo) {{
  flex: 1 1 max(46.5rem, min(100%, {wide})); min-width: min(100%, 20rem);
}}
.st-key-look > :has(> .st-key-look-table) {{ flex: 1000 1 20rem; min-width: min(100%, 20rem); }}
</style>"""


def places(ratio: float, comparing: bool) -> tuple[DeltaGenerator, DeltaGenerator]:
    """The places of the viewer and of the table.

    Args:
        ratio: the photo's width over its height.
        comparing: two photos, which need the whole width.
    """
    wide = "100%" if comparing else f"var(--stage) * {ratio:.4f} + 19.5rem"
    st.html(
        _STYLE.format(
            ratio=f"{ratio:.4f}",
            wide=wide,
            above=_ABOVE,
            under=_ABOVE_AND_UNDER,
            beside=_BESIDE,
        )
    )
    with st.container(horizontal=True, key="look", vertical_alignment="top"):
        return st.container(key="look-photo"), st.container(key="look-table")
