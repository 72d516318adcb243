"""The network out again: ONNX and OpenVINO files of any weights, read back and compared."""

from __future__ import annotations

import importlib.util
import os
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bisenet.engines import EngineError

# Of the logits' norm; f32 sums in another order differ by some 1e-6.
TOLERANCE = 1e-3
_CHECK_SIZES = (256, 320)


def export_onnx(weights: str, path: Path) -> None:
    """Write the main head as ONNX: ``x`` (N, 3, H, W) normalised to ``logits`` (N, 19, H/8, W/8).

    Raises:
        EngineError: torch or onnx is not installed.
        WeightsError: the weights cannot be loaded.
    """
    _need("torch", "onnx")
    import torch
    from torch import Tensor, nn

    from bisenet.network.weights import load_model

    class MainHead(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = load_model(weights)

        def forward(self, x: Tensor) -> Tensor:
            return self.model.forward_heads(x)[0]

    axes = {0: "n", 2: "h", 3: "w"}
    with warnings.catch_warnings():
        # The new exporter needs one package more and gives the same graph.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            MainHead().eval(),
            (torch.zeros(1, 3, 64, 64),),
            os.fspath(path),
            input_names=["x"],
            output_names=["logits"],
            dynamic_axes={"x": axes, "logits": axes},
            opset_version=17,
            dynamo=False,
        )


def export_openvino(weights: str, path: Path) -> None:
    """Write the main head as OpenVINO IR in f32: ``path`` (.xml) and the .bin beside it.

    Raises:
        WeightsError: the weights cannot be loaded.
    """
    import openvino as ov

    from bisenet.engines.openvino_graph import build_graph
    from bisenet.engines.tensors import read_state

    entry, state = read_state(weights)
    ov.save_model(
        build_graph(state, entry.backbone, entry.spatial_path), path, compress_to_fp16=False
    )


def difference(weights: str, path: Path) -> float:
    """How far the logits of an exported file lie from torch's, as a share of their norm.

    The file is read back by ONNX Runtime (.onnx) or OpenVINO (.xml) and asked at two sizes.

    Raises:
        EngineError: what reads the file back is not installed.
    """
    import torch

    from bisenet.network.weights import load_model

    model = load_model(weights)
    worst = 0.0
    for size in _CHECK_SIZES:
        rng = np.random.default_rng(size)
        x = rng.standard_normal((1, 3, size, size), dtype=np.float32)
        with torch.inference_mode():
            expected = model.forward_heads(torch.from_numpy(x))[0].numpy()
        found = _run(path, x)
        error = float(np.linalg.norm(found - expected) / np.linalg.norm(expected))
        worst = max(worst, error)
    return worst


def _run(path: Path, x: NDArray[np.float32]) -> NDArray[np.float32]:
    if path.suffix == ".onnx":
        _need("onnxruntime")
        import onnxruntime

        session = onnxruntime.InferenceSession(os.fspath(path), providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {"x": x})[0])
    import openvino as ov

    compiled = ov.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled(x)[0])


def _need(*packages: str) -> None:
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise EngineError(
            f"This takes {' and '.join(missing)}: pip install -r requirements-dev.txt"
        )
