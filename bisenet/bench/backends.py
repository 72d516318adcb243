"""Who takes part: our engines, the published way of running the network, and ONNX Runtime."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bisenet.engines import ENGINES, EngineError, open_engine
from bisenet.engines.exported import export_onnx
from bisenet.runtime.threads import thread_count

Batch = NDArray[np.float32]
PUBLISHED = "published"
ONNX_RUNTIME = "onnxruntime"


@dataclass(frozen=True)
class Backend:
    """Something that runs the network on a normalised batch ``(N, 3, S, S)``.

    ``what`` says in words what is timed.
    """

    name: str
    precision: str
    device: str
    threads: int
    what: str
    run: Callable[[Batch], Any]


@dataclass(frozen=True)
class Refused:
    """A backend that cannot take part, and why."""

    name: str
    reason: str


def open_backends(
    names: Sequence[str], weights: str = "default", threads: int | None = None
) -> tuple[list[Backend], list[Refused]]:
    """Open backends by name: an engine's, ``published`` or ``onnxruntime``.

    Raises:
        ValueError: there is no such backend.
        WeightsError: the weights cannot be loaded.
    """
    entered, refused = [], []
    for name in names:
        try:
            entered.append(_open(name, weights, threads or thread_count()))
        except EngineError as error:
            refused.append(Refused(name, str(error)))
    return entered, refused


def default_names() -> list[str]:
    """Every engine, the published way as the reference, and ONNX Runtime where it is installed."""
    names = [PUBLISHED, *(name for name in ENGINES if name != "auto")]
    return [*names, ONNX_RUNTIME] if _installed("onnxruntime", "onnx") else names


def _open(name: str, weights: str, threads: int) -> Backend:
    if name == PUBLISHED:
        return _published(weights, threads)
    if name == ONNX_RUNTIME:
        return _onnx_runtime(weights, threads)
    engine = open_engine(name, weights, threads)
    info = engine.info
    what = "main head, logits at 1/8 to numpy"
    return Backend(name, info.precision, info.device, info.threads, what, engine.infer)


def _published(weights: str, threads: int) -> Backend:
    """Our network run as the published scripts do: eager f32, three heads, argmax in numpy."""
    if not _installed("torch"):
        raise EngineError("The published way takes torch, which is not installed.")
    import torch

    from bisenet.network.weights import load_model

    torch.set_num_threads(threads)
    model = load_model(weights)
    # Training mode is what makes all three heads run; the statistics stay those of inference.
    model.training = True

    def run(batch: Batch) -> Any:
        with torch.no_grad():
            main, *_ = model(torch.from_numpy(batch))
            return main.numpy().argmax(1)

    what = "three heads at full size, logits to numpy, argmax"
    return Backend(PUBLISHED, "f32", "cpu", threads, what, run)


def _onnx_runtime(weights: str, threads: int) -> Backend:
    if not _installed("onnxruntime", "onnx", "torch"):
        raise EngineError(
            "ONNX Runtime takes part where onnxruntime, onnx and torch are installed."
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bisenet.onnx"
        export_onnx(weights, path)
        session = onnxruntime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )
    what = "main head, logits at 1/8 to numpy"
    return Backend(
        ONNX_RUNTIME, "f32", "cpu", threads, what, lambda batch: session.run(None, {"x": batch})
    )


def _installed(*packages: str) -> bool:
    return all(importlib.util.find_spec(package) is not None for package in packages)
