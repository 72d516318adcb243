"""How long work shares the engine: photo by photo, and people with a single photo go first."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from bisenet.gate import Gate, GateFull, process_gate
from bisenet.parser import FaceParser, FramingName, Parsing
from bisenet.stopping import Cancelled
from bisenet.turns import parse_in_turn

# A server that is never idle would keep a batch waiting for ever: after so long it queues too.
PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.05


def polite_parse(
    parser: FaceParser,
    framing: FramingName,
    session: str,
    stop: Callable[[], bool],
    gate: Gate | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Callable[[NDArray[np.uint8]], Parsing]:
    """A parse that steps back while others wait, and tries again where the queue is full.

    Args:
        parser, framing, session: as ``parse_in_turn`` takes them.
        stop: asked while it waits; the parse raises ``Cancelled`` then.
        gate: another than the process's.
        patience: seconds that it steps back for those who wait, before it queues with them.
    """
    gate = gate or process_gate()

    def pause() -> None:
        if stop():
            raise Cancelled
        time.sleep(_PAUSE_SECONDS)

    def parse(pixels: NDArray[np.uint8]) -> Parsing:
        begun = time.monotonic()
        while True:
            while gate.waiting and time.monotonic() - begun < patience:
                pause()
            try:
                return parse_in_turn(
                    parser, pixels, framing, source="batch", session=session, gate=gate
                )
            except GateFull:
                pause()

    return parse
