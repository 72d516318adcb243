"""A photo's whole way: from the bytes of a file to its mask, beside the forward pass alone."""

from __future__ import annotations

import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from PIL import Image

from bisenet.engines import open_engine
from bisenet.images import samples
from bisenet.images.decode import read_photo
from bisenet.parser import FaceParser, FramingName
from bisenet.runtime.timing import Summary, summarise

MEGAPIXELS = 2.0


@dataclass(frozen=True)
class PhotoTimes:
    """Bytes to mask against the forward pass, milliseconds; ``stages`` are medians."""

    framing: str
    megapixels: float
    engine: str
    bytes_to_mask: Summary
    forward: Summary
    ratio: float
    stages: dict[str, float]

    def as_row(self) -> dict[str, Any]:
        """Flat, with units in the names."""
        return {
            "framing": self.framing,
            "megapixels": self.megapixels,
            "engine": self.engine,
            "runs": self.bytes_to_mask.count,
            "bytes_to_mask_median_ms": round(self.bytes_to_mask.median, 3),
            "bytes_to_mask_p95_ms": round(self.bytes_to_mask.p95, 3),
            "forward_median_ms": round(self.forward.median, 3),
            "ratio": round(self.ratio, 3),
            "stages_ms": {name: round(ms, 3) for name, ms in self.stages.items()},
        }


def sample_jpeg(megapixels: float = MEGAPIXELS) -> bytes:
    """The sample face as a JPEG of so many megapixels."""
    face = samples.astronaut()
    side = round((megapixels * 1e6) ** 0.5)
    out = io.BytesIO()
    face.resize((side, side), Image.Resampling.BICUBIC).save(out, format="JPEG", quality=90)
    return out.getvalue()


def photo_times(
    parser: FaceParser,
    framing: FramingName = "whole",
    runs: int = 20,
    stop: Callable[[], bool] | None = None,
) -> PhotoTimes:
    """Time a 2-megapixel JPEG's way and, alternately, the forward pass at the network's size.

    The parser's engine must be the default one: the forward pass runs on that.
    """
    data = sample_jpeg()
    pixels = np.asarray(samples.astronaut())
    size = parser.input_size
    crop = cv2.resize(pixels, (size, size), interpolation=cv2.INTER_AREA)[None]
    engine = open_engine("auto", parser.weights.name)
    whole, forward, ratios = [], [], []
    stages: dict[str, list[float]] = {}
    for run in range(runs + 2):
        if stop is not None and stop():
            break
        start = time.perf_counter()
        pixels = read_photo(data).pixels
        decoded = time.perf_counter()
        parsing = parser.parse(pixels, framing=framing)
        end = time.perf_counter()
        engine.infer_pixels(crop)
        last = time.perf_counter()
        if run < 2:  # memory and kernels are made on the first runs
            continue
        whole.append(1000 * (end - start))
        forward.append(1000 * (last - end))
        ratios.append(whole[-1] / forward[-1])
        for name, ms in {"decode": 1000 * (decoded - start), **parsing.timings}.items():
            stages.setdefault(name, []).append(ms)
    return PhotoTimes(
        framing,
        MEGAPIXELS,
        str(parser.engine),
        summarise(whole),
        summarise(forward),
        float(np.median(ratios)),
        {name: float(np.median(values)) for name, values in stages.items()},
    )


def folder_images_per_second(parser: FaceParser, photos: int = 24) -> float:
    """Images a second for a folder of 512 x 512 JPEG crops: read, parsed, measured in full."""
    data = sample_jpeg(512 * 512 / 1e6)
    parser.parse(read_photo(data).pixels, framing="whole")
    start = time.perf_counter()
    for _ in range(photos):
        parser.parse(read_photo(data).pixels, framing="whole")
    return photos / (time.perf_counter() - start)
