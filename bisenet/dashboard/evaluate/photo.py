"""One scored photo in detail: truth, prediction and difference side by side."""

from __future__ import annotations

import base64
from dataclasses import replace
from functools import partial

import cv2
import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from bisenet import parse_queue
from bisenet.classes import CLASSES
from bisenet.dashboard.evaluate import page_state
from bisenet.dashboard.evaluate.page_state import Run
from bisenet.dashboard.picture import Picture, pack
from bisenet.dashboard.session import script_runs, shell
from bisenet.dashboard.session.gallery import View, display_size, make_view
from bisenet.dashboard.viewer import viewer
from bisenet.dashboard.widgets import downloads
from bisenet.dashboard.widgets.pictures import fitted
from bisenet.dashboard.widgets.tables import swatch
from bisenet.data.label_mapping import IGNORE
from bisenet.data.masks import true_classes
from bisenet.engines import EngineError
from bisenet.evaluation.metrics import iou_and_f1
from bisenet.evaluation.report import LETTERS, photo_table
from bisenet.evaluation.runner import Outcome
from bisenet.evaluation.scoring import PhotoScore, without_ignored
from bisenet.images.decode import Photo, display_name
from bisenet.measure import differences
from bisenet.network.weights import WeightsError
from bisenet.output import encode
from bisenet.postprocess.results import Parsing
from bisenet.runtime.admission import QueueFull

_CHOICE = "evaluate_photo"
_TABLE = "evaluate-photos"
# Their thumbnails go to the browser with each run of the page: 4 kB each.
_MOST_SHOWN = 200
_TITLES = {
    "miou": "mIoU",
    "miou_a": "mIoU, A",
    "miou_b": "mIoU, B",
    "miou_b_minus_a": "B minus A",
    "mean_f1": "Mean F1",
}


def photos(run: Run, outcome: Outcome, k: int) -> None:
    """The photos, worst first, and the chosen one under network ``k``."""
    table = photo_table(outcome)
    key = f"miou_{LETTERS[k].lower()}" if len(outcome.networks) > 1 else "miou"
    table = table.sort_values(key, kind="stable")
    shown = table.head(_MOST_SHOWN)
    order: list[int] = [int(i) for i in shown.index.to_numpy()]
    _table(outcome, shown, order)
    if len(table) > len(shown):
        st.caption(f"The {len(shown):,} worst of {len(table):,} photos; all are in the CSV.")
    downloads.csv("Photos, CSV", table, "evaluation-photos.csv")
    if st.session_state.get(_CHOICE) not in order:
        st.session_state[_CHOICE] = order[0]
    titles = {
        i: f"mIoU {100 * miou:.1f} %, {display_name(name)}"
        for i, miou, name in zip(order, shown[key], shown["photo"], strict=True)
    }
    chosen = int(
        st.selectbox(
            "Photo in the viewer",
            order,
            format_func=titles.__getitem__,
            key=_CHOICE,
            help="Worst first. Or select a row above.",
        )
    )
    shown_photo = _view(run, outcome, chosen, k)
    if shown_photo is not None:
        _side_by_side(outcome, chosen, k, *shown_photo)


def _table(outcome: Outcome, table: pd.DataFrame, order: list[int]) -> None:
    shown = pd.DataFrame(
        {
            "Photo": [_data_url(outcome.photos[i].thumbnail) for i in order],
        }
    )
    for column, title in _TITLES.items():
        if column in table:
            shown[title] = 100 * table[column].to_numpy()
    shown["Face height"] = table["face_height_px"].to_numpy()
    shown["Size"] = [
        f"{w} x {h} px" for w, h in zip(table["width_px"], table["height_px"], strict=True)
    ]
    shown["File"] = table["photo"].to_numpy()
    percent = st.column_config.NumberColumn(format="%.1f %%")
    st.dataframe(
        shown,
        hide_index=True,
        height=min(420, 40 + 60 * len(shown)),
        row_height=60,
        key=_TABLE,
        on_select=lambda: _choose(order),
        selection_mode="single-row",
        column_config={
            "Photo": st.column_config.ImageColumn("", width=64),
            **dict.fromkeys(_TITLES.values(), percent),
            "B minus A": st.column_config.NumberColumn("B minus A, points", format="%+.2f"),
            "Face height": st.column_config.NumberColumn("Face height, px", format="%,d"),
        },
    )


