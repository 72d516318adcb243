"""The reference engine: PyTorch in f32 or bf16, on the CPU or on CUDA where there is one."""

from __future__ import annotations

import threading

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from bisenet.engines import EngineError, EngineInfo
from bisenet.geometry.crops import MEAN, STD
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
        self._model = model.to(self._device, self._type)
        for parameter in self._model.parameters():
            if parameter.ndim == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        classifier.float()
        mean, std = (torch.from_numpy(v).to(self._device) * 255 for v in (MEAN, STD))
        # One network at a time has every core; two at once would compete for them.
        self._turn = threading.Lock()
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
            with self._turn:
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


def fold_batch_norm(module: nn.Module) -> None:
    """Fold every batch normalisation of a network in eval mode into the convolution before it.

    Relies on what holds in ``bisenet.network.bisenet``: inside a module, a normalisation follows
    its convolution directly in the order of definition.
    """
    conv: tuple[str, nn.Conv2d] | None = None
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Conv2d):
            conv = (name, child)
        elif isinstance(child, nn.BatchNorm2d) and conv is not None:
            setattr(module, conv[0], fuse_conv_bn_eval(conv[1], child))
            setattr(module, name, nn.Identity())
            conv = None
        else:
            fold_batch_norm(child)
            if not isinstance(child, nn.ReLU):
                conv = None
