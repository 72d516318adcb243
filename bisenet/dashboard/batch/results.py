"""What a batch has brought so far: table, distributions, scatter, thumbnails, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd
import streamlit as st

from bisenet.batch.items import Preview
from bisenet.batch.outliers import MEASURES, OUTLYING, Measure, by_face, outliers, reasons
from bisenet.batch.runner import Snapshot
from bisenet.classes import BY_NAME, CLASSES
from bisenet.dashboard.batch import charts, page_state
from bisenet.dashboard.widgets import downloads, tabs
from bisenet.dashboard.widgets.charts import CONFIG
from bisenet.dashboard.widgets.looked_at import CUT_OFF_HINT
from bisenet.images.archives import SkippedFile

_TITLES = {measure.column: measure for measure in MEASURES}
_A_PAGE = 48
_CARD_PX = 168
_RULE = (
    f"How far from this batch's usual value (its median): 0 is usual, above {OUTLYING} is unusual. "
    "In robust deviations: 0.6745 times the distance over the median absolute deviation (Iglewicz "
    "and Hoaglin, 1993). Regions that fewer than 8 faces, or fewer than half of them, have do not "
    "count."
)
# What people look for first stands first.
_FIRST = (BY_NAME["hair"].id, BY_NAME["skin"].id)


@dataclass(frozen=True)
class Results:
    """A row a face under one measure: ``wide``, how it stands out, and its previews.

    ``cut_off`` names the regions of each face that go on beyond what was looked at.
    """

    measure: Measure
    wide: pd.DataFrame
    found: pd.DataFrame
    previews: dict[tuple[str, int], Preview]
    cut_off: dict[tuple[str, int], str]

    @property
    def classes(self) -> list[int]:
        """Ids of the classes that at least one face has, hair and skin first."""
        there = [int(i) for i in self.wide.columns]
        return [i for i in _FIRST if i in there] + [i for i in there if i not in _FIRST]


def results(state: Snapshot, table: pd.DataFrame, measure: Measure) -> None:
    """All of it; a line before the first face."""
    if table.empty:
        if state.items:
            st.info("No face was found so far.", icon=":material/info:")
        _others(state)
        return
    previews = {(p.name, one.face): one for p in state.items for one in p.previews}
    wide = by_face(table, measure)
    found = outliers(wide).assign(why=reasons(wide, measure))
    shown = Results(measure, wide, found, previews, _cut_off(table))
    tabs.draw(
        {
            "Table": partial(_table, shown),
            "Distributions": partial(_spread, shown),
            "Scatter": partial(_scatter, shown, table),
            "Thumbnails": partial(_thumbnails, shown),
        },
        key="batch-tab",
    )
    _others(state)


def choose_measure() -> Measure:
    """What all of the views show."""
    chosen = st.selectbox(
        "Measurement",
        list(_TITLES),
        format_func=lambda column: f"{_TITLES[column].title}, {_TITLES[column].unit}",
        key="batch-measure",
        persist_state="session",
        width=280,
    )
    return _TITLES[chosen]


def failures(bad: Sequence[SkippedFile]) -> None:
    """Names and reasons."""
    st.dataframe(
        pd.DataFrame({"File": [b.name for b in bad], "Reason": [b.reason for b in bad]}),
        hide_index=True,
        height="content" if len(bad) < 10 else 380,
        column_config={"Reason": st.column_config.TextColumn(width="large")},
    )


def _cut_off(table: pd.DataFrame) -> dict[tuple[str, int], str]:
    """The titles of each face's regions that are cut off; empty where none is."""
    names: dict[tuple[str, int], list[str]] = {}
    columns = (table[name] for name in ("photo", "face", "region", "cut_off"))
    for photo, face, region, cut_off in zip(*columns, strict=True):
        names.setdefault((photo, face), []).extend([region] if cut_off else [])
    return {face: ", ".join(regions) for face, regions in names.items()}


def _others(state: Snapshot) -> None:
    """The photos without a face, what people should know, and the failures."""
    bad = [*state.failed]
    bad += [
        SkippedFile(photo.name, "No face was found. Mark it by hand in Explore.")
        for photo in state.items
        if not photo.faces
    ]
    notes = [
        (photo.name, notice) for photo in state.items if photo.faces for notice in photo.notices
    ]
    if bad:
        with st.expander(
            f"{len(bad):,} {'file' if len(bad) == 1 else 'files'} without a result, and why",
            icon=":material/broken_image:",
            key="batch-failures",
        ):
            failures(bad)
    if notes:
        with st.expander(f"Remarks on {len({n for n, _ in notes}):,} photos", key="batch-notes"):
            failures([SkippedFile(name, notice) for name, notice in notes])


