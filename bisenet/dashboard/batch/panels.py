"""A batch at work and its end: progress, results as they come, downloads."""

from __future__ import annotations

from functools import partial

import streamlit as st

from bisenet.batch import downloads as bundle
from bisenet.batch.runner import Snapshot
from bisenet.dashboard.batch import page_state
from bisenet.dashboard.batch import results as batch_results
from bisenet.dashboard.batch.page_state import PageState
from bisenet.dashboard.widgets import downloads, unknown_choice
from bisenet.runtime.timing import duration

_PROGRESS_SECONDS = 1.0
# Tables of many faces take a while to draw: they come less often.
_RESULTS_SECONDS = 4.0


def progress(page: PageState) -> None:
    """A bar with rate, time left and the button that stops, while it runs; then a summary."""
    if page.job.running:
        st.fragment(_progress, run_every=_PROGRESS_SECONDS)(page)
        return
    state = page.batch.snapshot()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_summary(page, state), width="stretch")
        st.button(
            "New batch",
            icon=":material/add:",
            on_click=page_state.clear,
            key="batch-new",
            help="Lets go of this one: download what you need first.",
        )
    if page.samples:
        st.caption(
            "Samples: one public-domain photo (Eileen Collins, NASA) under "
            f"{state.total} variations. They show how this page works; one face is no batch."
        )
    if page.job.problem and page.job.problem != "Stopped.":
        st.error(page.job.problem, icon=":material/error:")


def results(page: PageState) -> None:
    """Results, fresh every few seconds while it runs."""
    fresh = _RESULTS_SECONDS if page.job.running else None
    st.fragment(_results, run_every=fresh)(page)


def _progress(page: PageState) -> None:
    if not page.job.running:
        st.rerun()
    page.job.look()
    state = page.batch.snapshot()
    share = state.tried / state.total if state.total else 1.0
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share, _words(state))
        st.button(
            "Stop",
            icon=":material/stop:",
            key="batch-stop",
            on_click=page.job.cancel,
            help="What is done is kept.",
        )


def _results(page: PageState) -> None:
    page_state.open_wanted()
    problem = page_state.take_problem()
    if problem:
        st.error(problem, icon=":material/broken_image:")
    state = page.batch.snapshot()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = batch_results.choose_measure()
        _downloads(page, state)
    if state.masks_dropped:
        st.caption(
            f"The masks of {state.masks_dropped:,} photos were too many to keep. For all of them: "
            "`python -m bisenet parse`"
        )
    batch_results.results(state, page.batch.table(), measure)


def _downloads(page: PageState, state: Snapshot) -> None:
    """Files are made on the click: of what is there at that moment."""
    batch = page.batch
    unknown = unknown_choice.choose(not any(p.covered_png for p in state.items), "batch-unknown")

    def masks() -> bytes:
        kept = [p for p in batch.snapshot().items if p.mask_png]
        return bundle.masks_zip((p.name, p.mask(unknown)) for p in kept)

    for kind, write, hint in (
        ("CSV", bundle.table_csv, "A row a photo, face and region."),
        ("Parquet", bundle.table_parquet, "A row a photo, face and region, with its types."),
    ):
        downloads.button(
            f"Table, {kind}",
            partial(lambda write: write(batch.table()), write),
            f"regions.{kind.lower()}",
            hint,
            disabled=not state.items,
        )
    downloads.button(
        "Masks, ZIP",
        masks,
        "masks.zip",
        "Indexed PNGs of class ids, at the photos' resolution.",
        disabled=state.masks_dropped == len(state.items),
    )


def _words(state: Snapshot) -> str:
    words = [f"{state.tried:,} of {state.total:,} photos"]
    if state.rate:
        words.append(f"{state.rate:.1f} photos/s" if state.rate >= 1 else _slow(state.rate))
    if state.seconds_left is not None:
        words.append(f"about {duration(state.seconds_left)} left")
    if state.failed:
        words.append(f"{len(state.failed):,} without a result")
    return ", ".join(words)


def _summary(page: PageState, state: Snapshot) -> str:
    faces = f"**{state.faces:,} {'face' if state.faces == 1 else 'faces'}**"
    photos = f"{len(state.items):,} {'photo' if len(state.items) == 1 else 'photos'}"
    took = f"in {duration(page.job.elapsed)}, weights {page.weights}"
    if state.tried < state.total:
        return f"Stopped after {state.tried:,} of {state.total:,}: {faces} in {photos}, {took}."
    return f"{faces} in {photos}, {took}."


def _slow(rate: float) -> str:
    return f"{1 / rate:.1f} s a photo"
