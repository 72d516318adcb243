"""What the masks mean, how photos are framed, and which networks are scored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
import streamlit as st

from bisenet.classes import CLASSES
from bisenet.dashboard.evaluate import page_state, uploads
from bisenet.dashboard.evaluate.page_state import Dataset, Entry, Setup
from bisenet.dashboard.session import shell
from bisenet.dashboard.widgets import framing_choice
from bisenet.data import label_mapping
from bisenet.data.label_mapping import ORDER_TITLES, Labelling
from bisenet.engines import ENGINES, EngineError
from bisenet.engines.choice import candidates, installed
from bisenet.evaluation.survey import Survey, split_by_ids
from bisenet.images.archives import SkippedFile
from bisenet.network import weights
from bisenet.runtime.settings import Settings

_MAPPING = "mapping"
_ADVICE = "Choose a mapping to say what they mean."
# A grey photo taken for a mask has hundreds: nobody wants to say what each of them means.
_MOST_IDS = 64
_ENGINES = {
    "auto": "the fastest engine here",
    "openvino": "OpenVINO f32",
    "openvino-bf16": "OpenVINO bf16",
    "openvino-int8": "OpenVINO int8",
    "torch": "torch f32",
    "torch-bf16": "torch bf16",
}


def prepare(dataset: Dataset, survey: Survey) -> None:
    """The choices, the files that take no part, and the button that starts."""
    before = (*dataset.files.problems, *dataset.pairing.problems, *survey.problems)
    if not survey.checked:
        _left_out(before)
        return
    setup = _choose(survey, before)
    _left_out(setup.problems, bool(setup.checked))
    same = len(setup.entries) == 2 and setup.entries[0] == setup.entries[1]
    if same:
        st.warning(
            "A and B are the same. Choose other weights or another engine for B.",
            icon=":material/content_copy:",
        )
    count = len(setup.checked)
    with st.container(horizontal=True):
        ready = st.button(
            f"Score {count:,} {'photo' if count == 1 else 'photos'}",
            type="primary",
            icon=":material/play_arrow:",
            disabled=same or not count,
            key="evaluate-start",
        )
        st.button(
            "Remove these files",
            icon=":material/delete:",
            on_click=page_state.clear,
            key="evaluate-remove",
        )
    if ready:
        try:
            dataset.start(setup)
        except (EngineError, weights.WeightsError) as error:
            st.error(str(error), icon=":material/error:")
            return
        st.rerun()


def _left_out(problems: Sequence[SkippedFile], some_left: bool = False) -> None:
    if not problems:
        return
    if not some_left:
        st.error(
            "None of the pairs can be scored. The reasons, file by file:", icon=":material/error:"
        )
    count = len(problems)
    st.markdown(f"**{count:,} {'file takes' if count == 1 else 'files take'} no part**")
    uploads.problem_table(problems, "left-out")


def _choose(survey: Survey, problems: Sequence[SkippedFile]) -> Setup:
    left, right = st.columns(2, gap="large")
    with left:
        labelling = _labelling(survey)
    with right:
        framing = framing_choice.choose("The photos are", "whole", "evaluate-framing")
        entries = [_network("A", "network", shell.current_weights())]
        if st.toggle("Compare with a second one", key="evaluate-two", persist_state="session"):
            entries.append(_network("B", "second network", entries[0].weights))
    good, bad = split_by_ids(survey.checked, labelling, _ADVICE)
    return Setup(labelling, framing, tuple(entries), good, (*problems, *bad))


def summary(survey: Survey) -> str:
    """The dataset in a line."""
    count = len(survey.checked)
    sizes = Counter((one.width, one.height) for one in survey.checked)
    if not count:
        return "No pair of photo and mask can be used."
    width, height = sizes.most_common(1)[0][0]
    of_size = f"{width} x {height} px" if len(sizes) == 1 else f"of {len(sizes)} sizes"
    return f"{count:,} {'pair' if count == 1 else 'pairs'} of photo and mask, {of_size}"


def _labelling(survey: Survey) -> Labelling:
    if survey.named:
        st.markdown("Each mask file shows one region, which its name says.")
        return label_mapping.of_order("bisenet")
    guess = label_mapping.guess_order(survey.counts)
    titles = {name: f"Order of {title}" for name, title in ORDER_TITLES.items()}
    options = [*titles, _MAPPING]
    choice = st.radio(
        "The ids in the masks",
        options,
        index=options.index(guess.order),
        format_func=lambda name: titles.get(name, "Another order: say what each id means"),
        # Masks of another kind are guessed anew.
        key=f"evaluate-labels-{hash(survey.counts.tobytes())}",
        persist_state="session",
    )
    st.caption(f"{'Suggested' if guess.clear else 'Not clear'}: {guess.why}")
    return label_mapping.of_order(choice) if choice != _MAPPING else _mapping(survey, guess.order)


def _mapping(survey: Survey, order: str) -> Labelling:
    found = np.flatnonzero(survey.counts)
    if len(found) > _MOST_IDS:
        st.warning(
            f"The masks hold {len(found)} ids. A mask of faces has a few dozen at most: these "
            "look like pictures, not like masks of class ids.",
            icon=":material/warning:",
        )
        return label_mapping.of_mapping({})
    suggested = label_mapping.of_order(order)
    share = survey.counts / max(survey.counts.sum(), 1)
    options: list[int | None] = [*range(len(CLASSES)), None]
    chosen: dict[int, int | None] = {}
    columns = st.columns(2)
    for place, number in enumerate(int(i) for i in found):
        start = int(suggested.lut[number]) if suggested.known[number] else len(CLASSES)
        chosen[number] = columns[place % 2].selectbox(
            f"Id {number}, {_percent(share[number])} of the pixels",
            options,
            index=start,
            format_func=lambda c: "ignore" if c is None else CLASSES[c].title,
            key=f"evaluate-id-{number}",
            persist_state="session",
        )
    return label_mapping.of_mapping(chosen)


def _network(letter: str, what: str, default: str) -> Entry:
    names = [entry.name for entry in weights.catalog()]
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.selectbox(
            f"{letter}: weights of the {what}",
            names,
            index=names.index(default) if default in names else 0,
            key=f"evaluate-weights-{letter}",
            persist_state="session",
        )
        obstacles = _obstacles(name)
        engines = ENGINES if Settings().other_engines else ENGINES[:1]
        able: list[str] = [engine for engine in engines if not obstacles.get(engine)]
        # The same weights on the same engine would be no comparison.
        other = "openvino" if letter == "B" and "openvino" in able else "auto"
        engine = st.selectbox(
            f"{letter}: runs on",
            able,
            index=able.index(other),
            format_func=_ENGINES.__getitem__,
            help="The program and the number format that compute the network: OpenVINO or torch; "
            "f32 is the most exact, bf16 and int8 are faster.",
            key=f"evaluate-engine-{letter}",
            persist_state="session",
        )
    missing = [f"{_ENGINES[e]}: {why}" for e, why in obstacles.items() if why]
    if missing and letter == "A" and Settings().other_engines:
        st.caption(f"Not available here: {'; '.join(missing)}.")
    return Entry(name, engine)


def _obstacles(name: str) -> dict[str, str]:
    """Why an engine cannot run these weights here, by name; empty where it can."""
    found = {engine: obstacle for engine, _, obstacle in candidates(weights.resolve(name))}
    if not installed("torch"):
        found |= dict.fromkeys(("torch", "torch-bf16"), "the package torch is not installed")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "<0.1 %"
