"""The reference engine: PyTorch, f32, on the CPU or on CUDA where there is one."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from bisenet.engines import EngineInfo
from bisenet.weights import load_model


class TorchEngine:
    """Runs a model with PyTorch in channels-last layout.

    Raises:
        WeightsError: the weights cannot be loaded.
    """

    def __init__(self, weights: str = "default"):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = load_model(weights).to(self._device)
        self._model = model.to(memory_format=torch.channels_last)

    @property
    def info(self) -> EngineInfo:
        """What runs, on what."""
        return EngineInfo("torch", "f32", self._device.type, torch.get_num_threads())

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of the main head: ``(N, 3, S, S)`` to ``(N, 19, S/8, S/8)``."""
        with torch.inference_mode():
            x = torch.from_numpy(batch).to(self._device, memory_format=torch.channels_last)
            (logits,) = self._model.forward_heads(x)
            return logits.float().cpu().contiguous().numpy()
