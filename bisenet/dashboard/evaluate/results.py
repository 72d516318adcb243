"""The results of a run: headline figures, and one panel for each question."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import streamlit as st

from bisenet.dashboard.evaluate import charts, uploads
from bisenet.dashboard.evaluate.page_state import Run
from bisenet.dashboard.widgets import downloads, framing_choice
from bisenet.dashboard.widgets.charts import CONFIG
from bisenet.dashboard.widgets.tables import region_column_config, region_columns
from bisenet.evaluation import bootstrap, report
from bisenet.evaluation.calibration import expected_calibration_error
from bisenet.evaluation.report import LETTERS
from bisenet.evaluation.runner import Outcome
from bisenet.runtime.timing import duration

_NO_BREAK = "\u00a0"
_SCORES = {"iou": "IoU", "f1": "F1"}
_HINTS = {
    "IoU": "Intersection over union: pixels that label and truth share, over all that either has.",
    "F1": "Missed and wrong pixels weighed alike: twice the shared pixels over the sum of both.",
    "Boundary F1": "The same for the outline alone.",
    "Precision": "Of the pixels that the network gives this class, those that are right.",
    "Recall": "Of the pixels that truly are this class, those that the network finds.",
}


def headline(outcome: Outcome) -> None:
    """What was scored, and the figures over all of it."""
    count = len(outcome.photos)
    st.subheader(f"Scores on {count:,} {'photo' if count == 1 else 'photos'}")
    if outcome.stopped:
        st.info(
            f"The run was stopped: {count:,} of {count + len(outcome.problems):,} photos are "
            "scored, and these are their scores.",
            icon=":material/stop_circle:",
        )
    two = len(outcome.networks) > 1
    for k, network in enumerate(outcome.networks):
        scores, counts = outcome.pooled(k)
        st.caption(f"**{LETTERS[k]}**: {network}" if two else str(network))
        present = int((scores.confusion.sum(axis=0) + scores.confusion.sum(axis=1) > 0).sum())
        foreground = present - (1 if scores.confusion[0].any() else 0)
        values = [
            (
                "mIoU",
                scores.miou,
                f"Mean IoU over the {present} classes that occur: the pixels that label and truth "
                "share, over all that either has.",
            ),
            ("Mean F1", scores.mean_f1, f"Mean over {foreground} classes, without background."),
            (
                "Boundary F1",
                scores.mean_boundary_f1,
                "Mean over the same classes. An edge pixel counts as found within 0.75 % of the "
                "picture's diagonal.",
            ),
            (
                "Calibration error",
                expected_calibration_error(counts),
                f"Expected calibration error over {counts[:, 0].sum():,.0f} pixels: how far "
                "confidence and accuracy lie apart. Less is better.",
            ),
        ]
        with st.container(horizontal=True):
            for label, value, hint in values:
                # Two decimals where two stand against each other.
                st.metric(label, f"{100 * value:.{2 if two else 1}f} %", help=hint, border=True)
    pixels = sum(int(score.confusion.sum()) for score in outcome.scores_of(0))
    parsed_as = framing_choice.TITLES[outcome.framing].lower()
    st.caption(
        f"Parsed as {parsed_as}: {pixels / 1e6:,.1f} million pixels that count, "
        f"in {duration(outcome.seconds).replace(' ', _NO_BREAK)}."
    )


def nothing(run: Run) -> None:
    """Why there are no scores, where a run has ended without any."""
    outcome = run.job.result
    if outcome is None:
        st.error(f"The run failed. {run.job.problem}", icon=":material/error:")
    elif outcome.stopped:
        st.info(
            "The run was stopped before the first photo was scored. Start it again above.",
            icon=":material/stop_circle:",
        )
    else:
        st.error("No photo could be scored; the reasons:", icon=":material/error:")
        uploads.problem_table(outcome.problems, "not-scored")


def not_scored(outcome: Outcome) -> None:
    """Photos that failed in the run, with the reason."""
    if outcome.problems and not outcome.stopped:
        count = len(outcome.problems)
        with st.expander(f"{count:,} {'photo was' if count == 1 else 'photos were'} not scored"):
            uploads.problem_table(outcome.problems, "not-scored")


def by_class(outcome: Outcome, k: int) -> None:
    """Scores of every class."""
    scores, _ = outcome.pooled(k)
    table = report.class_table(scores)
    shown = pd.DataFrame(
        {
            **region_columns(table["class_id"]),
            **{
                title: 100 * table[column]
                for column, title in {
                    "iou": "IoU",
                    "f1": "F1",
                    "boundary_f1": "Boundary F1",
                    "precision": "Precision",
                    "recall": "Recall",
                }.items()
            },
            "Pixels": table["pixels"],
            "Photos": table["images"],
        }
    )
    chart, numbers = st.columns(2, gap="large")
    chart.plotly_chart(charts.class_chart(table), config=CONFIG, key="evaluate-classes")
    with numbers:
        st.dataframe(
            shown,
            hide_index=True,
            height="content",
            placeholder="–",
            column_config={
                **region_column_config(),
                **{
                    name: st.column_config.NumberColumn(format="%.1f %%", help=hint)
                    for name, hint in _HINTS.items()
                },
                "Pixels": st.column_config.NumberColumn(
                    format="compact", help="Of the class in the truth."
                ),
                "Photos": st.column_config.NumberColumn(help="Whose truth shows the class."),
            },
        )
        st.caption(
            "A dash: no pixels to divide by. A class in no truth and no prediction is in no mean."
        )
        downloads.csv("Classes, CSV", table, f"evaluation-classes{_side(outcome, k)}.csv")


def confusions(outcome: Outcome, k: int) -> None:
    """What is taken for what."""
    scores, _ = outcome.pooled(k)
    st.plotly_chart(
        charts.confusion_chart(scores.confusion, st.context.theme.type or "light"),
        config=CONFIG,
        key="evaluate-confusion",
    )
    downloads.csv(
        "Confusions, CSV",
        report.confusion_table(scores.confusion),
        f"evaluation-confusions{_side(outcome, k)}.csv",
    )


def calibration(outcome: Outcome) -> None:
    """How far confidence can be trusted."""
    table = report.reliability(outcome)
    st.plotly_chart(charts.reliability_chart(table), config=CONFIG, key="evaluate-reliability")
    st.caption(
        "Above the dotted line the network is right more often than it says, below it less often. "
        "15 bins of equal width (Guo et al., ICML 2017); pixels that no face's crop covers have "
        "no confidence and are left out."
    )
    downloads.csv("Reliability, CSV", table, "evaluation-reliability.csv")


def face_size(outcome: Outcome) -> None:
    """Whether small faces score worse."""
    table = report.photo_table(outcome)
    sized = table[table["face_height_px"] > 0]
    if sized.empty:
        st.info("No truth shows a face, so there is no size to plot.", icon=":material/info:")
        return
    st.plotly_chart(charts.size_chart(table), config=CONFIG, key="evaluate-size")
    st.caption(
        "Height of the largest face in the truth, without hair and neck. Faces are "
        f"{sized['face_height_px'].min():,} to {sized['face_height_px'].max():,} px high here."
    )
    downloads.csv("Face sizes, CSV", table, "evaluation-face-sizes.csv")


def differences(run: Run, outcome: Outcome) -> None:
    """B against A, class by class, with what is beyond chance."""
    found = run.differences(outcome)
    choice = st.segmented_control(
        "Score", list(_SCORES), format_func=_SCORES.__getitem__, default="iou", required=True
    )
    name = choice or "iou"
    st.markdown(report.verdict(found[name], _SCORES[name]))
    table = report.difference_table(found[name])
    st.plotly_chart(
        charts.difference_chart(table, _SCORES[name]),
        config=CONFIG,
        key="evaluate-differences",
    )
    st.caption(
        f"{100 * bootstrap.LEVEL:.0f} % intervals from drawing the photos {bootstrap.DRAWS:,} "
        "times with replacement, the same ones for A and B. Each interval stands for itself: of "
        "twenty that show no true difference, one is expected to miss 0 by chance."
    )
    both = pd.concat(
        [report.difference_table(found[n]).assign(score=n) for n in _SCORES], ignore_index=True
    )
    downloads.csv("Differences, CSV", both, "evaluation-differences.csv")


def pick(outcome: Outcome) -> int:
    """Whose numbers a panel shows: 0 for A, 1 for B."""
    if len(outcome.networks) == 1:
        return 0
    letters: Sequence[str] = LETTERS
    chosen = st.segmented_control(
        "Scores of", letters, default="A", required=True, key="evaluate-side"
    )
    return letters.index(chosen or "A")


def _side(outcome: Outcome, k: int) -> str:
    return f"-{LETTERS[k].lower()}" if len(outcome.networks) > 1 else ""
