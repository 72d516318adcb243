"""How OpenVINO runs a network: its settings, and requests that threads share."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import openvino as ov
from numpy.typing import NDArray


def settings(precision: Literal["f32", "bf16"], threads: int) -> dict[str, Any]:
    """One inference at a time on all the threads."""
    return {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": precision,
        # Pinned threads of two containers on a host would share the same first cores.
        "ENABLE_CPU_PINNING": False,
    }


class Requests:
    """Runs a compiled network that has one input. Safe to share between threads.

    Inference runs in OpenVINO's own thread, so parallel parses run one after another. In the
    callers' threads, as the synchronous call has it, they would compete for the same cores.
    """

    def __init__(self, compiled: ov.CompiledModel):
        self._compiled = compiled
        # They hold the network's memory, so they are kept.
        self._idle: list[ov.InferRequest] = []
        self._lock = threading.Lock()

    @contextmanager
    def one(self) -> Iterator[ov.InferRequest]:
        """A request that nobody else uses meanwhile."""
        with self._lock:
            request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
        try:
            yield request
        finally:
            with self._lock:
                self._idle.append(request)

    def run(self, batch: NDArray[Any]) -> NDArray[np.float32]:
        """The first output for a contiguous batch, as an array of its own.

        Raises:
            RuntimeError: OpenVINO's, such as too little memory.
        """
        with self.one() as request:
            request.start_async(batch, share_inputs=True)
            request.wait()
            return np.array(request.get_output_tensor(0).data, dtype=np.float32)
