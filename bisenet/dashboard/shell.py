"""The shared frame: the session's gallery and the sidebar's choice of weights."""

from __future__ import annotations

import streamlit as st

from bisenet import weights
from bisenet.dashboard import resources
from bisenet.dashboard.gallery import Gallery, View, make_view
from bisenet.images import load_image


def gallery() -> Gallery:
    """This session's photos."""
    if "gallery" not in st.session_state:
        st.session_state["gallery"] = Gallery()
    kept: Gallery = st.session_state["gallery"]
    return kept


def sidebar() -> None:
    """Name, weights and privacy, on every page."""
    with st.sidebar:
        st.markdown("### BiSeNet Face Parsing")
        st.caption("Nineteen regions of a face, pixel by pixel.")
        entries = weights.catalog()
        if not entries:
            st.error(
                "There are no weights to parse with. Restore the weights folder, or add a "
                "checkpoint: `python -m bisenet weights add FILE`"
            )
            st.stop()
        st.selectbox("Weights", [entry.name for entry in entries], key="weights")
        entry = next(e for e in entries if e.name == current_weights())
        score = f"mIoU {entry.miou:.2f}, F1 {entry.mean_f1:.2f}" if entry.miou else "Not scored"
        st.caption(f"{entry.backbone}, {entry.input_size} px. {score} on held-out faces.")
        st.caption(
            ":material/lock: Photos stay in this session's memory. Nothing is stored, logged or "
            "sent elsewhere."
        )


def current_weights() -> str:
    """The name of the chosen weights."""
    return str(st.session_state.get("weights") or weights.catalog()[0].name)


def current_view() -> View:
    """What the page looks at: the selected photo, or the sample. Parsed once, then kept.

    Weights that cannot be loaded end the page with the reason.
    """
    name = current_weights()
    try:
        photo = gallery().current
        if photo is None:
            return resources.sample_view(name)

        def make() -> View:
            with st.spinner(f"Parsing {photo.name}…"):
                parser = resources.get_parser(name)
                return make_view(load_image(photo.data), photo.name, parser, photo.notices)

        return gallery().view(photo, name, make)
    except weights.WeightsError as error:
        st.error(f"{error} Choose other weights in the sidebar.", icon=":material/error:")
        st.stop()
