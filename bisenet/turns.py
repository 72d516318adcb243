"""Parse in turn: one engine serves all sessions, through one gate, and each run is logged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bisenet.faces import Box
from bisenet.gate import Gate, process_gate
from bisenet.images import MAX_PIXELS
from bisenet.parser import MAX_FACES, FaceParser, FramingName, Parsing, Progress
from bisenet.runlog import RunLog, process_log


def places(gate: Gate, pixels: int) -> int:
    """How many of a gate's places a photo of so many pixels takes: its share of the largest one.

    So those that run at once need no more memory than a single photo of ``MAX_PIXELS``.
    """
    return max(1, math.ceil(gate.max_running * pixels / MAX_PIXELS))


def parse_in_turn(
    parser: FaceParser,
    image: Image.Image | NDArray[np.uint8],
    framing: FramingName = "auto",
    *,
    boxes: Sequence[Box] | None = None,
    max_faces: int = MAX_FACES,
    progress: Progress | None = None,
    on_position: Callable[[int], None] | None = None,
    source: str = "page",
    session: str = "",
    gate: Gate | None = None,
    log: RunLog | None = None,
) -> Parsing:
    """Wait for a turn at the process's gate, parse, and log how long it took.

    Args:
        parser: shared by all sessions.
        image: as ``FaceParser.parse`` takes it.
        framing, boxes, max_faces, progress: as ``FaceParser.parse`` takes them.
        on_position: as ``Gate.admit`` takes it.
        source: ``page``, ``api`` or ``batch``, for the log.
        session: a random mark of who asks, for the log and the queue's order; never a name.
        gate: another than the process's.
        log: another than the process's.

    Raises:
        GateFull: too many wait already; the message is a sentence for people.
    """
    arrived = time.perf_counter()
    gate = gate or process_gate()
    pixels = image.width * image.height if isinstance(image, Image.Image) else image.size // 3
    with gate.admit(on_position, places(gate, pixels), session):
        waited = (time.perf_counter() - arrived) * 1000
        parsing = parser.parse(
            image, framing=framing, boxes=boxes, max_faces=max_faces, progress=progress
        )
    (log or process_log()).record_parse(parsing, parser.input_size, source, session, waited)
    return parsing
