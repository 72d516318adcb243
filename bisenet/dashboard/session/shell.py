"""The shared frame: the session's gallery and the sidebar's choice of weights."""

from __future__ import annotations

import secrets
from functools import partial
from urllib.parse import urlsplit

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from bisenet import parse_queue
from bisenet.dashboard.session import resources, script_runs, uploads_in_memory, visitors
from bisenet.dashboard.session.gallery import FaceRequest, Gallery, View, view_of_people
from bisenet.engines import EngineError
from bisenet.images import samples
from bisenet.images.decode import ImageError
from bisenet.network import weights
from bisenet.parser import BATCH, Parsing
from bisenet.runtime.admission import QueueFull

_SCORES = (
    "How well it does on labelled faces that it has not learnt from: mIoU is the shared area of "
    "label and truth over their joint area, the mean of all regions; F1 weighs missed and wrong "
    "pixels alike. 1 is perfect."
)
_FRAMED = "shell_framed"
_WANTED = "shell_wanted_page"
# A search in fewer tiles is over before a line could be read.
_SEARCH_SHOWN = 8

uploads_in_memory.keep_in_memory()


def ensure_frame() -> None:
    """Send a page that runs on its own back through the shell; each page calls this first.

    Until the shell has called ``st.navigation`` once in the process, Streamlit takes the files in
    ``pages/`` for pages without a shell, so the first visit may land on one by its address.
    """
    if not st.session_state.get(_FRAMED):
        name = urlsplit(st.context.url or "").path.rstrip("/").rsplit("/", 1)[-1]
        st.session_state[_WANTED] = f"pages/{name}.py"
        st.switch_page("streamlit_app.py", query_params=st.query_params.to_dict())


def wanted_page() -> str | None:
    """The page that ``ensure_frame`` came from, once."""
    st.session_state[_FRAMED] = True
    wanted: str | None = st.session_state.pop(_WANTED, None)
    return wanted


def gallery() -> Gallery:
    """This session's photos, which it may share with the person's other tabs."""
    if "gallery" not in st.session_state:
        kept_by_all = visitors.store()
        if "gallery" in kept_by_all:
            st.session_state["gallery"] = kept_by_all["gallery"].beside()
        else:
            first = Gallery(views=resources.view_store())
            st.session_state["gallery"] = kept_by_all["gallery"] = first
    kept: Gallery = st.session_state["gallery"]
    return kept


def clear() -> None:
    """Forget this session's photos, and the mark by which its timings are told from others'."""
    gallery().clear()
    st.session_state.pop("session_mark", None)


def sidebar() -> None:
    """Weights and privacy, on every page."""
    with st.sidebar:
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
        st.caption(
            f"{entry.backbone}, {entry.input_size} px. {score} on held-out faces.", help=_SCORES
        )
        st.caption(
            ":material/lock: Photos stay in this session's memory. Nothing is stored, logged or "
            "sent elsewhere."
        )


def current_weights() -> str:
    """The name of the chosen weights."""
    return str(st.session_state.get("weights") or weights.catalog()[0].name)


def session_mark() -> str:
    """A random mark of this session, for the log of timings: it tells nothing about the person."""
    mark: str = st.session_state.setdefault("session_mark", secrets.token_hex(8))
    return mark


def current_view() -> View:
    """What the page looks at: the selected photo, or the sample. Parsed once, then kept."""
    return view_of(current_id(), current_weights())


def current_id() -> str:
    """The id of what the page looks at: the selected photo's, or ``SAMPLE``."""
    photo = gallery().current
    return photo.id if photo else resources.SAMPLE


def describe_run(parsing: Parsing) -> str:
    """What ran a parse, and whether it was the network's first, in a sentence or two."""
    ran = f"{parsing.engine}, weights {parsing.weights}."
    if not parsing.warm_up:
        return ran
    return f"{ran} It was the network's first parse since it was loaded; the next ones are faster."


def show_position(place: DeltaGenerator, position: int) -> None:
    """Say in ``place`` how many are before this person in the queue.

    Called every second, it also ends the run of a person who has left: Streamlit stops a script
    where that draws something.
    """
    script_runs.step_aside()
    if position == 0:
        place.empty()
        return
    ahead = "you are next" if position == 1 else f"{position - 1} are before you"
    place.info(f"Other photos are being parsed: {ahead}.", icon=":material/hourglass:")


def view_of(photo_id: str, weights_name: str) -> View:
    """A photo of the gallery, or ``SAMPLE``, under some weights. Parsed once, then kept.

    Weights that cannot be loaded end the page with the reason.
    """
    photo = next((p for p in gallery().photos if p.id == photo_id), None)
    request = gallery().face_request(photo_id)

    def make() -> View:
        parser = resources.get_parser(weights_name)
        name = photo.name if photo else resources.SAMPLE_NAME
        place = st.empty()

        def progress(done: int, total: int) -> None:
            if total > BATCH:  # fewer are done at once
                place.progress(done / total, f"Face {done} of {total}")

        def searching(done: int, total: int) -> None:
            if total > _SEARCH_SHOWN:
                place.progress(done / total, f"Looking for faces: part {done} of {total}")

        script_runs.step_aside()
        with st.spinner(f"Parsing {name}…"):
            view = parse_queue.parse(
                photo.data if photo else np.asarray(samples.astronaut_face()),
                parser,
                lambda decoded, parsing: view_of_people(parsing, name, decoded.notices),
                boxes=request.boxes,
                max_faces=request.max_faces,
                progress=progress,
                search_progress=searching,
                on_position=partial(show_position, place),
                session=session_mark(),
            )
        place.empty()
        return view

    try:
        # The sample as it comes is everyone's; faces boxed in it are this session's.
        if photo is None and request == FaceRequest():
            return resources.sample_view(weights_name)
        return gallery().view(photo_id, weights_name, make)
    except (weights.WeightsError, EngineError, ImageError, QueueFull) as error:
        say(error)
        st.stop()


def say(error: Exception) -> None:
    """Why a photo cannot be parsed, and what to do about it."""
    if isinstance(error, QueueFull):
        st.warning(str(error), icon=":material/hourglass:")
        st.button("Try again", icon=":material/refresh:")
        return
    hint = (
        " Choose other weights in the sidebar." if isinstance(error, weights.WeightsError) else ""
    )
    st.error(f"{error}{hint}", icon=":material/error:")
