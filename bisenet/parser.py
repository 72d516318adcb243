"""FaceParser: the one pipeline from a photo to its parsed faces."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet.detection.finder import Detection, Finder, holds
from bisenet.engines import EngineInfo, open_engine
from bisenet.geometry.boxes import Box
from bisenet.geometry.crops import Crop, whole_crop
from bisenet.images.decode import MAX_SIDE
from bisenet.network.weights import resolve
from bisenet.postprocess import upright
from bisenet.postprocess.composite import Composite
from bisenet.postprocess.landmarks import find_landmarks
from bisenet.postprocess.results import Face as Face
from bisenet.postprocess.results import Parsing as Parsing
from bisenet.postprocess.results import head_confidence
from bisenet.postprocess.wide_view import join, wide_crop
from bisenet.runtime.cancellation import step
from bisenet.runtime.threads import bind_libraries
from bisenet.runtime.timing import Stopwatch

# Aligned crops cut off the top of the hair and the shoulders; a photo goes on beyond them.
CONTEXT = 1.2

FramingName = Literal["auto", "whole"]
FRAMINGS: tuple[str, ...] = get_args(FramingName)
Progress = Callable[[int, int], None]

MAX_FACES = 30
# Faces whose eyes are nearer than this, in the photo's pixels, leave too little to parse: a face
# of 40 pixels from hairline to chin has its eyes 13 apart.
MIN_EYE_DISTANCE = 13.0
# Crops that the network sees at once: more would cost memory and save little time.
BATCH = 4


class FaceParser:
    """Parses photos with one set of weights on one engine. Safe to share between threads.

    Args:
        weights: a name of the manifest, or a checkpoint's path.
        engine: one of ``bisenet.engines.ENGINES``; ``auto`` takes the fastest.

    Raises:
        ValueError: there is no such engine, or ``BISENET_THREADS`` is no number.
        WeightsError: the weights cannot be loaded.
    """

    def __init__(self, weights: str = "default", engine: str = "auto"):
        bind_libraries()
        self.weights = resolve(weights)
        self.input_size = self.weights.input_size
        self._engine = open_engine(engine, weights)
        self._finder = Finder(self._infer)
        self._is_warm = False

    @property
    def engine(self) -> EngineInfo:
        """What runs the network."""
        return self._engine.info

    def parse(
        self,
        image: Image.Image | NDArray[np.uint8],
        framing: FramingName = "auto",
        boxes: Sequence[Box] | None = None,
        max_faces: int = MAX_FACES,
        progress: Progress | None = None,
        search_progress: Progress | None = None,
    ) -> Parsing:
        """Parse a photo.

        Args:
            image: a PIL image, or ``(H, W, 3)`` uint8 RGB.
            framing: ``auto`` searches for faces; where there is none, the whole image is parsed
                as it is and ``Parsing.notices`` says so. ``whole`` says that the image already is
                one aligned face crop and skips the search.
            boxes: faces boxed by hand (x0, y0, x1, y1 in the photo's pixels, from brow to chin),
                in place of the search.
            max_faces: of more faces than this, the largest are parsed; 1 to 254.
            progress: called with the number of faces done and their total.
            search_progress: called with the number of tiles searched and their total, where the
                photo is so large or long that it is searched in tiles.

        Raises:
            ValueError: the array is not ``(H, W, 3)`` uint8, it is empty, a side is longer than
                ``images.MAX_SIDE``, the framing is unknown, a box is empty or outside the photo, or
                ``max_faces`` is out of range.
            EngineError: there is not enough memory.
        """
        if framing not in FRAMINGS:
            raise ValueError(f"There is no framing {framing!r}; choose: {', '.join(FRAMINGS)}.")
        if not 1 <= max_faces <= 254:
            raise ValueError(f"max_faces is 1 to 254, not {max_faces}.")
        clock = Stopwatch()
        pixels = _as_pixels(image)
        notices: list[str] = []
        found: list[Detection] = []
        if boxes is not None or framing == "auto":
            with clock.stage("find"):
                if boxes is not None:
                    found = self._frame_boxes(pixels, boxes, notices)
                else:
                    limit = max(60, 2 * max_faces)
                    found = self._finder.find(pixels, limit, search_progress)
            found = _parseable(found, boxes is not None, notices)
        left_out = max(0, len(found) - max_faces)
        if left_out:
            notices.append(
                f"{len(found)} faces were found; the {max_faces} largest were parsed. "
                "Raise the limit to parse more."
            )
            found = found[:max_faces]
        composite = self._parse_faces(pixels, found, boxes is not None, clock, progress)
        if composite is not None:
            with clock.stage("upsample"):
                faces = composite.finished()
            mask, confidence, ids = composite.mask, composite.confidence, composite.instance_ids
            views = faces
        else:
            if framing == "auto":
                other = "other " if notices else ""
                notices.append(f"No {other}face was found, so the whole image was parsed as it is.")
            view, confidence = self._parse_whole(pixels, clock)
            mask, ids = view.labels, np.ones(view.shape, np.uint8)
            views = (view,)
            faces = views if framing == "whole" else ()
            if progress is not None:
                progress(1, 1)
        warm_up, self._is_warm = not self._is_warm, True
        return Parsing(
            image=pixels,
            mask=mask,
            confidence=confidence,
            faces=faces,
            timings=clock.timings,
            engine=self.engine,
            weights=self.weights.name,
            notices=tuple(notices),
            left_out=left_out,
            warm_up=warm_up,
            views=views,
            instance_ids=ids,
        )

    def count_faces(self, pixels: NDArray[np.uint8]) -> int:
        """How many faces the search alone finds in a photo ``(H, W, 3)``, small ones too."""
        return len(self._finder.find(pixels))

    def _infer(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        step()
        return self._engine.infer_pixels(batch)

    def _frame_boxes(
        self, pixels: NDArray[np.uint8], boxes: Sequence[Box], notices: list[str]
    ) -> list[Detection]:
        height, width = pixels.shape[:2]
        found = []
        for number, box in enumerate(boxes, start=1):
            x0, y0, x1, y1 = box
            if not (x0 < x1 and y0 < y1 and x0 < width and y0 < height and x1 > 0 and y1 > 0):
                raise ValueError(f"Box {number} {tuple(box)} holds nothing of the photo.")
            # A face may reach out of the photo, but not farther than the photo is large.
            near = (max(x0, -width), max(y0, -height), min(x1, 2 * width), min(y1, 2 * height))
            one = self._finder.frame_box(pixels, near)
            drawn = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
            found.append(replace(one, drawn=drawn))
        found.sort(key=lambda f: -f.crop.side)
        # The numbers are the faces', which the largest begins.
        notices += [
            f"No eyes and mouth were found in face {number}; it was parsed as it is."
            for number, one in enumerate(found, start=1)
            if one.marks is None
        ]
        return found

    def _parse_faces(
        self,
        pixels: NDArray[np.uint8],
        found: Sequence[Detection],
        by_hand: bool,
        clock: Stopwatch,
        progress: Progress | None,
    ) -> Composite | None:
        """The faces' composite; None where not one of them holds at full detail."""
        if not found:
            return None
        composite = Composite((pixels.shape[0], pixels.shape[1]), len(found) > 1)
        for start in range(0, len(found), BATCH):
            part = found[start : start + BATCH]
            with clock.stage("crop"):
                crops = [_with_context(one.crop).at(self.input_size) for one in part]
                wide = [wide_crop(crop) for crop in crops]
                squares = np.stack([crop.sample(pixels) for crop in crops])
                around = [crop.sample(pixels) for crop in wide if crop is not None]
            with clock.stage("network"):
                logits = self._infer(squares)
                farther = iter(self._infer(np.stack(around)) if around else ())
            with clock.stage("upsample"):
                for one, crop, view, wide_one in zip(part, crops, logits, wide, strict=True):
                    marks = find_landmarks(view, crop)
                    seen_wide = None if wide_one is None else next(farther)
                    if not by_hand and not holds(marks, one.proposed):
                        continue
                    fine, far = self._calibrated(view), None
                    if wide_one is not None and seen_wide is not None:
                        fine, far = join(fine, crop, self._calibrated(seen_wide), wide_one)
                    composite.paint(fine, crop, marks, far, one.drawn)
            if progress is not None:
                progress(min(start + BATCH, len(found)), len(found))
        return composite if composite.faces else None

    def _calibrated(self, logits: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits whose softmax is as often right as it says; the largest stays the largest."""
        temperature = self.weights.temperature
        return logits if temperature == 1 else logits * np.float32(1 / temperature)

    def _parse_whole(
        self, pixels: NDArray[np.uint8], clock: Stopwatch
    ) -> tuple[Face, NDArray[np.float32]]:
        """The whole image as one view, and its confidence."""
        height, width = pixels.shape[:2]
        with clock.stage("crop"):
            crop = whole_crop(height, width, self.input_size)
            square = crop.sample(pixels)
        with clock.stage("network"):
            (logits,) = self._infer(square[None])
        with clock.stage("upsample"):
            logits = self._calibrated(logits)
            mask, confidence = upright.read_whole(logits, crop.size, crop.matrix, (height, width))
            score = head_confidence(mask, confidence)
        view = Face(
            id=1,
            box=(0.0, 0.0, float(width), float(height)),
            score=score,
            roll=0.0,
            eyes=None,
            window=(0, 0, width, height),
            labels=mask,
            shape=(height, width),
            crop=crop,
            logits=logits.astype(np.float16),
        )
        return view, confidence


def _with_context(crop: Crop) -> Crop:
    """A crop widened to hold big hair and the collar, as far as the photo has more to show."""
    return crop.widened(float(np.clip(max(crop.shape) / crop.side, 1.0, CONTEXT)))


def _parseable(found: Sequence[Detection], by_hand: bool, notices: list[str]) -> list[Detection]:
    """The faces that are large enough; what is left out is said."""
    distances = [np.inf if f.marks is None else f.marks.eye_distance for f in found]
    small = [d for d in distances if d < MIN_EYE_DISTANCE]
    if small and not by_hand:
        found = [f for f, d in zip(found, distances, strict=True) if d >= MIN_EYE_DISTANCE]
        many = len(small) > 1
        notices.append(
            f"{len(small)} {'faces are' if many else 'face is'} too small to parse: "
            f"{'their' if many else 'its'} eyes are {max(small):.0f} pixels apart"
            f"{' or less' if many else ''}, and {MIN_EYE_DISTANCE:.0f} are needed."
        )
    return list(found)


def _as_pixels(image: Image.Image | NDArray[np.uint8]) -> NDArray[np.uint8]:
    if isinstance(image, Image.Image) and image.mode != "RGB":
        image = image.convert("RGB")
    pixels = np.asarray(image)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise ValueError(
            f"An image is (height, width, 3) uint8 RGB; got {pixels.shape} {pixels.dtype}."
        )
    if pixels.size == 0:
        raise ValueError(f"The image has no pixels ({pixels.shape[1]} x {pixels.shape[0]}).")
    if max(pixels.shape) > MAX_SIDE:
        raise ValueError(
            f"The image is {pixels.shape[1]:,} x {pixels.shape[0]:,}; the limit is "
            f"{MAX_SIDE:,} pixels a side."
        )
    return pixels
