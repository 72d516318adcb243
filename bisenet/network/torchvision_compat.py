"""The one door to torchvision, also where its compiled operators do not match the installed torch.

torchvision's Python code registers fake kernels for ``nms`` and ``qnms`` as soon as it is imported,
and stops with "operator torchvision::nms does not exist" when its compiled library could not load
(a CUDA build of torchvision beside a CPU build of torch, for example). Its models and transforms
need none of those operators, so declaring the two schemas is enough. With matching builds the
compiled library brings the operators and nothing is declared.

Import from here whatever comes from torchvision, or import this module first.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import torch

_SCHEMAS = {
    "nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def _load_compiled_library() -> None:
    """Let torchvision's own library define its operators, where it loads at all."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    for library in sorted(Path(spec.origin).parent.glob("_C*.*")):
        try:
            # A second load of the same file, by torchvision itself, is a no-op.
            torch.ops.load_library(str(library))
        except OSError:
            continue


def prepare() -> None:
    """Declare the operators that torchvision's Python code expects and its library did not bring.

    Safe to call again: what exists, whoever defined it, is never defined twice.
    """
    if all(hasattr(torch.ops.torchvision, name) for name in _SCHEMAS):
        return
    _load_compiled_library()
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            torch.library.define(f"torchvision::{name}", schema)


prepare()

from torchvision.models import resnet18, resnet34  # noqa: E402  (fails where prepare has not run)

__all__ = ["prepare", "resnet18", "resnet34"]
