"""Where faces may be: a small network's heat map over the shrunk photo, in a few milliseconds.

Objects as points (Zhou et al., "Objects as Points", 2019): each cell of 8 x 8 pixels says how
likely an aligned crop is centred in it, and how that crop would lie. It only proposes;
``bisenet.detection.finder`` verifies its proposals with the parser.
``bisenet.training.detector.train`` trains it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from bisenet.engines import cpu
from bisenet.geometry.boxes import Point, is_duplicate
from bisenet.geometry.crops import PADDING
from bisenet.geometry.warp import nearest
from bisenet.network.weights import WeightsError, file_hash, weights_dir
from bisenet.runtime.paths import WEIGHTS
from bisenet.runtime.threads import thread_count

CARD = "face_finder.json"
STRIDE = 8
# The network gives a crop's side as the logarithm of its ratio to this, pixels.
BASE_SIDE = 64.0
# Of the pixels' normalisation, 0..255.
MEAN, STD = 128.0, 64.0

State = Mapping[str, NDArray[np.float32]]
# Pixels (1, H, W, 3) uint8, H and W multiples of 32, to outputs (6, H/8, W/8).
Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


@dataclass(frozen=True)
class Proposal:
    """Where an aligned crop may lie: photo's pixels, degrees clockwise as seen, 0..1."""

    centre: Point
    side: float
    roll: float
    score: float


