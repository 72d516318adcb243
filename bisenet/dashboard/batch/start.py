"""Before a batch: an empty page that invites, its limits named, and the button that starts."""

from __future__ import annotations

import streamlit as st

from bisenet.dashboard.batch import page_state, results
from bisenet.dashboard.session import shell, upload_store
from bisenet.dashboard.widgets import framing_choice
from bisenet.dashboard.widgets.uploads import zip_limit_mb
from bisenet.engines import EngineError
from bisenet.images import samples
from bisenet.images.archives import SkippedFile
from bisenet.images.decode import EXTENSIONS, MAX_BYTES
from bisenet.images.sources import MAX_PHOTOS, MAX_TOTAL_BYTES
from bisenet.network.weights import WeightsError


def start() -> None:
    """Draw the upload box and the choice of framing; begins when told to."""
    st.subheader("Many photos at once")
    st.markdown(
        "Drop a folder's photos or a zip of them. Every face is found, parsed and measured; "
        "you leave with one table, distributions and masks."
    )
    limit = zip_limit_mb()
    chosen = st.file_uploader(
        f"Photos to {MAX_BYTES // 2**20} MB each, or zips to {limit:,} MB; together at most "
        f"{MAX_PHOTOS:,} photos and {MAX_TOTAL_BYTES // 2**30} GB",
        type=[*EXTENSIONS, "zip"],
        accept_multiple_files=True,
        max_upload_size=limit,
        key=page_state.upload_key(),
    )
    files = upload_store.there(chosen)
    framing = framing_choice.choose("The files are", "auto", "batch-framing")
    count = len(files)
    with st.container(horizontal=True):
        ready = st.button(
            f"Parse {count:,} {'file' if count == 1 else 'files'}" if count else "Parse",
            type="primary",
            icon=":material/play_arrow:",
            disabled=not count,
            key="batch-start",
        )
        sampled = not count and st.button(
            "Try it with samples",
            icon=":material/science:",
            key="batch-samples",
            help=f"{len(samples.VARIATIONS)} variations of one public-domain photo: mirrored, "
            "turned, closer, smaller, in other light.",
        )
    if ready or sampled:
        try:
            if sampled:
                page_state.begin_samples()
            else:
                page_state.begin(files, framing)
        except (WeightsError, EngineError) as error:
            shell.say(error)
            return
        st.rerun()
    _refused(page_state.refused())
    st.caption(
        ":material/lock: Photos stay in this session's memory and are let go when it ends or the "
        "next batch begins. It goes on while you look at other pages."
    )


def _refused(bad: tuple[SkippedFile, ...]) -> None:
    if bad:
        st.error(
            "None of these files can be parsed. The reasons, file by file:",
            icon=":material/broken_image:",
        )
        results.failures(bad)
