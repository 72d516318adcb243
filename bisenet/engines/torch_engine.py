"""The reference engine: PyTorch in f32 or bf16, on the CPU or on CUDA where there is one."""

from __future__ import annotations

import threading

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bisenet.engines import EngineError, EngineInfo
from bisenet.geometry.crops import MEAN, STD
from bisenet.network.bisenet import fold_batch_norm
from bisenet.network.weights import load_model
from bisenet.runtime.threads import thread_count


class TorchEngine:
    """Runs a model with PyTorch: channels-last, batch normalisation folded, main head only.

    ``threads`` holds for all of torch in this process.

    Raises:
        WeightsError: the weights cannot be loaded.
    """

    def __init__(
        self,
        weights: str = "default",
        bf16: bool = False,
        threads: int | None = None,
        reason: str = "",
    ):
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._type = torch.bfloat16 if bf16 else torch.float32
        self._reason = reason
        torch.set_num_threads(threads or thread_count())
        model = load_model(weights)
        fold_batch_norm(model)
        classifier = _InFullPrecision(model.head.classifier)
        setattr(model.head, "classifier", classifier)  # noqa: B010  (declared as a Conv2d)
        self._model = model.to(self._device, self._type, memory_format=torch.channels_last)  # type: ignore[call-overload]
        classifier.float()
        mean, std = (torch.from_numpy(v).to(self._device) * 255 for v in (MEAN, STD))
        # One network at a time has every core; two at once would compete for them.
        self._lock = threading.Lock()
        self._scale = (1 / std)[:, None, None]
        self._shift = (mean / std)[:, None, None]

    @property
    def info(self) -> EngineInfo:
        """What runs, on what."""
        precision = "bf16" if self._type == torch.bfloat16 else "f32"
        threads = torch.get_num_threads()
        return EngineInfo("torch", precision, self._device.type, threads, self._reason)

    def infer(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits ``(N, 19, S/8, S/8)`` of normalised images ``(N, 3, S, S)``."""
        with torch.inference_mode():
            return self._run(torch.from_numpy(batch).to(self._device))

    def infer_pixels(self, batch: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Logits ``(N, 19, S/8, S/8)`` of RGB pixels ``(N, S, S, 3)``."""
        with torch.inference_mode():
            x = torch.from_numpy(np.ascontiguousarray(batch)).to(self._device)
            return self._run(x.permute(0, 3, 1, 2).float() * self._scale - self._shift)

    def _run(self, x: Tensor) -> NDArray[np.float32]:
        try:
            x = x.to(self._type, memory_format=torch.channels_last)
            with self._lock:
                (logits,) = self._model.forward_heads(x)
                return logits.float().cpu().contiguous().numpy()
        except (torch.OutOfMemoryError, MemoryError, RuntimeError) as error:
            if not isinstance(error, torch.OutOfMemoryError | MemoryError) and (
                "memory" not in str(error)
            ):
                raise
        if len(x) > 1:
            return np.concatenate([self._run(image[None]) for image in x])
        raise EngineError(
            f"There is not enough memory to parse at {x.shape[2]} x {x.shape[3]} pixels. "
            "Choose a smaller size, or close other programs."
        )


class _InFullPrecision(nn.Module):
    """The classifier in f32: bf16 logits have 8 significant bits, and close classes would tie."""

    def __init__(self, classifier: nn.Module):
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(x.float())
        return logits