class Detector:
    """Proposes faces at any roll. Safe to share between threads.

    Args:
        card: the JSON that names the weights' file and its SHA-256.

    Raises:
        WeightsError: the card or the weights are damaged, or do not belong together.
    """

    def __init__(self, card: Path):
        state = read_weights(card)
        try:
            self._run = _on_openvino(state)
        except (ImportError, RuntimeError):  # not installed, or a CPU that it does not support
            self._run = _on_torch(state)

    def propose(
        self, pixels: NDArray[np.uint8], side: int, least: float, limit: int = 200
    ) -> list[Proposal]:
        """Crops that may show a face in a photo ``(H, W, 3)``, likeliest first.

        Args:
            side: pixels of the longer side that the photo is shrunk to, a multiple of 128; a
                smaller photo stays as it is.
            least: lowest score.
            limit: most proposals.
        """
        small = shrunk(pixels, side)
        found = self._inside(small, _padded(small, side), least)[:limit]
        fx, fy = pixels.shape[1] / small.shape[1], pixels.shape[0] / small.shape[0]
        return [
            Proposal(
                ((c.centre[0] + 0.5) * fx - 0.5, (c.centre[1] + 0.5) * fy - 0.5),
                c.side * float(np.sqrt(fx * fy)),
                c.roll,
                c.score,
            )
            for c in found
        ]

    def propose_as_is(
        self, pixels: NDArray[np.uint8], quantum: int, least: float
    ) -> list[Proposal]:
        """Crops that may show a face in a part of a photo ``(H, W, 3)``, shown as large as it is.

        Args:
            quantum: what is shown is padded to multiples of this, itself a multiple of 32.
            least: lowest score.
        """
        height, width = (-(-n // quantum) * quantum for n in pixels.shape[:2])
        return self._inside(pixels, _framed(pixels, height, width), least)

    def _inside(
        self, small: NDArray[np.uint8], padded: NDArray[np.uint8], least: float
    ) -> list[Proposal]:
        """Proposals whose centre is not in the padding."""
        return [
            c
            for c in decode(self._run(padded), least)
            if c.centre[0] < small.shape[1] and c.centre[1] < small.shape[0]
        ]


def shipped_detector() -> Detector:
    """The detector that lies with the weights, or else with the code.

    Raises:
        WeightsError: it is missing or damaged.
    """
    for folder in (weights_dir(), WEIGHTS):
        if (folder / CARD).is_file():
            return _opened(folder / CARD)
    raise WeightsError(f"There is no {CARD} in {weights_dir()}.")


@lru_cache(maxsize=1)
def _opened(card: Path) -> Detector:
    return Detector(card)


def shrunk(pixels: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The photo with at most ``side`` pixels on its longer side, for the coarse pass.

    Averaging every pixel of a large photo would cost more than the network does, so of a photo
    more than twice as large only some are, 16 for each that is left.
    """
    height, width = pixels.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return pixels
    small = (max(1, round(width * scale)), max(1, round(height * scale)))
    if scale > 0.5:
        return np.asarray(cv2.resize(pixels, small, interpolation=cv2.INTER_LINEAR), np.uint8)
    # Halving is quick; what comes before reads four pixels, or one, for each of its own.
    halvings = 2 if scale < 0.2 and side < 512 else 1
    first = (small[0] << halvings, small[1] << halvings)
    if scale * 2**halvings > 0.4:
        image = np.asarray(cv2.resize(pixels, first, interpolation=cv2.INTER_LINEAR), np.uint8)
    else:
        image = nearest(pixels, first)
    for left in range(halvings - 1, -1, -1):
        size = (small[0] << left, small[1] << left)
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return image


def _padded(small: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The shrunk photo, padded, ``(1, H, W, 3)``: one side ``side``, the other in quarters of it.

    OpenVINO prepares anew for every size, which takes as long as five runs: so sizes are few.
    """
    quarter = side // 4
    longer = small.shape[0] >= small.shape[1], small.shape[1] >= small.shape[0]
    height, width = (
        side if is_longer else -(-n // quarter) * quarter
        for n, is_longer in zip(small.shape[:2], longer, strict=True)
    )
    return _framed(small, height, width)


def _framed(small: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    padded = np.empty((1, height, width, 3), np.uint8)
    padded[:] = PADDING
    padded[0, : small.shape[0], : small.shape[1]] = small
    return padded


def decode(outputs: NDArray[np.float32], least: float) -> list[Proposal]:
    """Peaks of the heat as crops in the network's pixels, each place once, likeliest first.

    Args:
        outputs: ``(6, h, w)``: heat as a logit, offset x and y in cells, logarithm of the side,
            cosine and sine of the roll.
    """
    heat = outputs[0]
    bar = float(np.log(least / (1 - least)))
    peak = (heat >= cv2.dilate(heat, np.ones((3, 3), np.uint8))) & (heat > bar)
    rows, columns = np.nonzero(peak)
    order = np.argsort(-heat[rows, columns], kind="stable")
    kept: list[Proposal] = []
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        logit, dx, dy, log_side, cos, sin = outputs[:, row, column].tolist()
        x, y = ((v + 0.5) * STRIDE - 0.5 for v in (column + dx, row + dy))
        side = BASE_SIDE * float(np.exp(np.clip(log_side, -3.0, 4.0)))
        one = Proposal(
            (x, y), side, float(np.degrees(np.arctan2(sin, cos))), float(1 / (1 + np.exp(-logit)))
        )
        if not is_duplicate(one, kept):
            kept.append(one)
    return kept


def read_weights(card: Path) -> State:
    """The weights that a card names, f32, batch normalisation folded in.

    Raises:
        WeightsError: card or weights are damaged, or do not belong together.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        entry = json.loads(card.read_text(encoding="utf-8"))
        path, wanted = card.parent / entry["file"], entry["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{card.name} of the weights cannot be read: {error}.") from error
    if file_hash(path) != wanted:
        raise WeightsError(
            f"{path.name} is not the file that {card.name} describes (its SHA-256 differs). "
            "Restore it."
        )
    try:
        return {key: value.astype(np.float32) for key, value in load_file(path).items()}
    except (SafetensorError, ValueError) as error:
        raise WeightsError(f"{path.name} is damaged ({error}).") from error


def _on_openvino(state: State) -> Run:
    import openvino as ov

    from bisenet.engines.openvino_graph import build_detector_graph, from_pixels
    from bisenet.engines.openvino_requests import Requests, settings

    model = from_pixels(build_detector_graph(state), [MEAN] * 3, [STD] * 3)
    # It only proposes: where the CPU multiplies bf16 it is three times as fast.
    options = settings("bf16" if cpu.BF16 & cpu.features() else "f32", thread_count())
    requests = Requests(ov.Core().compile_model(model, "CPU", options))
    return lambda pixels: np.asarray(requests.run(pixels)[0])


def _on_torch(state: State) -> Run:
    import torch

    from bisenet.network.detector import from_folded

    net = from_folded(state)

    def run(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() - MEAN) / STD
            return np.asarray(net(x)[0].numpy())

    return run
