"""How photos and masks come in: files, zips or a folder; what cannot be used is listed."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bisenet.dashboard.evaluate import page_state
from bisenet.dashboard.evaluate.page_state import Dataset, PageState
from bisenet.dashboard.session import shell, upload_store
from bisenet.dashboard.widgets import downloads
from bisenet.dashboard.widgets.uploads import zip_limit_mb
from bisenet.engines import EngineError
from bisenet.evaluation.sources import MAX_FILES, MAX_TOTAL_BYTES
from bisenet.evaluation.survey import Survey
from bisenet.images import samples
from bisenet.images.archives import SkippedFile
from bisenet.images.decode import EXTENSIONS, MAX_BYTES, MAX_PIXELS
from bisenet.network.weights import WeightsError
from bisenet.runtime.admission import QueueFull

_ROUND = "evaluate_round"
_FOLDERS = """images/
    anna.jpg
    ben.jpg
masks/
    anna.png
    ben.png"""
_BESIDE = """anna.jpg
anna.png
ben.jpg
ben_mask.png
"""


def upload_box(state: PageState, label: str = "Photos and their masks") -> None:
    """The upload box, its limits, and what was wrong with files of which none could be used."""
    # A new key after every upload empties the box: the page state keeps the files from there on.
    key = f"evaluate-upload-{st.session_state.get(_ROUND, 0)}"
    kind = st.segmented_control(
        "Bring",
        ["Files or a zip", "A folder"],
        default="Files or a zip",
        required=True,
        key="evaluate-kind",
        label_visibility="collapsed",
    )
    folder = kind == "A folder"
    st.file_uploader(
        label,
        type=[*EXTENSIONS] if folder else [*EXTENSIONS, "zip"],
        accept_multiple_files="directory" if folder else True,
        max_upload_size=zip_limit_mb(),
        key=key,
        on_change=_upload,
        args=(key,),
    )
    st.caption(
        f"At most {MAX_BYTES // 2**20} MB and {MAX_PIXELS // 10**6} megapixels a photo, "
        f"{zip_limit_mb():,} MB a zip, {MAX_TOTAL_BYTES // 2**20:,} MB and {MAX_FILES:,} files "
        "in all. They stay in this session's memory."
    )
    if state.refused:
        st.error(_refusal(state.refused), icon=":material/broken_image:")
        problem_table(state.refused, "refused")


def welcome() -> None:
    """What to upload and what comes of it, where nothing is there yet."""
    st.subheader("Where is the network right, and where is it wrong?")
    st.markdown(
        "Bring photos of faces together with masks that say what every pixel truly is. "
        "You get scores by region, a map of what is mistaken for what, the worst photos first, "
        "and how far the network's confidence can be trusted. Two networks or engines can be "
        "compared on the same photos."
    )
    if st.button(
        "Try it with samples",
        icon=":material/science:",
        key="evaluate-samples",
        help=f"{len(samples.VARIATIONS)} variations of one public-domain photo. Their masks are "
        "this network's own labels of the unchanged photo, moved along with it: no truth.",
    ):
        try:
            with st.spinner("Preparing the samples…"):
                page_state.bring_samples()
        except (EngineError, WeightsError, QueueFull) as error:
            shell.say(error)
            return
        st.rerun()
    folders, beside, masks = st.columns(3, gap="large")
    with folders:
        st.markdown("**Two folders**, zipped or not")
        st.code(_FOLDERS, language=None)
    with beside:
        st.markdown("**Side by side**, loose or zipped")
        st.code(_BESIDE, language=None)
    with masks:
        st.markdown("**Masks**")
        st.markdown(
            "PNG of the photo's proportions, one byte a pixel: the class id. The label orders of "
            "CelebAMask-HQ and of BiSeNet are known; for any other you say what each id means. "
            "CelebAMask-HQ's own folders are understood as they are."
        )


def say_samples() -> None:
    """What the scores of the app's own samples mean, and what they do not."""
    st.info(
        "These are samples: one public-domain photo (Eileen Collins, NASA), mirrored, turned, "
        "closer, smaller and in other light. Their masks are the network's own labels of the "
        "unchanged photo, moved along with it. So the scores say how steady the network is, not "
        "how right it is.",
        icon=":material/science:",
    )


def survey_of(state: PageState, dataset: Dataset) -> Survey:
    """The survey of the masks; until it is done the page ends with its progress."""
    job = dataset.survey
    if job.running:
        page_state.watch(job, "Looking through the masks", "Stop")
        st.stop()
    if job.result is None or job.problem:
        st.info(
            "The masks were not looked through to the end. Bring them again to score them.",
            icon=":material/info:",
        )
        upload_box(state)
        st.stop()
    return job.result


def problem_table(problems: Sequence[SkippedFile], name: str) -> None:
    """Files that take no part, one by one with the reason, and as CSV."""
    table = pd.DataFrame([(p.name, p.reason) for p in problems], columns=["file", "reason"])
    st.dataframe(
        table,
        hide_index=True,
        height="content" if len(table) <= 8 else 320,
        column_config={
            "file": st.column_config.TextColumn("File", width="medium"),
            "reason": st.column_config.TextColumn("Why it takes no part", width="large"),
        },
        key=f"evaluate-{name}",
    )
    downloads.csv("Files and reasons, CSV", table, f"evaluation-{name}.csv")


def _refusal(problems: Sequence[SkippedFile]) -> str:
    if len(problems) == 1:
        return f"No photo was paired with a mask. {problems[0].reason}"
    return (
        f"No photo was paired with a mask: {len(problems):,} files take no part. "
        "Give photo and mask the same name, as shown below."
    )


def _upload(key: str) -> None:
    uploaded = upload_store.arrived(key)
    if uploaded:
        page_state.upload([(file.name, file.getvalue()) for file in uploaded])
        upload_store.forget(uploaded)
        st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1
