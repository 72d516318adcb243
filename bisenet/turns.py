"""How many places of the queue a photo takes."""

from __future__ import annotations

import math

from bisenet.images.decode import MAX_PIXELS
from bisenet.runtime.admission import ParseQueue


def places(queue: ParseQueue, pixels: int) -> int:
    """How many of a gate's places a photo of so many pixels takes: its share of the largest one.

    So those that run at once need no more memory than a single photo of ``MAX_PIXELS``.
    """
    return max(1, math.ceil(queue.max_running * pixels / MAX_PIXELS))
