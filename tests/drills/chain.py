"""The data's whole walk: bytes, photo, parsing, measurements, pictures, files."""

from __future__ import annotations

import contextlib
import io
import random
import traceback

import numpy as np
from numpy.typing import NDArray

from bisenet.batch.items import ParsedPhoto, keep, tidy_rows
from bisenet.classes import NUM_CLASSES
from bisenet.dashboard.session.gallery import StoredPhoto, make_view
from bisenet.data.masks import MaskError, mask_ids
from bisenet.images.decode import (
    MAX_PIXELS,
    MAX_SIDE,
    ImageError,
    read_photo,
    stored_size,
    upright_size,
)
from bisenet.measure.proportions import pair_table, proportions
from bisenet.measure.regions import measure_regions
from bisenet.output import encode, render
from bisenet.parser import FaceParser, Parsing


class Chain:
    """Takes files through all that the pages, the command and the API do with one.

    Args:
        every: of how many decoded pictures one is parsed.
    """

    def __init__(self, parser: FaceParser, every: int = 1):
        self._parser = parser
        self._every = every
        self._decoded = 0

    def run(self, data: bytes, rng: random.Random) -> tuple[str, str]:
        """``parsed``, ``decoded``, ``refused`` or ``fault``, and what was raised."""
        try:
            try:
                pixels = self._read(data)
            except ImageError as error:
                return "refused", str(error)
            self._decoded += 1
            if self._decoded % self._every:
                return "decoded", ""
            self._use(pixels, data, rng)
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            return "fault", f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return "parsed", ""

    def _read(self, data: bytes) -> NDArray[np.uint8]:
        for header in (lambda: stored_size(io.BytesIO(data)), lambda: upright_size(data)):
            with contextlib.suppress(ImageError):
                header()
        with contextlib.suppress(MaskError):
            mask_ids(data)
        photo = read_photo(data)
        height, width = photo.pixels.shape[:2]
        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.shape == (height, width, 3)
        assert 0 < height * width <= MAX_PIXELS
        assert max(height, width) <= MAX_SIDE
        assert upright_size(data) == (width, height)
        return photo.pixels

    def _use(self, pixels: NDArray[np.uint8], data: bytes, rng: random.Random) -> None:
        height, width = pixels.shape[:2]
        how = rng.random()
        if how < 0.15:
            xs = sorted(rng.uniform(-0.2, 1.2) * width for _ in range(2))
            ys = sorted(rng.uniform(-0.2, 1.2) * height for _ in range(2))
            box = (
                min(xs[0], width - 1.0),
                min(ys[0], height - 1.0),
                max(xs[1], 1.0),
                max(ys[1], 1.0),
            )
            parsing = self._parser.parse(pixels, boxes=[box])
        else:
            parsing = self._parser.parse(pixels, framing="whole" if how < 0.4 else "auto")
        assert parsing.mask.shape == parsing.confidence.shape == (height, width)
        assert parsing.mask.max() < NUM_CLASSES
        assert np.isfinite(parsing.confidence).all()
        self._measure(parsing)
        self._export(parsing, data, rng)

    def _measure(self, parsing: Parsing) -> None:
        regions = measure_regions(parsing)
        assert regions["area_px"].sum() == parsing.covered.sum()
        for face in parsing.faces[:2]:
            proportions(face.mask)
            pair_table(face.mask)

    def _export(self, parsing: Parsing, data: bytes, rng: random.Random) -> None:
        regions = measure_regions(parsing)
        StoredPhoto.from_bytes(data, "odd")
        make_view(parsing, "odd")
        keep(ParsedPhoto(parsing, tidy_rows(parsing, "odd"), ()), 0, "odd")
        render.draw(parsing.image, parsing.mask, "both")
        if rng.random() < 0.3:
            encode.files_zip(encode.bundle(parsing, regions, "odd", "odd.jpg"))
            encode.cut_out_png(parsing, parsing.classes, soft=True)
        else:
            encode.indexed_png(parsing.mask)
            encode.overlay_png(parsing)
            encode.coco_json(parsing, "odd")
            encode.regions_json(regions, parsing)
