"""The download menu of a parsed photo."""

from __future__ import annotations

import streamlit as st

from bisenet.classes import BACKGROUND
from bisenet.dashboard.session.gallery import View
from bisenet.dashboard.viewer import ViewState
from bisenet.dashboard.widgets import downloads, unknown_choice
from bisenet.output import encode, render

_ASKED = "downloads"
_ZIP = "export_zip"


def ask() -> None:
    """Open the menu in the run that follows; the viewer's toolbar calls this."""
    st.session_state[_ASKED] = True


def export_menu(view: View, stem: str, file_name: str, looked_at: ViewState) -> None:
    """Every file that a photo gives, when asked for; pictures follow what the viewer shows.

    ``file_name`` is the photo's own, and ``stem`` what its files are called after.
    """
    if st.session_state.pop(_ASKED, False):
        clear()
        # Dismissing it runs the page, so that Streamlit lets go of the photo that it holds.
        menu = st.dialog("Download", position="right", on_dismiss=clear)(_menu)
        menu(view, stem, file_name, looked_at)


def _menu(view: View, stem: str, file_name: str, looked_at: ViewState) -> None:
    parsing = view.parsing
    shown = [c for c in parsing.classes if c not in looked_at.hidden and c != BACKGROUND]
    with st.container():
        st.caption("Pictures, at the photo's resolution")
        unknown = unknown_choice.choose(parsing.all_covered, "export_unknown")
        with st.container(horizontal=True):
            downloads.button(
                "Mask, PNG",
                lambda: encode.mask_png(parsing, unknown),
                f"{stem}-mask.png",
                "Class ids, with their palette and names.",
            )
            downloads.button(
                "As shown, PNG",
                lambda: encode.picture_png(
                    render.draw(
                        parsing.image,
                        parsing.mask,
                        looked_at.mode,
                        looked_at.opacity / 100,
                        looked_at.hidden,
                    )
                ),
                f"{stem}-overlay.png",
                "The photo with the regions that are switched on, as the viewer shows them.",
            )
        soft = st.toggle(
            "Soft edges", key="export_soft", help="Cut-outs take their edge from the probabilities."
        )
        downloads.button(
            f"Cut-out of the {len(shown)} shown regions, PNG"
            if len(shown) != 1
            else "Cut-out of the shown region, PNG",
            lambda: encode.cut_out_png(parsing, shown, soft),
            f"{stem}-cut-out.png",
            "The regions that are switched on, on transparency.",
            disabled=not shown,
        )
        st.caption("Numbers")
        with st.container(horizontal=True):
            downloads.csv("Regions, CSV", view.regions, f"{stem}-regions.csv")
            downloads.button(
                "Regions, JSON",
                lambda: encode.regions_json(view.regions, parsing),
                f"{stem}-regions.json",
            )
            downloads.button(
                "COCO RLE, JSON",
                lambda: encode.coco_json(parsing, file_name),
                f"{stem}-coco.json",
                "One annotation a region; pycocotools reads it.",
            )
            downloads.button(
                "Timings, CSV", lambda: encode.timings_csv(parsing), f"{stem}-timings.csv"
            )
        st.caption("All of it")
        _zip(view, stem, file_name, unknown)


def clear() -> None:
    """Let the ZIP go that was made last."""
    st.session_state.pop(_ZIP, None)


def _zip(view: View, stem: str, file_name: str, unknown: int) -> None:
    if st.button("Make a ZIP of everything", icon=":material/folder_zip:", key="make-zip"):
        bar = st.progress(0.0, "Starting…")
        st.session_state[_ZIP] = encode.bundle_zip(
            view.parsing,
            view.regions,
            stem,
            file_name,
            lambda share, name: bar.progress(share, f"Writing {name}" if name else "Done"),
            unknown,
        )
        bar.empty()
    if _ZIP in st.session_state:
        downloads.button("Everything, ZIP", st.session_state[_ZIP], f"{stem}.zip")
