"""A batch at work and its end: progress, results as they come, downloads."""

from __future__ import annotations

import streamlit as st

from bisenet.batch import downloads as bundle
from bisenet.batch.runner import Snapshot
from bisenet.dashboard.batch import page_state
from bisenet.dashboard.batch import results as batch_results
from bisenet.dashboard.batch.page_state import PageState
from bisenet.dashboard.widgets import downloads
from bisenet.runtime.timing import duration

_LOOK_SECONDS = 1.0
# Tables of many faces take a while to draw: they come less often.
_FRESH_SECONDS = 4.0


def progress(desk: PageState) -> None:
    """A bar with rate, time left and the button that stops, while it runs; then a summary."""
    if desk.job.running:
        st.fragment(_progress, run_every=_LOOK_SECONDS)(desk)
        return
    state = desk.batch.snapshot()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(_summary(desk, state), width="stretch")
        st.button(
            "New batch",
            icon=":material/add:",
            on_click=page_state.clear,
            key="batch-new",
            help="Lets go of this one: download what you need first.",
        )
    if desk.job.problem and desk.job.problem != "Stopped.":
        st.error(desk.job.problem, icon=":material/error:")


def results(desk: PageState) -> None:
    """Results, fresh every few seconds while it runs."""
    fresh = _FRESH_SECONDS if desk.job.running else None
    st.fragment(_results, run_every=fresh)(desk)


def _progress(desk: PageState) -> None:
    if not desk.job.running:
        st.rerun()
    desk.job.look()
    state = desk.batch.snapshot()
    share = state.tried / state.total if state.total else 1.0
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(share, _words(state))
        st.button(
            "Stop",
            icon=":material/stop:",
            key="batch-stop",
            on_click=desk.job.cancel,
            help="What is done is kept.",
        )


def _results(desk: PageState) -> None:
    page_state.follow_wish()
    problem = page_state.take_problem()
    if problem:
        st.error(problem, icon=":material/broken_image:")
    state = desk.batch.snapshot()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        measure = batch_results.choose_measure()
        _downloads(desk, state)
    if state.masks_left_out:
        st.caption(
            f"The masks of {state.masks_left_out:,} photos were too many to keep. For all of them: "
            "`python -m bisenet parse`"
        )
    batch_results.results(state, desk.batch.table(), measure)


def _downloads(desk: PageState, state: Snapshot) -> None:
    """Files are made on the click: of what is there at that moment."""
    batch = desk.batch

    def masks() -> bytes:
        kept = [(p.name, p.mask_png) for p in batch.snapshot().kept if p.mask_png]
        return bundle.masks_zip(kept)

    none = not state.kept
    downloads.button(
        "Table, CSV",
        lambda: bundle.table_csv(batch.table()),
        "regions.csv",
        "A row a photo, face and region.",
        disabled=none,
    )
    downloads.button(
        "Table, Parquet",
        lambda: bundle.table_parquet(batch.table()),
        "regions.parquet",
        "A row a photo, face and region, with its types.",
        disabled=none,
    )
    downloads.button(
        "Masks, ZIP",
        masks,
        "masks.zip",
        "Indexed PNGs of class ids, at the photos' resolution.",
        disabled=state.masks_left_out == len(state.kept),
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


def _summary(desk: PageState, state: Snapshot) -> str:
    faces = f"**{state.faces:,} {'face' if state.faces == 1 else 'faces'}**"
    photos = f"{len(state.kept):,} {'photo' if len(state.kept) == 1 else 'photos'}"
    took = f"in {duration(desk.job.elapsed)}, weights {desk.weights}"
    if state.tried < state.total:
        return f"Stopped after {state.tried:,} of {state.total:,}: {faces} in {photos}, {took}."
    return f"{faces} in {photos}, {took}."


def _slow(rate: float) -> str:
    return f"{1 / rate:.1f} s a photo"
