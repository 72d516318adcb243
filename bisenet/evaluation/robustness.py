"""How the score holds up when photos are turned, small, dark, blurred, squeezed or covered.

Each condition changes the photo and its mask together; mIoU is measured in the changed picture.
What a turned or shrunk photo leaves uncovered is black and belongs to the background.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.classes import BACKGROUND
from bisenet.data import photometric
from bisenet.data.augment import IGNORE
from bisenet.data.faces import FaceFile, Pair, read_face
from bisenet.evaluation.metrics import Scores
from bisenet.geometry.affine import from_shrunk

# From a photo ``(H, W, 3)`` to class ids ``(H, W)``.
Predict = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]
Change = Callable[[NDArray[np.uint8], NDArray[np.uint8]], Pair]

LOW_LIGHT_GAIN, LOW_LIGHT_GAMMA, LOW_LIGHT_NOISE = 0.35, 1.4, 4.0
BLUR_SIGMA = 0.006  # of the photo's longer side: 3 pixels at 512
JPEG_QUALITY = 20


@dataclass(frozen=True)
class Condition:
    """One way to make the task harder; ``change`` returns the new photo and its mask."""

    group: str
    name: str
    change: Change


def turned_and_scaled(degrees: float, scale: float) -> Change:
    """The photo turned about its centre and scaled, in a frame of the same size."""

    def change(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Pair:
        height, width = mask.shape
        centre = ((width - 1) / 2, (height - 1) / 2)
        matrix = cv2.getRotationMatrix2D(centre, degrees, scale)
        small, from_small = image, matrix
        if scale < 1:  # average first: sampling alone would alias
            small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            factor = (width / small.shape[1], height / small.shape[0])
            from_small = from_shrunk(matrix, factor)
        warped = cv2.warpAffine(small, from_small, (width, height), flags=cv2.INTER_LINEAR)
        labels = cv2.warpAffine(
            mask,
            matrix,
            (width, height),
            flags=cv2.INTER_NEAREST,
            borderValue=(BACKGROUND,),
        )
        return warped.astype(np.uint8), labels.astype(np.uint8)

    return change


def _light_only(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Change:
    return lambda image, mask: (change(image), mask)


def _low_light(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    table = photometric.tone_curve(gamma=LOW_LIGHT_GAMMA, gain=LOW_LIGHT_GAIN)
    dark = cv2.LUT(image, table).astype(np.uint8)
    return photometric.add_noise(np.random.default_rng(0), dark, LOW_LIGHT_NOISE)


def _blur(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return cv2.GaussianBlur(image, (0, 0), BLUR_SIGMA * max(image.shape[:2])).astype(np.uint8)


def occluded_third(image: NDArray[np.uint8], mask: NDArray[np.uint8]) -> Pair:
    """The lowest third of the face's box covered in grey.

    What lies under the cover has no right answer and is not scored; the rest of the picture is.
    """
    rows = np.flatnonzero((mask != BACKGROUND).any(1))
    columns = np.flatnonzero((mask != BACKGROUND).any(0))
    covered, labels = image.copy(), mask.copy()
    if rows.size:
        top, bottom = int(rows[0]), int(rows[-1]) + 1
        window = np.s_[bottom - (bottom - top) // 3 : bottom, columns[0] : columns[-1] + 1]
        covered[window] = 127
        labels[window] = IGNORE
    return covered, labels


CONDITIONS: tuple[Condition, ...] = (
    *(Condition("rotation", f"{d}°", turned_and_scaled(d, 1.0)) for d in (0, 15, 30, 45)),
    *(Condition("scale", f"{s:g}", turned_and_scaled(0, s)) for s in (1.0, 0.75, 0.5, 0.35)),
    Condition("light", "greyscale", _light_only(photometric.greyscale)),
    Condition("light", "low light", _light_only(_low_light)),
    Condition("camera", "blur", _light_only(_blur)),
    Condition(
        "camera", f"JPEG q{JPEG_QUALITY}", _light_only(lambda i: photometric.jpeg(i, JPEG_QUALITY))
    ),
    Condition("cover", "occluded third", occluded_third),
)


def robustness(
    predict: Predict,
    files: Sequence[FaceFile],
    conditions: Sequence[Condition] = CONDITIONS,
    progress: Callable[[str], None] | None = None,
) -> list[dict[str, Any]]:
    """mIoU and mean F1 under each condition.

    Returns:
        One row a condition: ``group``, ``condition``, ``miou``, ``mean_f1`` and ``kept``, the
        mIoU as a share of that of the unchanged photos.

    Raises:
        DataError: a photo or mask cannot be used.
    """
    scores = {(c.group, c.name): Scores(with_boundary=False) for c in conditions}
    plain = Scores(with_boundary=False)
    for i, file in enumerate(files):
        image, mask = read_face(file)
        untouched = predict(image)
        plain.add(mask, untouched)
        for c in conditions:
            changed, truth = c.change(image, mask)
            same = changed is image or np.array_equal(changed, image)
            found = untouched if same else predict(changed)
            scores[c.group, c.name].add(truth, found)
        if progress:
            progress(f"robustness {i + 1}/{len(files)}")
    return [
        {
            "group": c.group,
            "condition": c.name,
            "miou": scores[c.group, c.name].miou,
            "mean_f1": scores[c.group, c.name].mean_f1,
            "kept": scores[c.group, c.name].miou / plain.miou if plain.miou else 0.0,
        }
        for c in conditions
    ]


def as_markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as a table for a model card."""
    lines = ["| | condition | mIoU | mean F1 | kept |", "|---|---|---|---|---|"]
    lines += [
        f"| {r['group']} | {r['condition']} | {r['miou']:.3f} | {r['mean_f1']:.3f} "
        f"| {r['kept']:.0%} |"
        for r in rows
    ]
    return "\n".join(lines)


def chart(rows: Sequence[dict[str, Any]]) -> Any:
    """A plotly figure: one bar a condition, the unchanged photos' score as a line."""
    import plotly.graph_objects as go

    names = [f"{r['group']}: {r['condition']}" for r in rows]
    values = [r["miou"] for r in rows]
    figure = go.Figure(go.Bar(x=names, y=values, text=[f"{v:.2f}" for v in values]))
    whole = next((r["miou"] / r["kept"] for r in rows if r["kept"]), None)
    if whole is not None:
        figure.add_hline(y=whole, line_dash="dot", annotation_text="unchanged photos")
    figure.update_traces(marker_color="#0d9488", textposition="outside")
    figure.update_layout(
        title="mIoU on changed photos",
        yaxis={"title": "mIoU, 19 classes", "range": [0, 1]},
        template="plotly_white",
        showlegend=False,
    )
    return figure


def write_report(rows: Sequence[dict[str, Any]], folder: Path) -> None:
    """``robustness.md`` and ``robustness.html`` (offline, nothing fetched) in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "robustness.md").write_text(as_markdown(rows) + "\n", encoding="utf-8")
    chart(rows).write_html(folder / "robustness.html", include_plotlyjs=True)
