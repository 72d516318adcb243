"""What one session has brought to the Evaluate view, and the work that goes on with it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from bisenet import parse_queue
from bisenet.dashboard.session import resources, shell
from bisenet.dashboard.session.gallery import MAX_BYTES, View
from bisenet.dashboard.session.jobs import Job
from bisenet.evaluation import masks, runner
from bisenet.evaluation.bootstrap import Differences
from bisenet.evaluation.label_mapping import Labelling
from bisenet.evaluation.masks import Checked, Survey
from bisenet.evaluation.pairing import Pairing, pair_up
from bisenet.evaluation.runner import Contestant, Outcome
from bisenet.evaluation.sources import Files
from bisenet.images.archives import SkippedFile
from bisenet.parser import FaceParser, FramingName
from bisenet.runtime.cancellation import cancelling

_DESK = "evaluate_desk"


@dataclass(frozen=True)
class Entry:
    """Weights and engine as a person chose them."""

    weights: str
    engine: str


@dataclass(frozen=True, eq=False)
class Setup:
    """All that a run is told: what the ids mean, how to frame, who takes part, on what."""

    labelling: Labelling
    framing: FramingName
    entries: tuple[Entry, ...]
    checked: Sequence[Checked]
    problems: tuple[SkippedFile, ...]


@dataclass
class PageState:
    """The files, and what has been found out about them so far.

    ``refused`` is what was wrong with the files that were brought last, where none could be used;
    those that were there before stay. ``truth`` is the true mask of the photo in the viewer, by its
    name; its view is kept with those of all sessions. ``compared`` holds the differences of two
    contestants once they were asked for.
    """

    files: Files | None = None
    pairing: Pairing | None = None
    reading: Job[Survey] | None = None
    setup: Setup | None = None
    run: Job[Outcome] | None = None
    refused: tuple[SkippedFile, ...] = ()
    truth: tuple[str, NDArray[np.uint8]] | None = None
    compared: dict[str, Differences] | None = None
    _owner: object = field(default_factory=object, repr=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, _forget_views, self._owner)

    def view(self, photo: str, contestant: int, make: Callable[[], View]) -> View:
        """The photo in the viewer under a contestant; made anew where it is not kept any more."""
        key = (photo, str(contestant), None)
        view = resources.view_store().get(self._owner, key)
        if view is None or self.truth is None or self.truth[0] != photo:
            self.forget_view()
            view = make()
            resources.view_store().put(self._owner, key, view, MAX_BYTES)
        return view

    def forget_view(self) -> None:
        """Let the photo in the viewer go."""
        self.truth = None
        _forget_views(self._owner)

    @property
    def busy(self) -> bool:
        """Whether photos are being scored."""
        return self.run is not None and self.run.running

    def cancel(self) -> None:
        """Stop whatever goes on."""
        for job in (self.reading, self.run):
            if job is not None:
                job.cancel()

    def start(self, setup: Setup) -> None:
        """Score the photos, in the background.

        Raises:
            EngineError: an engine cannot run here.
            WeightsError: weights cannot be loaded.
        """
        files = self.files
        assert files is not None
        parsers = [parser_of(entry) for entry in setup.entries]
        mark = shell.session_mark()

        def work(progress: Callable[[float, str], None], stop: Callable[[], bool]) -> Outcome:
            contestants = [
                (
                    Contestant(parser.weights.name, str(parser.engine)),
                    parse_queue.background(parser, setup.framing, mark, stop, patience=0),
                )
                for parser in parsers
            ]
            return runner.evaluate(
                setup.checked,
                files.read,
                setup.labelling,
                contestants,
                setup.framing,
                progress,
                stop,
            )

        self.setup = setup
        self.forget_view()
        self.compared = None
        self.run = Job(work, name="evaluate")
        self.run.start()


def desk() -> PageState:
    """This session's."""
    kept: PageState = st.session_state.setdefault(_DESK, PageState())
    return kept


def take(brought: Sequence[tuple[str, bytes]]) -> None:
    """Pair new files up and begin to look through their masks, in the background.

    Where no photo has a mask, what was there before stays, and ``Desk.refused`` says why.
    """
    files = Files(brought)
    pairing = pair_up(files.names)
    if not pairing.pairs:
        desk().refused = (*files.problems, *pairing.problems)
        return
    clear()
    mark = shell.session_mark()

    def look(progress: Callable[[float, str], None], stop: Callable[[], bool]) -> Survey:
        def place(data: bytes) -> AbstractContextManager[object]:
            return parse_queue.place(
                parse_queue.pixels_of(data),
                still_wanted=cancelling(stop),
                client=mark,
                patience=parse_queue.PATIENCE_SECONDS,
            )

        return masks.survey(pairing.pairs, files.read, progress, stop, place)

    job = Job(look, name="evaluate-reading")
    st.session_state[_DESK] = PageState(files, pairing, job)
    job.start()


def clear() -> None:
    """Let the files and all that was found go."""
    desk().cancel()
    desk().forget_view()
    # Not replaced: Streamlit would keep the former value until the page runs once more.
    del st.session_state[_DESK]


def _forget_views(owner: object) -> None:
    resources.view_store().forget(owner)


def parser_of(entry: Entry) -> FaceParser:
    """The parser of weights and engine, shared by all sessions.

    Raises:
        EngineError: the engine cannot run here.
        WeightsError: the weights cannot be loaded.
    """
    if entry.engine == "auto":
        return resources.get_parser(entry.weights)
    return _named_parser(entry.weights, entry.engine)


@st.cache_resource(show_spinner="Loading the network…", max_entries=2)
def _named_parser(weights: str, engine: str) -> FaceParser:
    return FaceParser(weights, engine)


@st.fragment(run_every=1.0)
def watch(job: Job[Any], what: str, stop_label: str) -> None:
    """Progress of a job with a button to stop it; the page runs again when it ends."""
    if not job.running:
        st.rerun()
    job.look()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.progress(min(job.share, 1.0), f"{what}: {job.what}")
        if st.button(stop_label, icon=":material/stop:", key=f"evaluate-stop-{what}"):
            job.cancel()
