"""Where things stand on the Explore page: the photo first, all else beside it or right under it."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

# Photos no wider than this for their height leave room for the table beside them.
_UPRIGHT = 1.1
# rem: the bar of pages, the strip and the toolbar stand above and under the picture; the panel of
# switches with its gap beside it, then the table with its own. The rest is the picture's.
_UPRIGHT_STYLE = """<style>
.st-key-look {{
  --stage: clamp(18rem, min(100vh - 14rem, (100vw - 53rem) / {ratio}), 46rem);
  gap: 1.75rem;
}}
.st-key-look > :has(> .st-key-look-photo) {{
  flex: 1 1 min(100%, max(34rem, var(--stage) * {ratio}) + 19.5rem); min-width: min(100%, 20rem);
}}
.st-key-look > :has(> .st-key-look-rest) {{ flex: 1000 1 20rem; min-width: min(100%, 20rem); }}
</style>"""
# The picture is lower than the panel of switches: the table stands in the corner that they leave.
_WIDE_STYLE = """<style>
.st-key-look {{ --stage: clamp(18rem, 100vh - 21rem, 46rem); }}
.st-key-look > * {{ flex: 1 1 100%; min-width: 100%; }}
@media (min-width: 64rem) {{
  .st-key-look {{
    display: grid; grid-template-columns: minmax(0, 1fr);
    --frame: min(100vw - 10rem - 19.25rem, max(34rem, var(--stage) * {ratio} + 2px));
  }}
  .st-key-look > * {{ grid-area: 1 / 1; min-width: 0; }}
  .st-key-look > :has(> .st-key-look-rest) {{
    width: var(--frame); z-index: 1; pointer-events: none;
    padding-top: calc(min(var(--stage), var(--frame) / {ratio}) + {caption} + 4.25rem);
  }}
  .st-key-look-rest > * {{ pointer-events: auto; }}
}}
</style>"""


def places(ratio: float, second: float | None = None) -> tuple[DeltaGenerator, DeltaGenerator]:
    """The place of the viewer, and of all that is said of its picture.

    Nothing but the viewer belongs into the first: under a wide picture the second begins.

    Args:
        ratio: the photo's width over its height.
        second: that of the photo beside it in a comparison.
    """
    if second is None and ratio <= _UPRIGHT:
        style = _UPRIGHT_STYLE.format(ratio=f"{ratio:.4f}")
    else:
        both = ratio if second is None else 2 * min(ratio, second)
        caption = "0rem" if second is None else "2.4rem"
        style = _WIDE_STYLE.format(ratio=f"{both:.4f}", caption=caption)
    st.html(style)
    with st.container(horizontal=True, key="look", vertical_alignment="top"):
        return st.container(key="look-photo"), st.container(key="look-rest")