def _spread(shown: Results) -> None:
    logarithmic = st.toggle(
        "Logarithmic scale",
        value=shown.measure.wide,
        key=f"batch-log-{shown.measure.column}",
        help="Shows small regions beside large ones.",
    )
    figure = charts.distributions(shown.wide, shown.measure, logarithmic)
    st.plotly_chart(figure, config=CONFIG, key="batch-spread")
    name = f"{shown.measure.column}-by-face.csv"
    titles = {i: f"{CLASSES[i].title}, {shown.measure.unit}" for i in shown.classes}
    downloads.csv("This measurement, CSV", shown.wide.rename(columns=titles).reset_index(), name)


def _table(shown: Results) -> None:
    rows = _filtered(shown)
    if rows.empty:
        st.info("No face fits these filters.", icon=":material/filter_alt_off:")
        return
    number = st.column_config.NumberColumn
    places = shown.measure.decimals
    wide = shown.wide.loc[rows.index]
    frame = pd.DataFrame(
        {
            "Preview": [shown.previews[key].icon for key in rows.index],
            "Photo": [photo for photo, _ in rows.index],
            "Face": [face for _, face in rows.index],
            **{CLASSES[i].title: wide[i].to_numpy() for i in shown.classes if i in _FIRST},
            "What is unusual": [_in_short(why) for why in rows["why"]],
            # 0 is said of a face that cannot be judged.
            "How unusual": rows["score"].where(rows["score"] > 0).to_numpy(),
            **(
                {"Cut off": [shown.cut_off[key] for key in rows.index]}
                if any(shown.cut_off.values())
                else {}
            ),
            **{CLASSES[i].title: wide[i].to_numpy() for i in shown.classes if i not in _FIRST},
        }
    )
    picked = st.dataframe(
        frame,
        hide_index=True,
        height=520 if len(frame) > 10 else "content",
        row_height=52,
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        key="batch-table",
        column_config={
            "Preview": st.column_config.ImageColumn("", width=64, pinned=True),
            "Photo": st.column_config.TextColumn(width=_name_px(frame["Photo"])),
            "Face": number(width=60, help="Its number in the photo; 1 is the largest."),
            "What is unusual": st.column_config.TextColumn(
                width=300, help="Regions whose value is far from this batch's usual one."
            ),
            "Cut off": st.column_config.TextColumn(help=CUT_OFF_HINT),
            "How unusual": number(format="%.1f", help=f"{_RULE} The most of its regions."),
            **{
                CLASSES[i].title: number(
                    f"{CLASSES[i].title}, {shown.measure.unit}", format=f"%.{places}f"
                )
                for i in shown.classes
            },
        },
    )
    st.caption(
        f"{len(frame):,} of {len(shown.wide):,} faces, the most unusual first. Choose a row to "
        "open its photo in Explore; a column's head sorts."
    )
    chosen = picked["selection"]["rows"]
    if chosen and chosen[0] < len(frame):
        row = frame.iloc[chosen[0]]
        page_state.open_in_explore(str(row["Photo"]), int(row["Face"]))


def _in_short(why: str) -> str:
    """The first of ``reasons``, and how many more there are: a cell would cut the rest off."""
    first, *more = why.split("; ")
    return f"{first}, and {len(more)} more" if more else first


def _name_px(names: pd.Series) -> int:
    """The width of a column that does not cut its names, within reason."""
    return int(min(360, max(120, 24 + 7.5 * names.str.len().max())))


