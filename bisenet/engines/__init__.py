"""Engines run the network: normalised pixels in, logits out, behind one small protocol."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

EngineName = Literal["auto", "torch"]
ENGINES: tuple[EngineName, ...] = ("auto", "torch")


@dataclass(frozen=True)
class EngineInfo:
    """What runs the network, for reports: engine, numeric precision, device and threads."""

    name: str
    precision: str
    device: str
    threads: int

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
        """
        ...


def open_engine(name: str, weights: str) -> Engine:
    """Load weights into an engine.

    Args:
        name: ``auto`` picks the fastest correct engine, ``torch`` is the reference.
        weights: a name of the manifest or a checkpoint's path.

    Raises:
        ValueError: there is no such engine.
        WeightsError: the weights cannot be loaded.
    """
    if name not in ENGINES:
        raise ValueError(f"There is no engine {name!r}; choose one of: {', '.join(ENGINES)}.")
    from bisenet.engines.torch_engine import TorchEngine

    return TorchEngine(weights)
