"""Engines run the network: pixels in, logits out, behind one small protocol."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

EngineName = Literal["auto", "openvino", "openvino-bf16", "openvino-int8", "torch", "torch-bf16"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)


class EngineError(ValueError):
    """An engine that cannot run here; the message is a sentence for people."""


@dataclass(frozen=True)
class EngineInfo:
    """What runs the network, for reports: engine, numeric precision, device and threads.

    ``reason`` is a sentence on why it was chosen, with every faster one that could not be.
    """

    name: str
    precision: str
    device: str
    threads: int
    reason: str = field(default="", compare=False)

    def __str__(self) -> str:
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.name} {self.precision}, {self.device}, {threads}"


class Engine(Protocol):
    """Runs one set of weights. Safe to call from several threads."""

    @property
    def info(self) -> EngineInfo:
        """What runs, on what."""
        ...

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of the main head at its own stride.

        Args:
            batch: normalised images, ``(N, 3, S, S)``, S a multiple of 32.

        Returns:
            ``(N, 19, S/8, S/8)``.

        Raises:
            EngineError: there is not enough memory for a batch of this size.
        """
        ...

    def infer_pixels(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """As ``infer``, from RGB pixels ``(N, S, S, 3)``: the engine normalises them itself."""
        ...


def open_engine(name: str, weights: str, threads: int | None = None) -> Engine:
    """Load weights into an engine.

    Args:
        name: one of ``ENGINES``; ``auto`` picks the fastest correct one and says why in
            ``info.reason``. ``openvino`` and ``torch`` alone mean f32.
        weights: a name of the manifest or a checkpoint's path.
        threads: by default, as many as the CPU quota allows (``bisenet.runtime.threads``).

    Raises:
        ValueError: there is no such engine.
        EngineError: this engine cannot run here; the sentence names one that can.
        WeightsError: the weights cannot be loaded.
    """
    if name not in ENGINES:
        raise ValueError(f"There is no engine {name!r}; choose one of: {', '.join(ENGINES)}.")
    from bisenet.engines.choice import choose, open_named

    if name == "auto":
        return choose(weights, threads)
    return open_named(name, weights, threads)
