"""One photo of a batch: parsed and measured, and what is kept of it once its pixels are let go."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from bisenet.geometry.boxes import Box
from bisenet.images.decode import Photo
from bisenet.measure.regions import COLUMNS, measure_regions, of_people
from bisenet.output import encode, render
from bisenet.parse_queue import Parse as Parse
from bisenet.parser import Parsing

THUMBNAIL_PX = 176
ICON_PX = 48
# Air around a face in its thumbnail, as shares of its box, which ends at the hairline: most of it
# is above, so that hair and hats stay in.
_MARGIN, _RAISED = 0.4, 0.15

# Column to what it means and its unit: what stands before the measurements of ``regions.COLUMNS``.
KEYS: dict[str, str] = {
    "photo": "name of the photo",
    "face": "number of the face in the photo, 1 is the largest",
    "face_width_px": "width of the face from ear to ear, pixels",
    "face_height_px": "height of the face from hairline to chin, pixels",
    "face_confidence": "mean probability of the winning class over the head, 0..1",
}
TIDY = (*KEYS, *COLUMNS)


@dataclass(frozen=True)
class Preview:
    """Small pictures of a face, or of a photo without any: ``face`` is 0 then.

    ``plain`` and ``overlay`` are JPEG; ``icon`` is a data address, for a table's column.
    """

    face: int
    plain: bytes = field(repr=False)
    overlay: bytes = field(repr=False)
    icon: str = field(repr=False)


@dataclass(frozen=True)
class BatchItem:
    """What stays of a parsed photo.

    Attributes:
        number: its place in the batch, from 0.
        name: its name in the batch.
        rows: the tidy table's rows: one a face and region, columns ``TIDY``.
        previews: one a face, largest first; of the whole photo where there is no face.
        mask_png: the mask at the photo's resolution, an indexed PNG; empty where it was let go.
        covered_png: where a view decided, a PNG of one bit a pixel; empty where all of it was
            looked at, or ``mask_png`` was let go.
        notices: sentences for people.
    """

    number: int
    name: str
    rows: pd.DataFrame = field(repr=False)
    previews: tuple[Preview, ...] = field(repr=False)
    mask_png: bytes = field(repr=False)
    notices: tuple[str, ...]
    covered_png: bytes = field(default=b"", repr=False)

    def mask(self, unknown: int = 0) -> bytes:
        """The mask's PNG as ``encode.mask_png`` makes it; empty where it was let go."""
        if unknown == 0 or not self.covered_png:
            return self.mask_png
        with (
            Image.open(io.BytesIO(self.mask_png)) as mask,
            Image.open(io.BytesIO(self.covered_png)) as covered,
        ):
            labels = encode.with_unknown(np.asarray(mask), np.asarray(covered), unknown)
        return encode.indexed_png(labels)

    @property
    def faces(self) -> int:
        """How many faces were parsed."""
        return sum(preview.face > 0 for preview in self.previews)


@dataclass(frozen=True)
class ParsedPhoto:
    """A photo's parsing, its tidy rows and all that people should know."""

    parsing: Parsing = field(repr=False)
    rows: pd.DataFrame = field(repr=False)
    notices: tuple[str, ...]


def measured(photo: Photo, parsing: Parsing, name: str) -> ParsedPhoto:
    """A photo's parsing with its measurements and notices.

    Each face has its own parts only, so that masks, previews and rows say the same.
    """
    own, _ = of_people(parsing)
    return ParsedPhoto(own, tidy_rows(own, name), (*photo.notices, *parsing.notices))


def keep(parsed: ParsedPhoto, number: int, name: str) -> BatchItem:
    """All that is kept of a photo; the arrays can go."""
    parsing = parsed.parsing
    previews = tuple(_preview(parsing, face.id, _around(face.box)) for face in parsing.faces)
    height, width = parsing.mask.shape
    return BatchItem(
        number=number,
        name=name,
        rows=parsed.rows,
        previews=previews or (_preview(parsing, 0, (0, 0, width, height)),),
        mask_png=encode.indexed_png(parsing.mask),
        notices=parsed.notices,
        covered_png=b"" if parsing.all_covered else encode.plane_png(parsing.covered),
    )


def tidy_rows(parsing: Parsing, name: str) -> pd.DataFrame:
    """One row a face and region, without background, columns ``TIDY``; none without a face."""
    rows = measure_regions(parsing, by_face=True)
    boxes = {face.id: face.box for face in parsing.faces}
    scores = {face.id: face.score for face in parsing.faces}
    of_rows = np.array([boxes[i] for i in rows["face"]], dtype=float).reshape(-1, 4)
    rows.insert(0, "photo", name)
    rows.insert(2, "face_width_px", of_rows[:, 2] - of_rows[:, 0])
    rows.insert(3, "face_height_px", of_rows[:, 3] - of_rows[:, 1])
    rows.insert(4, "face_confidence", [scores[i] for i in rows["face"]])
    return rows


def _around(box: Box) -> Box:
    x0, y0, x1, y1 = box
    half = (0.5 + _MARGIN) * max(x1 - x0, y1 - y0)
    x, y = (x0 + x1) / 2, (y0 + y1) / 2 - _RAISED * max(x1 - x0, y1 - y0)
    return (x - half, y - half, x + half, y + half)


def _preview(parsing: Parsing, face: int, box: Box) -> Preview:
    height, width = parsing.mask.shape
    x0, y0 = (int(max(0, v)) for v in box[:2])
    x1 = max(x0 + 1, int(min(box[2], width)))
    y1 = max(y0 + 1, int(min(box[3], height)))
    here = np.s_[y0:y1, x0:x1]
    plain = _small(parsing.image[here])
    # Labels are drawn on the small picture: colouring all of a large photo would cost more than
    # the rest of it.
    labels = np.asarray(
        Image.fromarray(parsing.mask[here]).resize(plain.size, Image.Resampling.NEAREST)
    )
    coloured = Image.fromarray(render.overlay(np.asarray(plain), labels))
    icon = coloured.copy()
    icon.thumbnail((ICON_PX, ICON_PX))
    tiny = base64.b64encode(_encoded(icon, "WEBP", 60)).decode()
    return Preview(
        face=face,
        plain=_encoded(plain, "JPEG", 82),
        overlay=_encoded(coloured, "JPEG", 82),
        icon=f"data:image/webp;base64,{tiny}",
    )


def _small(pixels: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(np.ascontiguousarray(pixels))
    scale = min(1.0, THUMBNAIL_PX / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BOX) if scale < 1 else image


def _encoded(image: Image.Image, kind: str, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, format=kind, quality=quality)
    return out.getvalue()
