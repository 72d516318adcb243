"""What one session has uploaded to the Evaluate view, and the work on it."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from bisenet import parse_queue
from bisenet.dashboard.session import resources, shell, visitors
from bisenet.dashboard.session.gallery import MAX_BYTES, View
from bisenet.dashboard.session.jobs import Job
from bisenet.data.label_mapping import Labelling
from bisenet.data.pairing import Pairing, pair_up
from bisenet.evaluation import bootstrap, runner
from bisenet.evaluation.bootstrap import Differences
from bisenet.evaluation.runner import EvaluatedNetwork, Outcome, ParseFor
from bisenet.evaluation.sources import Files
from bisenet.evaluation.survey import Checked, Survey, survey
from bisenet.images import samples
from bisenet.images.archives import SkippedFile
from bisenet.parse_queue import Parse
from bisenet.parser import FaceParser, FramingName
from bisenet.runtime.cancellation import cancelling

_STATE = "evaluate_state"


@dataclass(frozen=True)
class Entry:
    """Weights and engine as a person chose them."""

    weights: str
    engine: str


@dataclass(frozen=True, eq=False)
class Setup:
    """A run's settings: what the ids mean, how to frame, which networks score which pairs."""

    labelling: Labelling
    framing: FramingName
    entries: tuple[Entry, ...]
    checked: Sequence[Checked]
    problems: tuple[SkippedFile, ...]


@dataclass(eq=False)
class Run:
    """Photos that are being scored, or are.

    The view of the photo in the viewer is kept with those of all sessions, and its true mask here,
    by the photo's name.
    """

    files: Files
    setup: Setup
    job: Job[Outcome]
    _truth: tuple[str, NDArray[np.uint8]] | None = None
    _differences: dict[str, Differences] | None = None
    _owner: object = field(default_factory=object, repr=False)

    def __post_init__(self) -> None:
        weakref.finalize(self, _forget_views, self._owner)

    def differences(self, outcome: Outcome) -> dict[str, Differences]:
        """Those of its two networks, computed once."""
        if self._differences is None:
            self._differences = bootstrap.compare(outcome.scores_of(0), outcome.scores_of(1))
        return self._differences

    def view(
        self, photo: str, network: int, make: Callable[[], tuple[View, NDArray[np.uint8]]]
    ) -> tuple[View, NDArray[np.uint8]]:
        """A photo under a network, and its true mask; made anew where it is not kept any more."""
        key = (photo, str(network), None)
        view = resources.view_store().get(self._owner, key)
        if view is not None and self._truth is not None and self._truth[0] == photo:
            return view, self._truth[1]
        self.forget_view()
        view, truth = make()
        resources.view_store().put(self._owner, key, view, MAX_BYTES)
        self._truth = (photo, truth)
        return view, truth

    def forget_view(self) -> None:
        """Let the photo in the viewer go."""
        self._truth = None
        _forget_views(self._owner)


@dataclass(eq=False)
class Dataset:
    """Files of which some are pairs; their masks are being surveyed, or are; the latest run."""

    files: Files
    pairing: Pairing
    survey: Job[Survey]
    run: Run | None = None

    def start(self, setup: Setup) -> None:
        """Score the photos, in the background.

        Raises:
            EngineError: an engine cannot run here.
            WeightsError: weights cannot be loaded.
        """
        files = self.files  # not this dataset: the job would keep it alive in a circle
        parsers = [parser_of(entry) for entry in setup.entries]
        mark = shell.session_mark()

        def work(progress: Callable[[float, str], None], stop: Callable[[], bool]) -> Outcome:
            networks = [
                (
                    EvaluatedNetwork(parser.weights.name, str(parser.engine)),
                    _for_every_pair(
                        parse_queue.background(parser, setup.framing, mark, stop, patience=0)
                    ),
                )
                for parser in parsers
            ]
            return runner.evaluate(
                setup.checked,
                files.read,
                setup.labelling,
                networks,
                setup.framing,
                progress,
                stop,
            )

        if self.run is not None:
            self.run.forget_view()
        self.run = Run(files, setup, Job(work, name="evaluate"))
        self.run.job.start()

    def close(self) -> None:
        """Stop what goes on, and let the photo in the viewer go."""
        self.survey.cancel()
        if self.run is not None:
            self.run.job.cancel()
            self.run.forget_view()


@dataclass
class PageState:
    """What a session has uploaded: nothing at first, or a dataset.

    ``refused`` are the problems of the last upload where none of its files could be used; the
    dataset from before stays then. ``samples`` says that the dataset is the app's own.
    """

    dataset: Dataset | None = None
    refused: tuple[SkippedFile, ...] = ()
    samples: bool = False


def current() -> PageState:
    """This session's."""
    state: PageState = visitors.store().setdefault(_STATE, PageState())
    return state


def upload(uploaded: Sequence[tuple[str, bytes]]) -> None:
    """Pair new files and begin to survey their masks, in the background.

    Where no photo has a mask, the dataset from before stays, and ``PageState.refused`` says why.
    """
    files = Files(uploaded)
    pairing = pair_up(files.names)
    if not pairing.pairs:
        current().refused = (*files.problems, *pairing.problems)
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

        return survey(pairing.pairs, files.read, progress, stop, place)

    job = Job(look, name="evaluate-survey")
    visitors.store()[_STATE] = PageState(Dataset(files, pairing, job))
    job.start()


def bring_samples() -> None:
    """Bring the app's own samples, with masks by the network that is chosen in the sidebar.

    Raises:
        EngineError, WeightsError: the network cannot be opened.
    """
    parser = resources.get_parser(shell.current_weights())

    def parse(photo: Image.Image) -> NDArray[np.uint8]:
        pixels = np.asarray(photo)
        return parse_queue.parse(pixels, parser, lambda _, parsing: parsing.mask)

    upload(samples.labelled_variations(parse))
    current().samples = True


def clear() -> None:
    """Let the files and all that was found go."""
    dataset = current().dataset
    if dataset is not None:
        dataset.close()
    # Not replaced: Streamlit would keep the former value until the page runs once more.
    del visitors.store()[_STATE]


def _for_every_pair(parse: Parse) -> ParseFor:
    return lambda _: parse


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