def _choose(order: list[int]) -> None:
    rows = st.session_state[_TABLE]["selection"]["rows"]
    if rows:
        st.session_state[_CHOICE] = order[rows[0]]


def _view(run: Run, outcome: Outcome, index: int, k: int) -> tuple[View, NDArray[np.uint8]] | None:
    """The photo parsed once more, and its truth: pixels are kept of the last photo only."""
    photo, setup = outcome.photos[index], run.setup

    def finish(_: Photo, parsing: Parsing) -> tuple[View, NDArray[np.uint8]]:
        size = (photo.width, photo.height)
        truth = true_classes(photo.pair, run.files.read, setup.labelling, size)
        return make_view(parsing, display_name(photo.pair.photo)), truth

    def make() -> tuple[View, NDArray[np.uint8]]:
        place = st.empty()
        script_runs.step_aside()
        with st.spinner("Parsing the photo…"):
            return parse_queue.parse(
                run.files.read(photo.pair.photo),
                page_state.parser_of(setup.entries[k]),
                finish,
                setup.framing,
                session=shell.session_mark(),
                on_position=partial(shell.show_position, place),
            )

    try:
        return run.view(photo.pair.photo, k, make)
    except QueueFull as error:
        st.warning(str(error), icon=":material/hourglass:")
        st.button("Try again", icon=":material/refresh:")
        return None
    except (EngineError, WeightsError) as error:
        st.error(str(error), icon=":material/error:")
        return None


def _side_by_side(
    outcome: Outcome, index: int, k: int, view: View, truth: NDArray[np.uint8]
) -> None:
    photo = outcome.photos[index]
    letter = f" {LETTERS[k]}" if len(outcome.networks) > 1 else ""
    viewer(
        Picture(
            view.picture.photo,
            pack(_displayed(without_ignored(truth), view)),
            "Truth",
        ),
        replace(view.picture, title=f"Prediction{letter}"),
        key="viewer-evaluate",
    )
    counted = truth != IGNORE
    wrong = (truth != view.parsing.mask) & counted
    share = float(wrong.sum() / max(counted.sum(), 1))
    marked = differences.difference_picture(
        view.parsing, differences.Difference(wrong, share, False)
    )
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(f"**Difference**: {100 * share:.1f} % of the labelled pixels are wrong, in red")
        st.image(fitted(marked), alt="Pixels whose label is wrong, in red", width="stretch")
        downloads.button(
            "Difference, PNG",
            lambda: encode.picture_png(marked),
            f"{view.name.rsplit('.', 1)[0]}-wrong.png",
        )
    with right:
        st.markdown("**Regions of this photo**, most wrong pixels first")
        _regions(photo.scores[k])


def _regions(score: PhotoScore) -> None:
    iou, _ = iou_and_f1(score.confusion)
    hit = np.diag(score.confusion)
    missed, invented = score.confusion.sum(axis=1) - hit, score.confusion.sum(axis=0) - hit
    there = np.flatnonzero(~np.isnan(iou))
    there = there[np.argsort(-(missed + invented)[there], kind="stable")]
    shown = pd.DataFrame(
        {
            "Colour": [swatch(CLASSES[i].color) for i in there],
            "Region": [CLASSES[i].title for i in there],
            "IoU": 100 * iou[there],
            "Missed, px": missed[there],
            "Invented, px": invented[there],
        }
    )
    whole = st.column_config.NumberColumn(format="%,d")
    st.dataframe(
        shown,
        hide_index=True,
        height="content",
        column_config={
            "Colour": st.column_config.ImageColumn("", width=36, pinned=True),
            "IoU": st.column_config.NumberColumn(format="%.1f %%"),
            "Missed, px": whole,
            "Invented, px": whole,
        },
    )


def _displayed(mask: NDArray[np.uint8], view: View) -> NDArray[np.uint8]:
    size = display_size(*mask.shape)
    if size == mask.shape[::-1]:
        return mask
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def _data_url(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()