def _filtered(shown: Results) -> pd.DataFrame:
    """The faces' scores, outlying first, under the filters."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name = st.text_input("Photo's name has", key="batch-name", width=220)
        region = st.selectbox(
            "Region",
            [None, *shown.classes],
            format_func=lambda i: "any" if i is None else CLASSES[i].title,
            key="batch-region",
            width=180,
        )
        only = st.toggle("Unusual only", key="batch-outlying", help=_RULE)
    rows = shown.found
    if name:
        wanted = [name.lower() in photo.lower() for photo, _ in rows.index]
        rows = rows[wanted]
    if only:
        rows = rows[rows["outlying"]]
    if region is not None:
        values = shown.wide[region]
        low, high = float(values.min()), float(values.max())
        span = (low, high)
        if low < high:
            label = f"{CLASSES[region].title}: {shown.measure.title.lower()}, {shown.measure.unit}"
            span = st.slider(label, low, high, span, key=f"batch-span-{region}")
        rows = rows[values.loc[rows.index].between(*span)]
    return rows.sort_values("score", ascending=False, kind="stable")


def _scatter(shown: Results, table: pd.DataFrame) -> None:
    regions, hair = shown.classes, BY_NAME["hair"].id
    columns = st.columns(4)
    chosen = []
    for axis, place, other, default in (
        ("across", columns[0], columns[1], 0),
        ("upwards", columns[2], columns[3], regions.index(hair) if hair in regions else 0),
    ):
        region = place.selectbox(
            f"Region, {axis}",
            regions,
            index=default,
            format_func=lambda i: CLASSES[i].title,
            key=f"batch-scatter-region-{axis}",
        )
        column = other.selectbox(
            f"Measurement, {axis}",
            list(_TITLES),
            index=list(_TITLES).index(shown.measure.column),
            format_func=lambda c: f"{_TITLES[c].title}, {_TITLES[c].unit}",
            key=f"batch-scatter-measure-{axis}",
        )
        chosen.append((_TITLES[column], int(region)))
    x, y = chosen
    points = pd.DataFrame(
        {"x": by_face(table, x[0]).get(x[1]), "y": by_face(table, y[0]).get(y[1])}
    ).dropna()
    picked = st.plotly_chart(
        charts.scatter(points, x, y),
        config=CONFIG,
        key="batch-scatter",
        on_select="rerun",
        selection_mode="points",
    )
    related = ""
    if len(points) > 2 and points.std().min() > 0:
        related = f", with a correlation of {points['x'].corr(points['y']):+.2f}"
    st.caption(
        f"{len(points):,} faces have both{related}. Click a point to open its photo in Explore."
    )
    at = picked["selection"]["point_indices"]
    if at and at[0] < len(points):
        photo, face = points.index[at[0]]
        page_state.open_in_explore(str(photo), int(face))


def _thumbnails(shown: Results) -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        order = st.selectbox(
            "Order by",
            [None, *shown.classes],
            format_func=lambda i: "most unusual first" if i is None else CLASSES[i].title,
            key="batch-order",
            help=_RULE,
            width=220,
        )
        rising = st.toggle("Smallest first", key="batch-rising", disabled=order is None)
        regions = st.toggle("Regions", value=True, key="batch-regions")
    values = shown.found["score"] if order is None else shown.wide[order].dropna()
    values = values.sort_values(ascending=rising and order is not None, kind="stable")
    reasons = shown.found["why"].to_dict()
    pages = -(-len(values) // _A_PAGE)
    page = st.pagination(pages, key="batch-page") if pages > 1 else 1
    with st.container(horizontal=True, gap="small"):
        here = slice((page - 1) * _A_PAGE, page * _A_PAGE)
        for (photo, face), value in zip(values.index[here], values.iloc[here], strict=True):
            key = (str(photo), int(face))
            _card(shown, key, float(value), reasons[key], order is None, regions)


def _card(
    shown: Results, key: tuple[str, int], value: float, why: str, by_score: bool, regions: bool
) -> None:
    """A face, what it is ordered by, and a click to its photo."""
    photo, face = key
    preview = shown.previews[key]
    with st.container(width=_CARD_PX, gap="xxsmall"):
        st.image(
            preview.overlay if regions else preview.plain,
            # Not a number: Streamlit would shrink a thin picture to 0 pixels.
            width="stretch",
            alt=f"{photo}, face {face}",
        )
        measure = shown.measure
        text = f"{value:,.{measure.decimals}f} {measure.unit}"
        if by_score:
            text = why.split(", usually")[0] or "Nothing unusual"
        st.button(
            text,
            key=f"batch-open-{photo}-{face}",
            type="tertiary",
            help=f"Open {photo}, face {face}, in Explore. {why}",
            on_click=page_state.want,
            args=(photo, face),
            width="stretch",
        )
